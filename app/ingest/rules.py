"""What a profile says, as written: the structure of its TOML or JSON.

Top-level tables hold for every kind of row that the profile gives; a `[salary]`, `[demand]` or
`[benchmark]` section adds to them.
"""

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from app.ingest.fields import Kind

_PLACE: Final = re.compile(r"\{([^{}]*)\}")
FIELD_TABLES: Final = ("columns", "constants", "values", "scale")
"""The tables of `Rules` whose keys are names of fields."""

_Code = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


SMALLEST_SCALE: Final = Decimal("1e-9")
LARGEST_SCALE: Final = Decimal("1e9")


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class SourceSpec(_Table):
    """The source of the rows: made on the first import if it is not known yet."""

    code: _Code
    name: str = Field(min_length=1)
    kind: Literal["reported", "posted", "official"]
    licence: str | None = None
    url: str | None = None
    recurrence: Literal["replace", "span"] = "replace"
    confidential: bool = False


class Condition(_Table):
    """What a column must hold for a row to be taken: one of these, none of those, or nothing."""

    one_of: tuple[str, ...] | None = Field(None, alias="in")
    none_of: tuple[str, ...] | None = Field(None, alias="not")
    empty: bool | None = None

    @field_validator("one_of", "none_of", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value


class TopCoding(_Table):
    """Figures published only as 'at least the bound'.

    Where the column named by `flag` ('{field}' stands for the field) holds `flagged`, the field
    is listed in `top_coded`; if it has no value, it gets the bound that the pattern of the row's
    pay period captures from `bound_column`, or none where that does not match.
    """

    fields: tuple[Literal["mean", "p10", "p25", "p50", "p75", "p90"], ...]
    flag: str
    flagged: str
    bound_column: str
    bounds: dict[str, str]

    @field_validator("bounds")
    @classmethod
    def _one_group(cls, value: dict[str, str]) -> dict[str, str]:
        for period, pattern in value.items():
            try:
                groups = re.compile(pattern).groups
            except re.error as error:
                raise ValueError(f"the pattern of '{period}' is wrong: {error}") from None
            if groups != 1:
                raise ValueError(f"the pattern of '{period}' must have one group, not {groups}")
        return value


class Rules(_Table):
    """How the fields of one kind of row are made."""

    columns: dict[str, str] = {}
    constants: dict[str, str] = {}
    values: dict[str, dict[str, str]] = {}
    scale: dict[str, Annotated[Decimal, Field(ge=SMALLEST_SCALE, le=LARGEST_SCALE)]] = {}
    where: dict[str, Condition] = {}
    top_coding: TopCoding | None = None

    @field_validator("constants", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {key: _text(item) for key, item in value.items()}

    @field_validator("scale", mode="before")
    @classmethod
    def _exact(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {key: str(item) if type(item) is float else item for key, item in value.items()}

    @field_validator("where", mode="before")
    @classmethod
    def _spelled_out(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {
            key: {"in": item} if isinstance(item, (str, list)) else item
            for key, item in value.items()
        }


def _text(item: object) -> object:
    """TOML's plain values as the text that a file would hold; anything else is left to fail."""
    if isinstance(item, bool):
        return str(item).lower()
    return str(item) if isinstance(item, (int, float, date)) else item


class ProfileDocument(Rules):
    """A profile as written: TOML, or JSON over HTTP."""

    title: str | None = None
    kind: Kind | None = None
    source: SourceSpec | None = None
    salary: Rules | None = None
    demand: Rules | None = None
    benchmark: Rules | None = None


def merged(shared: Rules, own: Rules, fields: tuple[str, ...]) -> Rules:
    """The shared rules as far as they concern `fields`, with a section's own added to them."""
    tables = {
        name: {key: item for key, item in getattr(shared, name).items() if key in fields}
        | getattr(own, name)
        for name in FIELD_TABLES
    }
    return Rules(
        **tables,
        where=dict(shared.where) | own.where,
        top_coding=own.top_coding or shared.top_coding,
    )


def template_parts(template: str) -> list[tuple[str, bool]]:
    """A mapping's pieces, each with whether it is a column: `{a}-x` is (a, True), (-x, False).

    Without braces the whole text is a column.
    """
    if not _PLACE.search(template):
        return [(template, True)]
    pieces = enumerate(_PLACE.split(template))
    return [(text, place % 2 == 1) for place, text in pieces if text or place % 2]


def columns_read(rules: Rules) -> set[str]:
    """All columns that the rules look at."""
    templates = [part for text in rules.columns.values() for part in template_parts(text)]
    columns = {text for text, is_column in templates if is_column} | rules.where.keys()
    if top := rules.top_coding:
        columns |= {top.flag.replace("{field}", field) for field in top.fields}
        columns.add(top.bound_column)
    return columns
