"""The filters of every reading route: one frozen object from the query string to the WHERE.

`FilterParameters` is what a client may write (a route's own parameters extend it),
`parse_filters` checks all that needs no database, `build_conditions` gives the SQL. Which sources
may be seen is not decided here but in `population`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from pydantic import BaseModel, Field
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Date,
    Dialect,
    Integer,
    Text,
    and_,
    bindparam,
    false,
    true,
)
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.types import TypeEngine

from app.core.errors import Refused, UnknownValue
from app.domain.currencies import judge_currency
from app.domain.dates import ALL_TIME, Window, last_window, parse_window
from app.domain.nearest import nearest
from app.domain.vocabulary import EMPLOYMENT_TYPES, PAY_KINDS, SOURCE_KINDS, UNSPECIFIED, WORK_MODES
from app.tables import DemandRecord, SalaryRecord
from app.taxonomies.catalogue import Catalogue, Dimension, Entry

RecordTable = type[SalaryRecord] | type[DemandRecord]

_DIALECT: Final[Dialect] = asyncpg.dialect()  # type: ignore[no-untyped-call]
_TABLE: Final = re.compile(r"\b(?:salary_records|demand_records)\.")

MAX_CODES: Final = 500
"""Codes in one filter: a bound on the statement's length."""

VOCABULARIES: Final[Mapping[str, Mapping[str, int]]] = {
    "employment_type": EMPLOYMENT_TYPES,
    "work_mode": WORK_MODES,
    "pay_kind": PAY_KINDS,
    "source_kind": SOURCE_KINDS,
}


def _codes(about: str, *examples: str) -> Any:
    return Field(default=None, description=about, examples=list(examples))


class FilterParameters(BaseModel):
    """Which records count. Lists are comma-separated codes."""

    role: str | None = _codes("Roles.", "django-developer")
    region: str | None = _codes("Regions, each with everything under it.", "US", "US-CA,DE")
    exclude_region: str | None = _codes("Regions to leave out, with everything under them.")
    level: str | None = _codes("Levels of seniority.", "mid,senior")
    industry: str | None = _codes("Industries.", "fintech")
    employment_type: str | None = _codes("Employment types.", "full_time")
    work_mode: str | None = _codes("Work modes.", "remote,hybrid")
    pay_kind: str | None = _codes("Kinds of pay; `base,unspecified` where left out.", "total")
    source: str | None = _codes("Sources.", "ai-jobs")
    source_kind: str | None = _codes("Kinds of source.", "reported,posted")
    paid_in: str | None = _codes("Currencies that the pay was stated in.", "USD")
    from_: str | None = Field(
        default=None,
        alias="from",
        description="First month or day of the window, included.",
        examples=["2025-01"],
    )
    to: str | None = Field(
        default=None, description="Last month or day of the window, included.", examples=["2025-12"]
    )
    last: str | None = Field(
        default=None,
        description="Instead of from and to: the last 12m, 4q or 2y (UTC), the current included.",
        examples=["12m"],
    )


@dataclass(frozen=True, slots=True)
class Filters:
    """What was asked, as codes in alphabetical order without repetition; () is no filter.

    `last` is kept to be echoed: `window` is already resolved.
    """

    role: tuple[str, ...] = ()
    region: tuple[str, ...] = ()
    exclude_region: tuple[str, ...] = ()
    level: tuple[str, ...] = ()
    industry: tuple[str, ...] = ()
    employment_type: tuple[str, ...] = ()
    work_mode: tuple[str, ...] = ()
    pay_kind: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    source_kind: tuple[str, ...] = ()
    paid_in: tuple[str, ...] = ()
    window: Window = ALL_TIME
    last: str | None = None

    def role_ids(self, catalogue: Catalogue) -> frozenset[int] | None:
        """The roles asked for, None for all. Raises UnknownValue (422) naming the nearest."""
        return frozenset(_ids(catalogue.roles, self.role)) if self.role else None

    def echo(self) -> dict[str, Any]:
        """The filters as they are used, for `meta.query`: no entry for a filter that is not set.

        `from` and `to` are always there, null for an open side; `window` is 'all time' or null.
        """
        lists = {name: getattr(self, name) for name in LISTS}
        return {
            **{name: list(codes) for name, codes in lists.items() if codes},
            "from": self.window.first,
            "to": self.window.last,
            "last": self.last,
            "window": "all time" if self.window.is_open else None,
        }


LISTS: Final = (
    "role",
    "region",
    "exclude_region",
    "level",
    "industry",
    "employment_type",
    "work_mode",
    "pay_kind",
    "source",
    "source_kind",
    "paid_in",
)


def parse_filters(parameters: FilterParameters, today: date) -> Filters:
    """The filters, checked as far as that goes without the database.

    Raises UnknownValue for words outside the closed vocabularies and unknown currencies, Refused
    for empty values and windows that cannot be (all 422).
    """
    lists = {name: split_codes(name, getattr(parameters, name)) for name in LISTS}
    for name, words in VOCABULARIES.items():
        check_words(name, lists[name], words)
    lists["paid_in"] = tuple(_currency(code) for code in lists["paid_in"])
    return Filters(
        **{name: tuple(sorted(set(codes))) for name, codes in lists.items()},
        window=_window(parameters, today),
        last=parameters.last,
    )


def split_codes(name: str, text: str | None) -> tuple[str, ...]:
    """The codes of one comma-separated value; () where it was not given.

    Raises Refused (422) for an empty value, an empty part, and more than MAX_CODES.
    """
    if text is None:
        return ()
    codes = tuple(part.strip() for part in text.split(","))
    if not all(codes):
        raise Refused(
            f"{name} holds an empty value; leave the parameter out, or give it codes.",
            code="empty_value",
            parameter=name,
        )
    if len(codes) > MAX_CODES:
        raise Refused(
            f"{name} holds {len(codes)} codes; at most {MAX_CODES} are allowed.",
            code="too_many_values",
            parameter=name,
        )
    return codes


def check_words(name: str, words: Iterable[str], known: Iterable[str]) -> None:
    """Raise UnknownValue (422), naming the nearest, for the first word that is not known."""
    choices = list(known)
    for word in words:
        if word not in choices:
            close = nearest(word, choices)
            raise UnknownValue(
                f"{name} {word[:80]!r} is not known. Nearest: {', '.join(close)}. "
                f"All: {', '.join(choices)}.",
                code=f"unknown_{name}",
                parameter=name,
                nearest=close,
            )


def _currency(code: str) -> str:
    verdict = judge_currency(code)
    if not verdict.known:
        raise UnknownValue(
            f"paid_in: {verdict.message}.",
            code="unknown_currency",
            parameter="paid_in",
            nearest=list(verdict.nearest),
        )
    return verdict.code


def _window(parameters: FilterParameters, today: date) -> Window:
    first, final, last = parameters.from_, parameters.to, parameters.last
    if last is not None and (first is not None or final is not None):
        raise Refused(
            "last cannot be combined with from and to; give one or the other.",
            code="invalid_window",
            parameter="last",
        )
    for name, text in (("from", first), ("to", final), ("last", last)):
        split_codes(name, text)  # an empty value is refused like any other
    try:
        return parse_window(first, final) if last is None else last_window(last, today)
    except ValueError as error:
        raise Refused(f"The window is not valid: {error}.", code="invalid_window") from None


def build_conditions(
    filters: Filters, catalogue: Catalogue, table: RecordTable
) -> list[ColumnElement[bool]]:
    """WHERE conditions for every filter except the window and the sources.

    A dimension that demand records do not have is `unspecified` in all of them. Raises
    UnknownValue (422) naming the nearest codes.
    """
    conditions = [
        *_among(table, "role_id", _ids(catalogue.roles, filters.role)),
        *_among(table, "level_id", _ids(catalogue.levels, filters.level)),
        *_among(table, "industry_id", _ids(catalogue.industries, filters.industry)),
        *_regions(filters, catalogue, table),
    ]
    for name in ("employment_type", "work_mode", "pay_kind"):
        words = getattr(filters, name)
        codes = [VOCABULARIES[name][word] for word in words]
        if hasattr(table, name):
            conditions += _among(table, name, codes)
        elif words and UNSPECIFIED not in words:
            conditions.append(false())
    if filters.paid_in:
        conditions.append(_paid_in(filters, table))
    return conditions


def _ids(dimension: Dimension[Any], codes: Iterable[str]) -> list[int]:
    entries: list[Entry] = [dimension.get(code) for code in codes]
    return [entry.id for entry in entries]


def _among(table: RecordTable, column: str, ids: Iterable[int]) -> list[ColumnElement[bool]]:
    wanted = sorted(set(ids))
    return [getattr(table, column).in_(known_values(wanted))] if wanted else []


def known_values(values: Sequence[Any], kind: TypeEngine[Any] | None = None) -> BindParameter[Any]:
    """A list for IN that is written into the statement, so that the planner knows its values.

    With parameters of a prepared statement it would plan for lists and dates of any kind. The
    compiled statement is still shared by all lists.
    """
    return bindparam(
        None, list(values), kind or Integer(), expanding=True, literal_execute=True, unique=True
    )


def _regions(
    filters: Filters, catalogue: Catalogue, table: RecordTable
) -> list[ColumnElement[bool]]:
    wanted = regions_under(catalogue, filters.region)
    unwanted = regions_under(catalogue, filters.exclude_region, "exclude_region")
    if filters.region:
        inside = wanted - unwanted
        return _among(table, "region_id", inside) or [false()]
    if filters.exclude_region:
        return [table.region_id.not_in(known_values(sorted(unwanted)))]
    return []


def regions_under(
    catalogue: Catalogue, codes: Iterable[str], parameter: str = "region"
) -> frozenset[int]:
    """Ids of the regions with those codes and of everything under them.

    Raises UnknownValue (422) naming the parameter and the nearest codes.
    """
    roots = frozenset(catalogue.regions.get(code, parameter).id for code in codes)
    if not roots:
        return roots
    return (
        frozenset(
            region.id for region in catalogue.regions if not roots.isdisjoint(region.ancestors)
        )
        | roots
    )


def _paid_in(filters: Filters, table: RecordTable) -> ColumnElement[bool]:
    if not hasattr(table, "currency"):
        return false()
    return SalaryRecord.currency.in_(known_values(filters.paid_in, Text()))


def inside(table: RecordTable, window: Window) -> ColumnElement[bool]:
    """Whether the whole precision interval of a record lies in the window."""
    conditions: list[ColumnElement[bool]] = []
    if window.first is not None:
        conditions.append(table.observed_on >= known_date(window.first))
    if window.last is not None:
        conditions.append(table.observed_until <= known_date(window.last))
    return and_(*conditions) if conditions else true()


def touches(table: RecordTable, window: Window) -> ColumnElement[bool]:
    """Whether the precision interval of a record and the window have a day in common."""
    conditions: list[ColumnElement[bool]] = []
    if window.first is not None:
        # No interval is longer than a calendar year: so much an index on observed_on can use.
        conditions.append(table.observed_on >= known_date(window.first.replace(month=1, day=1)))
        conditions.append(table.observed_until >= known_date(window.first))
    if window.last is not None:
        conditions.append(table.observed_on <= known_date(window.last))
    return and_(*conditions) if conditions else true()


def sql_of(conditions: Sequence[ColumnElement[bool]]) -> str:
    """Conditions as text with their values in it, the records called `r`.

    For statements that are composed as text. Values are escaped by the driver's rules.
    """
    compiled = and_(true(), *conditions).compile(
        dialect=_DIALECT, compile_kwargs={"literal_binds": True, "render_postcompile": True}
    )
    return _TABLE.sub("r.", str(compiled))


def known_date(day: date) -> BindParameter[date]:
    """A date that is written into the statement, as in `known_values`."""
    return bindparam(None, day, Date(), literal_execute=True, unique=True)
