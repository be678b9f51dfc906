"""Bodies of the taxonomy routes. A PUT replaces a member: what is left out becomes empty."""

import json
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    StringConstraints,
    field_validator,
    model_validator,
)

from app.taxonomies import examples

MAX_ALIASES: Final = 300
MAX_TITLES: Final = 1000
MAX_FACTS_BYTES: Final = 50_000


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("it holds a NUL character, which no text may")
    return text


Code = Annotated[str, StringConstraints(max_length=64, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
SourceCode = Annotated[str, StringConstraints(max_length=64, pattern=r"^[a-z0-9][a-z0-9._-]*$")]
RegionCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,5}){0,2}$")]
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_storable),
]
Address = Annotated[str, StringConstraints(max_length=2000, pattern=r"^https?://[!-~]+$")]
Soc = Annotated[str, StringConstraints(pattern=r"^[0-9]{2}-[0-9]{4}$")]
Isco = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")]
Naics = Annotated[str, StringConstraints(pattern=r"^([0-9]{2,6}|[0-9]{2}-[0-9]{2})$")]
Alpha3 = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Cbsa = Annotated[str, StringConstraints(pattern=r"^[0-9]{5}$")]
Aliases = Annotated[list[Name], Field(max_length=MAX_ALIASES)]


def _show_example(schema: dict[str, Any], model: type["_Body"]) -> None:
    schema["examples"] = [{name: model.shown[name] for name in schema["properties"]}]


class _Body(BaseModel):
    """`shown`: the example of the OpenAPI document; members that are not sent are left out."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_show_example)
    shown: ClassVar[dict[str, Any]]


class LevelFields(_Body):
    """A level. `rank` orders levels: higher is more senior."""

    shown = examples.LEVEL
    name: Name
    rank: int = Field(ge=1, le=1000)
    aliases: Aliases = []


class RoleFields(_Body):
    """A role. `soc` like 15-1252, `isco` four digits; `facts` any JSON object with its source."""

    shown = examples.ROLE_WITH_FACTS
    name: Name
    family: Code | Literal[""] = ""
    soc: Soc | None = None
    isco: Isco | None = None
    facts: dict[str, Any] = {}

    @field_validator("facts")
    @classmethod
    def _bounded(cls, facts: dict[str, Any]) -> dict[str, Any]:
        # What JSON or the database cannot hold (NaN, lone surrogates) raises a ValueError here.
        text = json.dumps(facts, allow_nan=False, ensure_ascii=False)
        if len(text.encode()) > MAX_FACTS_BYTES:
            raise ValueError(f"as JSON it is longer than {MAX_FACTS_BYTES} bytes")
        if "\\u0000" in text:
            raise ValueError("it holds a NUL character, which no text may")
        return facts


class IndustryFields(_Body):
    """An industry; `naics` is a sector, subsector or group, such as 5132 or 31-33."""

    shown = examples.INDUSTRY
    name: Name
    naics: Naics | None = None
    aliases: Aliases = []


class RegionFields(_Body):
    """A region. `parent` is null for a country; `cbsa` is for US metro areas."""

    shown = examples.REGION
    name: Name
    parent: RegionCode | None = None
    alpha3: Alpha3 | None = None
    cbsa: Cbsa | None = None
    aliases: Aliases = []


class SourceFields(_Body):
    """A source. Records of a confidential one enter no live answer."""

    shown = examples.SOURCE
    name: Name
    kind: Literal["reported", "posted", "official"]
    confidential: bool = False
    recurrence: Literal["replace", "span"] = "replace"
    licence: Name | None = None
    url: Address | None = None


class NewLevel(LevelFields):
    """A level to be added."""

    code: Code


class NewRole(RoleFields):
    """A role to be added."""

    code: Code


class NewIndustry(IndustryFields):
    """An industry to be added."""

    code: Code


class NewRegion(RegionFields):
    """A region to be added. The code of a metro area is its parent's and a short code."""

    code: RegionCode
    kind: Literal["country", "subdivision", "metro"]


class NewSource(SourceFields):
    """A source to be added."""

    code: SourceCode


class NewAlias(_Body):
    """What a title means. `replace`: an alias that means something else is changed, not refused."""

    shown: ClassVar = {**examples.ALIAS, "replace": False}
    title: Name
    role: Code
    level: Code = "unspecified"
    focus_area: Name | None = None
    replace: bool = False


class NewAliases(RootModel[list[NewAlias]]):
    """One alias, or a list of them."""

    model_config = ConfigDict(json_schema_extra={"examples": [[examples.ALIAS]]})
    root: Annotated[list[NewAlias], Field(min_length=1, max_length=MAX_TITLES)]

    @model_validator(mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [value] if isinstance(value, dict) else value
