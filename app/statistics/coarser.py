"""The nearest coarser question that has data, offered where the one that was asked has none.

It is named in `meta` and never answered in place of the other.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from anyio import to_thread

from app.domain.dates import ALL_TIME
from app.statistics.cell_reading import find_entries
from app.statistics.filters import Filters, RecordTable, build_conditions, inside, sql_of
from app.statistics.grouping import NO_GROUPS, Grouping
from app.statistics.reading import Reading
from app.statistics.statement import Question, salaries_sql, value_sql
from app.tables import SalaryRecord
from app.taxonomies.catalogue import Catalogue, Dimension, RegionEntry

DETAILS: Final = ("industry", "employment_type", "work_mode")
"""Filters that are given up after level and region, and before the window."""

_COLUMNS: Final = {
    "level": "level_id",
    "region": "region_id",
    "industry": "industry_id",
    "employment_type": "employment_type",
    "work_mode": "work_mode",
}
DROPPED: Final = tuple(_COLUMNS)
"""Filters that a coarser question may lack."""


async def find_nearest(
    reading: Reading, records: int = 0, grouping: Grouping = NO_GROUPS, kept: str | None = None
) -> dict[str, Any] | None:
    """For `meta.nearest`: the filters of the nearest coarser question that has records, what in
    them differs from those asked (None: dropped), and how many records it has.

    `kept` names a filter that is not given up, and not told of. None where the answer has
    `records`, where no coarser question has any, and for releases, whose hidden and empty nodes
    look alike. What matches the filters that are never given up (role, source, pay kind, currency)
    is read once: its cells, else the records.
    """
    question = reading.question
    if records or question.basis.population != "live":
        return None
    candidates = [
        candidate
        for candidate in coarser_filters(question.filters, question.catalogue.regions)
        if kept is None or getattr(candidate, kept) == getattr(question.filters, kept)
    ]
    if not candidates:
        return None
    counts = await count_in_cells(reading, candidates, grouping)
    if counts is None:
        counts = await count_in_records(reading, candidates, grouping)
    return first_offer(question.filters, candidates, counts, kept)


async def count_in_records(
    reading: Reading, candidates: Sequence[Filters], grouping: Grouping
) -> Sequence[int]:
    """For each candidate how many of the records it has."""
    connection = await reading.session.connection()
    statement = build_counts(reading.question, candidates, grouping)
    found: Sequence[int] = (await connection.exec_driver_sql(statement)).one()
    return found


async def count_in_cells(
    reading: Reading, candidates: Sequence[Filters], grouping: Grouping
) -> Sequence[int] | None:
    """As `count_in_records` up to the first candidate that has any, and 0 for those after it.

    None where cells cannot be used.
    """
    from app.statistics.entries import first_count

    question = reading.question
    wide = replace(reading, question=replace(question, filters=widest(question.filters)))
    strings = ("amounts", "places", *(("paid",) if question.native else ()))
    entries = await find_entries(wide, strings)
    if entries is None:
        return None
    questions = [replace(question, filters=candidate) for candidate in candidates]
    return await to_thread.run_sync(first_count, questions, entries, grouping)


def coarser_filters(filters: Filters, regions: Dimension[RegionEntry]) -> list[Filters]:
    """The coarser questions in the order in which they are offered, each once.

    All levels; the parent regions step by step up to none; both; then the same without industry,
    employment type and work mode (one of them, then all); then all of that for all time.
    """
    found: dict[Filters, None] = {}
    for base in (filters, replace(filters, window=ALL_TIME, last=None)):
        found |= dict.fromkeys(_wider_places(base, regions))
        for name in DETAILS:
            found[_without(base, name)] = None
        found |= dict.fromkeys(_wider_places(_without(base, *DETAILS), regions))
    found.pop(filters, None)
    return list(found)


def _wider_places(base: Filters, regions: Dimension[RegionEntry]) -> Iterator[Filters]:
    """`base`; at all levels; in its parent regions up to none; there at all levels."""
    steps = [base]
    while steps[-1].region:
        steps.append(replace(base, region=parent_regions(steps[-1].region, regions)))
    yield base
    yield _without(base, "level")
    yield from steps[1:]
    yield from (_without(step, "level") for step in steps[1:])


def _without(filters: Filters, *names: str) -> Filters:
    dropped: dict[str, Any] = dict.fromkeys(names, ())
    return replace(filters, **dropped)


def parent_regions(codes: Sequence[str], regions: Dimension[RegionEntry]) -> tuple[str, ...]:
    """The codes of the parents, without those that lie in another of them.

    A region at the top waits for the others; () once all of them are there.
    """
    entries = [regions.get(code) for code in codes]
    if all(entry.parent_id is None for entry in entries):
        return ()
    lifted = {entry.id if entry.parent_id is None else entry.parent_id for entry in entries}
    outermost = (id for id in lifted if lifted.isdisjoint({*regions.by_id[id].ancestors} - {id}))
    return tuple(sorted(regions.by_id[id].code for id in outermost))


@dataclass(frozen=True, slots=True)
class Reach:
    """What all candidates together reach: FROM and WHERE of the records `r` of a table.

    `value` is SQL that is not null for those that would enter figures in their window.
    """

    table: RecordTable
    value: str
    records: str


def widest(filters: Filters) -> Filters:
    """What all coarser questions lie in."""
    return replace(_without(filters, *DROPPED), window=ALL_TIME)


def build_counts(question: Question, candidates: Sequence[Filters], grouping: Grouping) -> str:
    """SQL for one row: for each candidate the records that it would make figures of."""
    wide = replace(question, filters=widest(question.filters))
    reach = Reach(SalaryRecord, value_sql(wide, grouping), salaries_sql(wide, grouping))
    return counts_sql(question.filters, question.catalogue, candidates, reach)


def counts_sql(
    asked: Filters, catalogue: Catalogue, candidates: Sequence[Filters], reach: Reach
) -> str:
    """SQL for one row: for each candidate how many of the records it has.

    What all candidates together reach is counted by the columns that were filtered and by lying in
    the window; a candidate adds up its part of these groups.
    """
    placed = sql_of([inside(reach.table, asked.window)])
    keys = [
        f"r.{column}"
        for name, column in _COLUMNS.items()
        if getattr(asked, name) and hasattr(reach.table, column)
    ]
    value = reach.value
    counts = f"count({value}) AS ever", f"count({value}) FILTER (WHERE {placed}) AS within"
    by = f"GROUP BY {', '.join(keys)}" if keys else ""
    reached = ("SELECT", ", ".join((*keys, *counts)), reach.records, by)
    sums = ", ".join(_sum(catalogue, candidate, reach.table) for candidate in candidates)
    table = f"WITH reached AS MATERIALIZED ({' '.join(reached)})"
    return " ".join((table, "SELECT", sums, "FROM reached AS r"))


def _sum(catalogue: Catalogue, candidate: Filters, table: RecordTable) -> str:
    narrowing = Filters(**{name: getattr(candidate, name) for name in DROPPED})
    condition = sql_of(build_conditions(narrowing, catalogue, table))
    counted = "ever" if candidate.window.is_open else "within"
    return f"coalesce(sum(r.{counted}) FILTER (WHERE {condition}), 0)::bigint"


def first_offer(
    asked: Filters, candidates: Sequence[Filters], counts: Iterable[int], kept: str | None = None
) -> dict[str, Any] | None:
    """The first candidate that has records, as `meta.nearest` shows it; `kept` is left out."""
    for candidate, count in zip(candidates, counts, strict=True):
        if count:
            query = {name: used for name, used in candidate.echo().items() if name != kept}
            return {"query": query, "changed": _changes(asked, candidate), "records": count}
    return None


def _changes(asked: Filters, used: Filters) -> dict[str, Any]:
    """The filters of `used` that differ from those `asked`: codes as a list, None for dropped."""
    differing: dict[str, Any] = {
        item.name: list(getattr(used, item.name)) or None
        for item in fields(Filters)
        if item.name not in {"window", "last"}
        and getattr(asked, item.name) != getattr(used, item.name)
    }
    if asked.window == used.window:
        return differing
    window = {"from": used.window.first, "to": used.window.last}
    return {**differing, **window, **({} if asked.last is None else {"last": used.last})}
