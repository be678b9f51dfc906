"""The one place that decides which records may be seen, or which release of those that may not.

Live: public sources only. Demo sources count only while no other public source holds a record, or
where they are named. The decision is read from the database in the snapshot of the answer, not from
the cached taxonomies, so that a source which has just become confidential is gone at once.
Released: no records at all, but the newest release of all confidential sources together, or of a
public source that was released.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, false, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.errors import ConfidentialSource, Refused
from app.core.versions import READ_VERSIONS, Versions, versions_of
from app.domain.vocabulary import SOURCE_KINDS
from app.statistics.filters import Filters, RecordTable, known_values
from app.taxonomies.catalogue import Catalogue

DEFAULT_PAY_KINDS: Final = ("base", "unspecified")
"""Base and total pay are never mixed unasked."""

# The earliest record of a source is one look into the index; EXISTS may scan the table instead.
_EVERY_SOURCE: Final = (
    "SELECT s.id, s.kind, s.confidential, s.demo,"
    " NOT s.confidential AND NOT s.demo AND coalesce("
    "(SELECT min(r.observed_on) FROM salary_records r WHERE r.source_id = s.id), "
    "(SELECT min(r.observed_on) FROM demand_records r WHERE r.source_id = s.id)"
    ") IS NOT NULL AS holds"
    " FROM sources s ORDER BY s.id"
)
_SOURCES: Final = text(_EVERY_SOURCE)
_GROUND: Final = (
    "SELECT v.*, s.* FROM (SELECT array_agg(id) AS source_ids, array_agg(kind) AS kinds,"  # noqa: S608 - names of ours
    " array_agg(confidential) AS confidential, array_agg(demo) AS demo, array_agg(holds) AS holds"
    f" FROM ({_EVERY_SOURCE}) AS s) AS s, ({READ_VERSIONS}) AS v"
)


@dataclass(frozen=True, slots=True)
class SourceState:
    """What decides whether a source's records are seen; `holds`: public ones that are no demo."""

    id: int
    kind: int
    confidential: bool
    demo: bool
    holds: bool


@dataclass(frozen=True, slots=True)
class Population:
    """The sources whose records an answer is made of, narrowed by `source` and `source_kind`.

    `demo_ids` are those of them that hold synthetic data.
    """

    source_ids: tuple[int, ...]
    demo_ids: frozenset[int]

    def condition(self, table: RecordTable) -> ColumnElement[bool]:
        """The WHERE condition on salary or demand records. Every reading statement needs it."""
        if not self.source_ids:
            return false()
        return table.source_id.in_(known_values(self.source_ids))


async def read_ground(session: AsyncSession) -> tuple[Versions, list[SourceState]]:
    """The versions and all sources of the session's snapshot, in one round trip."""
    connection = await session.connection()
    row = (await connection.exec_driver_sql(_GROUND)).mappings().one()
    columns = ("source_ids", "kinds", "confidential", "demo", "holds")
    # Where there are no sources, the arrays are null.
    values = zip(*(row[column] or () for column in columns), strict=True)
    return versions_of(row), [SourceState(*of_source) for of_source in values]


async def decide_population(
    session: AsyncSession, catalogue: Catalogue, filters: Filters
) -> Population:
    """`population_of` the sources of the session's snapshot."""
    sources = [SourceState(*row) for row in await session.execute(_SOURCES)]
    return population_of(sources, catalogue, filters)


def population_of(
    sources: Sequence[SourceState], catalogue: Catalogue, filters: Filters
) -> Population:
    """The public records that the filters may reach.

    Raises UnknownValue for an unknown source, ConfidentialSource for one that is named and
    confidential (both 422).
    """
    named = {catalogue.sources.get(code).id: code for code in filters.source}
    kinds = {SOURCE_KINDS[word] for word in filters.source_kind}
    refused = sorted(named[row.id] for row in sources if row.confidential and row.id in named)
    if refused:
        raise ConfidentialSource(
            f"{', '.join(refused)}: records of a confidential source enter no live answer. "
            "Leave it out of source=.",
            parameter="source",
        )
    real_data = any(row.holds for row in sources)
    seen = [
        row
        for row in sources
        if not row.confidential
        and (row.id in named if named else not (row.demo and real_data))
        and (not kinds or row.kind in kinds)
    ]
    return Population(tuple(row.id for row in seen), frozenset(row.id for row in seen if row.demo))


def with_default_pay_kind(filters: Filters) -> Filters:
    """The filters of a salary statistic: `pay_kind` is base and unspecified where not asked."""
    return filters if filters.pay_kind else replace(filters, pay_kind=DEFAULT_PAY_KINDS)


NO_RECORDS: Final = Population((), frozenset())
"""What a question about a release may see of the records themselves."""

CONFIDENTIAL_SERIES: Final = 0
"""The series of releases of all confidential sources together."""

_NEWEST: Final = text(
    "SELECT r.id, r.made_at, r.through, r.base_currency, r.source_ids, r.policy,"
    " CASE WHEN r.series > 0 OR r.scope_id = ANY(r.source_ids) THEN s.code END AS source"
    " FROM releases r LEFT JOIN sources s ON s.id = coalesce(r.scope_id, nullif(r.series, 0))"
    " WHERE r.series = :series ORDER BY r.number DESC LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Release:
    """A release that answers are read from.

    `source` is the code of the source that it was made of alone, None for all confidential ones;
    `through` the last day of its population; `source_ids` have figures of their own in it.
    """

    id: int
    source: str | None
    made_at: datetime
    through: date
    base_currency: str
    source_ids: tuple[int, ...]
    policy: Mapping[str, Any]

    def describe(self) -> dict[str, Any]:
        """For `meta.release`."""
        names = ("id", "source", "made_at", "through", "base_currency")
        return {**{name: getattr(self, name) for name in names}, "policy": dict(self.policy)}


async def decide_release(
    session: AsyncSession, sources: Sequence[SourceState], catalogue: Catalogue, filters: Filters
) -> Release:
    """The newest release of the source that is named, or of all confidential ones.

    Raises UnknownValue for an unknown source, Refused for several and where there is no release
    (all 422).
    """
    if len(filters.source) > 1:
        raise Refused(
            "population=released takes one source, or none for all confidential ones together.",
            code="not_in_release",
            parameter="source",
        )
    series = CONFIDENTIAL_SERIES
    confidential = {source.id for source in sources if source.confidential}
    for code in filters.source:
        source_id = catalogue.sources.get(code).id
        if source_id not in confidential:
            series = source_id
    row = (await session.execute(_NEWEST, {"series": series})).one_or_none()
    if row is None:
        about = f"source {filters.source[0]}" if series else "the confidential sources"
        raise Refused(
            f"There is no release of {about} yet; an administrator makes one with "
            "`payband release`.",
            code="no_releases",
            parameter="population",
        )
    return Release(**{**row._mapping, "source_ids": tuple(row.source_ids)})
