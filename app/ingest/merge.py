"""SQL that merges a staged chunk into records.

Two statements, not one: identities first, in the order of their key, then the records. Under READ
COMMITTED a statement sees what was committed when it began. One that waited for another writer's
identity row would still not see the record which that writer moved to another role, and would
leave it standing beside its own. The second statement begins when all identities of the chunk are
locked, so it sees every record that belongs to them, and nobody else can move one.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

from sqlalchemy import TextClause, text
from sqlalchemy.exc import IntegrityError

from app.cells.writing import CELL_COLUMNS, cells_sql, columns_sql, entries_sql
from app.core.database import WriteSession
from app.domain.money import FTE_FREE_PERIODS, PERIODS_PER_YEAR, ROUNDING_DECIMALS
from app.domain.vocabulary import PAY_PERIODS
from app.ingest.staging import (
    BENCHMARK_COLUMNS,
    DEMAND,
    SALARIES,
    STAGED_BENCHMARKS,
    RecordTables,
    benchmark_definition,
    copy_rows,
    prepare_tables,
)


@dataclass(frozen=True)
class Merged:
    """What one merge did. `role_ids`: roles whose public records changed, before or after.

    `moved_dates`: a demand record now counts for another date than before.
    """

    inserted: int
    updated: int
    role_ids: frozenset[int] = frozenset()
    moved_dates: bool = False


NOTHING: Final = Merged(0, 0)

IDENTITY_COLUMNS: Final = (
    "source_id, key, record_id, content_hash, role_id, previous_role_id, changed_import_id"
)


@dataclass(frozen=True)
class MergeStatements:
    """The statements for one kind of record."""

    identities_new: TextClause
    insert_new: TextClause
    summary_new: TextClause
    identities: TextClause
    summary: TextClause
    replace: TextClause
    insert_any: TextClause
    moved_dates: TextClause


@dataclass(frozen=True)
class MergeRequest:
    """Which import writes, which sources are confidential, and whether all rows are probably new:
    then they are inserted without looking first, at a third less cost."""

    import_id: int
    confidential: frozenset[int]
    probably_new: bool = False

    @property
    def values(self) -> dict[str, object]:
        return {"import_id": self.import_id}

    @property
    def hidden(self) -> dict[str, object]:
        return {"confidential": sorted(self.confidential)}


async def merge_records(
    session: WriteSession, tables: RecordTables, rows: bytes, request: MergeRequest
) -> Merged:
    """Copy rows made by `copy_bytes(frame, tables.copied)` and merge them. No key twice in one
    call. Every (source, key) ends with exactly one record, whoever else writes it meanwhile."""
    statements = build_statements(tables)
    await prepare_tables(session, tables.definitions, tables.temporary)
    await copy_rows(session, tables.staged, tables.copied, rows)
    if request.probably_new:
        merged = await _insert_all(session, statements, request)
        if merged is not None:
            return merged
    await session.execute(statements.identities, request.values)
    found = (await session.execute(statements.summary, request.hidden)).one()
    if found.written == 0:
        return NOTHING
    updated = found.written - found.inserted
    if updated:
        await session.execute(statements.replace)
    await session.execute(statements.insert_any, request.values)
    moved = False
    if updated and tables is DEMAND:
        moved = bool(await session.scalar(statements.moved_dates))
    return Merged(found.inserted, updated, frozenset(found.roles or ()), moved)


async def _insert_all(
    session: WriteSession, statements: MergeStatements, request: MergeRequest
) -> Merged | None:
    """Insert every row as a new one; None, with nothing done, where one is not."""
    try:
        async with session.begin_nested():
            await session.execute(statements.identities_new, request.values)
    except IntegrityError:
        return None
    await session.execute(statements.insert_new, request.values)
    found = (await session.execute(statements.summary_new, request.hidden)).one()
    return Merged(found.inserted, 0, frozenset(found.roles or ()))


@cache
def build_statements(tables: RecordTables) -> MergeStatements:
    """Names are constants of this program; values are bound."""
    names = {
        "records": tables.records,
        "identities": tables.identities,
        "staged": tables.staged,
        "merged": tables.merged,
        "replaced": tables.replaced,
        "kept": ", ".join(f"r.{name}" for name in ("record_id", "import_id", *tables.kept)),
    }
    return MergeStatements(
        identities_new=text(_IDENTITIES_NEW.format(**names)),
        insert_new=text(_build_insert_new(tables).format(**names)),
        summary_new=text(_SUMMARY_NEW.format(**names)),
        identities=text(_IDENTITIES.format(**names)),
        summary=text(_SUMMARY.format(**names)),
        replace=text(_REPLACE.format(**names)),
        insert_any=text(_build_insert_any(tables).format(**names)),
        moved_dates=text(_MOVED_DATES.format(**names)),
    )


_IDENTITIES_NEW: Final = """
INSERT INTO {identities} (
  source_id, key, record_id, content_hash, role_id, previous_role_id, changed_import_id)
SELECT source_id, key, record_id, content_hash, role_id, role_id, :import_id
FROM {staged} ORDER BY source_id, key
"""

_SUMMARY_NEW: Final = """
SELECT count(*) AS inserted, (SELECT array_agg(role_id) FROM (SELECT DISTINCT role_id
  FROM {staged} WHERE source_id <> ALL (CAST(:confidential AS int[]))) AS s) AS roles FROM {staged}
"""

_IDENTITIES: Final = """
WITH written AS (
  INSERT INTO {identities} AS i (
    source_id, key, record_id, content_hash, role_id, previous_role_id, changed_import_id)
  SELECT source_id, key, record_id, content_hash, role_id, role_id, :import_id
  FROM {staged} ORDER BY source_id, key
  ON CONFLICT (source_id, key) DO UPDATE SET
    previous_role_id = i.role_id, role_id = excluded.role_id,
    content_hash = excluded.content_hash, changed_import_id = excluded.changed_import_id
  WHERE i.content_hash <> excluded.content_hash OR i.role_id <> excluded.role_id
  RETURNING source_id, key, record_id, role_id, previous_role_id)
INSERT INTO {merged} (staged_id, record_id, source_id, role_id, previous_role_id, is_new)
SELECT s.record_id, w.record_id, w.source_id, w.role_id, w.previous_role_id,
  w.record_id = s.record_id
FROM written w JOIN {staged} s ON s.source_id = w.source_id AND s.key = w.key
"""

_SUMMARY: Final = """
SELECT count(*) FILTER (WHERE is_new) AS inserted, count(*) AS written,
  (SELECT array_agg(role_id) FROM (
    SELECT role_id FROM {merged} WHERE source_id <> ALL (CAST(:confidential AS int[]))
    UNION SELECT previous_role_id FROM {merged}
      WHERE source_id <> ALL (CAST(:confidential AS int[]))) AS r) AS roles
FROM {merged}
"""

_REPLACE: Final = """
WITH gone AS (
  DELETE FROM {records} r USING {merged} m
  WHERE NOT m.is_new AND r.role_id = m.previous_role_id AND r.record_id = m.record_id
  RETURNING {kept})
INSERT INTO {replaced} SELECT * FROM gone
"""

_MOVED_DATES: Final = """
SELECT EXISTS (
  SELECT FROM {replaced} r JOIN {merged} m ON m.record_id = r.record_id
  JOIN {staged} s ON s.record_id = m.staged_id WHERE r.observed_on <> s.observed_on)
"""

_FIRST_SEEN: Final = ("observed_on", "observed_until", "precision")
# A less precise date that holds the known day says nothing of an earlier one.
_IS_KEPT: Final = (
    "(s.span AND (r.observed_on < s.observed_on"
    " OR (s.precision > r.precision AND r.observed_on <= s.observed_until)))"
)
# The price of a posting is that of the day on which it was first seen. Where the new row is in
# the base currency there is none; where the currency changed, `payband rates` will find it.
_IS_CARRIED: Final = f"({_IS_KEPT} AND (s.rate_pending OR s.rate IS NOT NULL))"
_SAME_RATE: Final = "(r.currency = s.currency AND r.rate IS NOT NULL)"


def _build_insert_new(tables: RecordTables) -> str:
    """Insert all staged rows, and what they add to the cells."""
    insert = _build_insert(tables, onto_old=False)
    if tables is not SALARIES:
        return insert
    return f"WITH came AS ({insert}) {cells_sql(entries_sql('{staged}'))}"


def _build_insert_any(tables: RecordTables) -> str:
    """Insert what was merged, and what it and the replaced records change in the cells."""
    insert = _build_insert(tables, onto_old=True)
    if tables is not SALARIES:
        return insert
    # Compared as they are stored: most sightings of a posting change nothing that cells hold.
    same = f"ROW({columns_sql('c')})::record *= ROW({columns_sql('r')})::record"
    new = f"FROM came c LEFT JOIN {{replaced}} r USING (record_id) WHERE NOT {same}"
    old = f"FROM {{replaced}} r JOIN came c USING (record_id) WHERE NOT {same}"
    changes = (
        f"SELECT {columns_sql('c')}, false AS withdrawn {new}"
        f" UNION ALL SELECT {columns_sql('r')}, true {old}"
    )
    returned = f"RETURNING record_id, {', '.join(CELL_COLUMNS)}"
    return f"WITH came AS ({insert} {returned}) {cells_sql(changes)}"


def _build_insert(tables: RecordTables, *, onto_old: bool) -> str:
    """Every column from the staged row; a replaced record decides what a span source keeps."""
    values = {name: f"s.{name}" for name in tables.columns}
    record_id, inserted_by, joined = "s.record_id", ":import_id", "{staged} s"
    if onto_old:
        values |= {
            name: f"CASE WHEN {_IS_KEPT} THEN r.{name} ELSE s.{name} END" for name in _FIRST_SEEN
        }
        if tables is SALARIES:
            values |= _carried_prices()
        record_id, inserted_by = "m.record_id", "coalesce(r.import_id, :import_id)"
        joined = (
            "{merged} m JOIN {staged} s ON s.record_id = m.staged_id"
            " LEFT JOIN {replaced} r ON r.record_id = m.record_id"
        )
    names, made = ", ".join(values), ", ".join(values.values())
    return (
        "INSERT INTO {records} (role_id, source_id, record_id, key, import_id, changed_import_id,"  # noqa: S608 - names are constants of this program
        f" {names}) SELECT s.role_id, s.source_id, {record_id}, s.key, CAST({inserted_by} AS int),"
        f" CAST(:import_id AS int), {made} FROM {joined}"
    )


def _carried_prices() -> dict[str, str]:
    """Pay of a posting seen again, at the rate of the day on which it was first seen."""
    periods = " ".join(
        f"WHEN {PAY_PERIODS[word]} THEN {count}" for word, count in PERIODS_PER_YEAR.items()
    )
    free = ", ".join(str(PAY_PERIODS[word]) for word in sorted(FTE_FREE_PERIODS))
    factor = (
        f"(CASE s.pay_period {periods} END * r.rate"
        f" / CASE WHEN s.pay_period IN ({free}) THEN 1 ELSE s.fte::float8 END)"
    )
    amounts = {
        "annual_low": "s.amount_min::float8",
        "annual_high": "s.amount_max::float8",
        "annual_amount": "(s.amount_min + s.amount_max)::float8 / 2",
    }
    carried = {
        name: f"round(round(({amount} * {factor})::numeric, {ROUNDING_DECIMALS}))::int"
        for name, amount in amounts.items()
    } | {"rate": "r.rate", "rate_on": "r.rate_on"}
    found = {
        name: f"CASE WHEN NOT coalesce({_IS_CARRIED}, false) THEN s.{name}"
        f" WHEN {_SAME_RATE} THEN {value} END"
        for name, value in carried.items()
    }
    pending = f"CASE WHEN {_IS_CARRIED} THEN NOT {_SAME_RATE} ELSE s.rate_pending END"
    seen = "CASE WHEN s.span THEN greatest(r.last_seen_on, s.last_seen_on) ELSE s.last_seen_on END"
    return found | {"rate_pending": pending, "last_seen_on": seen}


_BENCHMARK_IDENTITY: Final = (
    *("source_id", "role_id", "soc", "region_id", "level_id", "industry_id"),
    *("period", "pay_period"),
)
_BENCHMARK_FIGURES: Final = tuple(
    name for name in BENCHMARK_COLUMNS if name not in _BENCHMARK_IDENTITY
)


@cache
def build_benchmark_merge() -> TextClause:
    """Insert or correct staged benchmarks, in the order of their identity; counts."""
    names, identity = ", ".join(BENCHMARK_COLUMNS), ", ".join(_BENCHMARK_IDENTITY)
    changes = ", ".join(f"{name} = excluded.{name}" for name in _BENCHMARK_FIGURES)
    old = ", ".join(f"b.{name}" for name in _BENCHMARK_FIGURES)
    new = ", ".join(f"excluded.{name}" for name in _BENCHMARK_FIGURES)
    return text(
        f"WITH written AS (INSERT INTO benchmarks AS b ({names}, import_id, changed_import_id)"  # noqa: S608 - names are constants
        f" SELECT {names}, :import_id, :import_id FROM {STAGED_BENCHMARKS} ORDER BY {identity}"
        f" ON CONFLICT ({identity}) DO UPDATE SET {changes},"
        " changed_import_id = excluded.changed_import_id"
        f" WHERE ({old}) IS DISTINCT FROM ({new})"
        " RETURNING xmax = 0 AS is_new)"
        " SELECT count(*) FILTER (WHERE is_new) AS inserted,"
        " count(*) FILTER (WHERE NOT is_new) AS updated FROM written"
    )


async def merge_benchmarks(session: WriteSession, rows: bytes, import_id: int) -> Merged:
    """Copy rows made by `copy_bytes(frame, BENCHMARK_COLUMNS)` and merge them."""
    await prepare_tables(session, [benchmark_definition()], [STAGED_BENCHMARKS])
    await copy_rows(session, STAGED_BENCHMARKS, BENCHMARK_COLUMNS, rows)
    found = (await session.execute(build_benchmark_merge(), {"import_id": import_id})).one()
    return Merged(found.inserted, found.updated)
