"""The one place that decides which records may be seen.

Public sources only. Demo sources count only while no other public source holds a record, or where
they are named. The decision is read from the database in the snapshot of the answer, not from the
cached taxonomies, so that a source which has just become confidential is gone at once.
"""

from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import ColumnElement, false, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.errors import ConfidentialSource
from app.domain.vocabulary import SOURCE_KINDS
from app.statistics.filters import Filters, RecordTable, known_values
from app.taxonomies.catalogue import Catalogue

DEFAULT_PAY_KINDS: Final = ("base", "unspecified")
"""Base and total pay are never mixed unasked."""

# The earliest record of a source is one look into the index; EXISTS may scan the table instead.
_SOURCES: Final = text(
    "SELECT s.id, s.kind, s.confidential, s.demo,"
    " NOT s.confidential AND NOT s.demo AND coalesce("
    "(SELECT min(r.observed_on) FROM salary_records r WHERE r.source_id = s.id), "
    "(SELECT min(r.observed_on) FROM demand_records r WHERE r.source_id = s.id)"
    ") IS NOT NULL AS holds"
    " FROM sources s ORDER BY s.id"
)


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


async def decide_population(
    session: AsyncSession, catalogue: Catalogue, filters: Filters
) -> Population:
    """The public records that the filters may reach.

    Raises UnknownValue for an unknown source, ConfidentialSource for one that is named and
    confidential (both 422).
    """
    named = {catalogue.sources.get(code).id: code for code in filters.source}
    kinds = {SOURCE_KINDS[word] for word in filters.source_kind}
    sources = (await session.execute(_SOURCES)).all()
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
