"""Import profiles: which column is which field, and which value means what.

A profile is a small TOML file, or the same structure as JSON. Top-level tables hold for every
kind of row that it gives; a `[salary]`, `[demand]` or `[benchmark]` section adds to them.
"""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self

from pydantic import ValidationError

from app.core.errors import Refused
from app.domain.nearest import nearest
from app.ingest.fields import FIELDS, REQUIRED, ColumnRule, Kind, shortened
from app.ingest.rules import (
    FIELD_TABLES,
    ProfileDocument,
    Rules,
    SourceSpec,
    columns_read,
    merged,
)

if TYPE_CHECKING:
    import polars as pl

    from app.ingest.mapping import Mapped

_SHIPPED: Final = "profile_data"
_STATED_BY_CALLER: Final = {"source", "observed_on"}
"""Fields that a caller may state for a whole file."""


@dataclass(frozen=True)
class Profile:
    """A checked profile: rules by kind of row. `document` is what it was made from."""

    name: str
    sections: Mapping[Kind, Rules]
    source: SourceSpec | None = None
    document: Mapping[str, Any] | None = None

    @classmethod
    def identity(cls, kind: Kind) -> Self:
        """The profile of a body whose columns already have the names of the fields."""
        return cls("", {kind: Rules(columns={name: name for name in FIELDS[kind]})})

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], *, name: str = "") -> Self:
        """Check a parsed document. Raises Refused `invalid_profile` that says which key and why."""
        try:
            document = ProfileDocument.model_validate(mapping)
        except ValidationError as error:
            raise _refused(name, _first_problem(error)) from None
        sections = _sections(document, name)
        for kind, rules in sections.items():
            _check_fields(name, kind, rules)
        return cls(name, sections, document.source, MappingProxyType(dict(mapping)))

    @property
    def is_identity(self) -> bool:
        """Whether this is the default: fields under their own names, no other columns."""
        return self.document is None

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return tuple(self.sections)

    def with_defaults(self, **fields: str | None) -> Self:
        """The same profile, with a value for rows that state none (`source`, `observed_on`)."""
        given = {name: value for name, value in fields.items() if value is not None}
        sections = {
            kind: rules.model_copy(
                update={
                    "constants": rules.constants
                    | {name: value for name, value in given.items() if name in FIELDS[kind]}
                }
            )
            for kind, rules in self.sections.items()
        }
        return replace(self, sections=sections)

    def column_rule(self) -> ColumnRule:
        """Which columns a body may and must have: what the reader checks a header with."""
        if self.is_identity:
            ((kind, rules),) = self.sections.items()
            needed = [group for group in REQUIRED[kind] if not set(group) & set(rules.constants)]
            return ColumnRule(frozenset(FIELDS[kind]), tuple(needed))
        columns = {name for rules in self.sections.values() for name in columns_read(rules)}
        return ColumnRule(None, tuple((name,) for name in sorted(columns)))

    def apply(self, rows: "pl.DataFrame") -> "Mapped":
        """Rows of a chunk (with their numbers) as frames of fields, one for each kind."""
        from app.ingest.mapping import apply_profile

        source = self.source.code if self.source else None
        return apply_profile(self.sections, rows, source)


def load_profile(name_or_path: str) -> Profile:
    """A shipped profile by name, or a TOML file by path: for the command line only.

    Raises Refused: `unknown_profile` naming the nearest, `invalid_profile` saying which key.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml" and len(path.parts) == 1:
        return shipped_profile(name_or_path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Refused(
            f"The profile '{name_or_path}' cannot be read: {reason}.", code="unknown_profile"
        ) from None
    return parse_profile(text, name=path.stem)


def shipped_profile(name: str) -> Profile:
    """A profile that comes with the package. Raises Refused `unknown_profile`."""
    names = shipped_names()
    if name not in names:
        raise Refused(
            f"There is no profile '{shortened(name)}'; the nearest are: "
            f"{', '.join(nearest(name, names))}.",
            code="unknown_profile",
        )
    file = resources.files("app.ingest") / _SHIPPED / f"{name}.toml"
    return parse_profile(file.read_text(encoding="utf-8"), name=name)


def shipped_names() -> list[str]:
    """The names of the profiles that come with the package."""
    folder = resources.files("app.ingest") / _SHIPPED
    files = (entry.name for entry in folder.iterdir())
    return sorted(name.removesuffix(".toml") for name in files if name.endswith(".toml"))


def parse_profile(text: str, *, name: str) -> Profile:
    """A profile from TOML. Raises Refused `invalid_profile`."""
    try:
        mapping = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _refused(name, f"it is no TOML: {error}") from None
    return Profile.from_mapping(mapping, name=name)


def _sections(document: ProfileDocument, name: str) -> dict[Kind, Rules]:
    """The rules by kind, shared ones merged in. Raises Refused."""
    own: dict[Kind, Rules | None] = {kind: getattr(document, kind) for kind in FIELDS}
    kinds = [kind for kind in FIELDS if own[kind] is not None or document.kind == kind]
    if not kinds:
        raise _refused(name, "kind: say 'salary', 'demand' or 'benchmark', or give a section")
    for table in FIELD_TABLES:
        known = {field for kind in kinds for field in FIELDS[kind]}
        _check_names(name, table, getattr(document, table), known)
        for kind in kinds:
            section = getattr(own[kind] or Rules(), table)
            _check_names(name, f"{kind}.{table}", section, FIELDS[kind])
    return {kind: merged(document, own[kind] or Rules(), FIELDS[kind]) for kind in kinds}


def _check_names(name: str, table: str, keys: Collection[str], known: Collection[str]) -> None:
    for key in keys:
        if key not in known:
            near = ", ".join(nearest(key, sorted(known)))
            raise _refused(name, f"{table}.{key}: there is no such field; the nearest are: {near}")


def _check_fields(name: str, kind: Kind, rules: Rules) -> None:
    """Refuse maps without a value to map, and rows that could never be complete."""
    given = rules.columns.keys() | rules.constants.keys()
    for table in ("values", "scale"):
        for field in getattr(rules, table):
            if field not in given:
                raise _refused(name, f"{table}.{field}: no column gives the field '{field}'")
    for group in REQUIRED[kind]:
        if not given & {*group} and not _STATED_BY_CALLER & {*group}:
            wanted = " or ".join(f"'{field}'" for field in group)
            raise _refused(name, f"columns: {kind} rows need {wanted}")


def _first_problem(error: ValidationError) -> str:
    """The first thing that is wrong, as 'key: why'."""
    problem = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        names = [*ProfileDocument.model_fields, *SourceSpec.model_fields]
        return f"{key}: there is no such key; the nearest are: {', '.join(nearest(key, names))}"
    return f"{key}: {problem['msg']}"


def _refused(name: str, why: str) -> Refused:
    called = f"The profile '{shortened(name)}'" if name else "The profile"
    return Refused(f"{called} is not valid: {shortened(why, 300)}.", code="invalid_profile")
