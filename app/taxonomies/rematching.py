"""Stored titles against the current aliases, and records after their titles.

Records whose role or level came from their title follow it; what a row stated itself stays. Each
batch is a transaction of its own, so that a large move neither holds locks for long nor is lost
when it is interrupted: the next run goes on.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from sqlalchemy import TextClause, select, text

from app.cells.writing import CELL_COLUMNS, cells_sql, entries_sql
from app.core.database import Database, WriteSession
from app.core.versions import advance_roles
from app.ingest.writing import lock_sources
from app.tables import DemandRecord, SalaryRecord, Title
from app.taxonomies.catalogue import Catalogue, CatalogueCache
from app.taxonomies.titles import Meaning, build_meaning, match_titles, update_titles

BATCH: Final = 20_000
TITLE_BATCH: Final = 10_000
RecordTable = type[SalaryRecord] | type[DemandRecord]
TABLES: Final[dict[RecordTable, str]] = {SalaryRecord: "salary", DemandRecord: "demand"}

# What a record should have, and does not: the comparison is with the title's row, so that records
# which an older process wrote meanwhile are found as well.
_MISPLACED: Final = (
    "((NOT r.role_stated AND r.role_id <> t.role_id)"
    " OR (NOT r.level_stated AND r.level_id <> t.level_id))"
)


@dataclass(frozen=True, slots=True)
class RematchReport:
    """What a rematch changed: titles with another meaning, records that moved or changed level."""

    titles: int
    titles_changed: int
    records_changed: int


@dataclass(slots=True)
class _Moves:
    """What one batch did."""

    records: int = 0
    roles: set[int] = field(default_factory=set)


async def rematch(
    database: Database,
    catalogues: CatalogueCache,
    progress: Callable[[int], None] = lambda records: None,
) -> RematchReport:
    """Match all stored titles anew and let their records follow.

    `progress` is called with the number of records that each batch changed. Raises Unavailable
    (503); what was committed until then stays, and another run completes it.
    """
    async with database.write() as session:
        catalogue, _ = await catalogues.current(session)
        changes, titles = await find_changes(session, catalogue)
        for start in range(0, len(changes), TITLE_BATCH):
            keys = sorted(changes)[start : start + TITLE_BATCH]
            await update_titles(session, {key: changes[key] for key in keys})
    records, sources = 0, list(catalogue.sources.by_id)
    for table in TABLES:
        for role_id in sorted(catalogue.roles.by_id):
            records += await _leave(database, table, role_id, sources, progress)
    return RematchReport(titles, len(changes), records)


async def find_changes(
    session: WriteSession, catalogue: Catalogue
) -> tuple[dict[int, Meaning], int]:
    """The stored titles whose meaning is another one now, by id, and how many are stored."""
    columns = (Title.role_id, Title.level_id, Title.focus_area, Title.confidence, Title.method)
    rows = (
        await session.execute(select(Title.id, Title.text, *columns).where(Title.id != 0))
    ).all()
    matches = await match_titles([row.text for row in rows], catalogue)
    changes = {}
    for row in rows:
        meaning = build_meaning(matches[row.text], catalogue)
        if meaning != Meaning(*row[2:]):
            changes[row.id] = meaning
    return changes, len(rows)


async def _leave(
    database: Database,
    table: RecordTable,
    role_id: int,
    sources: Collection[int],
    progress: Callable[[int], None],
) -> int:
    """Move what has to leave one role, batch by batch; the number of records changed."""
    records = 0
    after: int | None = 0
    while after is not None:
        async with database.write() as session:
            await lock_sources(session, sources)
            moves = _Moves()
            after = await _move_batch(session, table, role_id, after, moves)
            await advance_roles(session, moves.roles)
        records += moves.records
        progress(moves.records)
    return records


async def _move_batch(
    session: WriteSession, table: RecordTable, role_id: int, after: int, moves: _Moves
) -> int | None:
    """Move at most BATCH records of the role after that record id; where to go on, None at the end.

    Identities are locked first, in the order of their key, as every write does; the records are
    then read anew, since a writer that was waited for may have moved them.
    """
    statements = _statements(table)
    found = (
        await session.execute(statements.find, {"role": role_id, "after": after, "batch": BATCH})
    ).all()
    if not found:
        return None
    ids = [row.record_id for row in found]
    await session.execute(statements.lock, {"ids": ids, "role": role_id})
    moved = (await session.execute(statements.move, {"ids": ids, "role": role_id})).all()
    moves.records += len(moved)
    for row in moved:
        if not row.confidential:
            moves.roles |= {role_id, row.role_id}
    return int(ids[-1]) if len(ids) == BATCH else None


@dataclass(frozen=True, slots=True)
class _Statements:
    find: TextClause
    lock: TextClause
    move: TextClause


def _cells(table: RecordTable) -> str:
    """What `gone` (with its new role and level, and the old ones) changes in the cells."""
    if table is not SalaryRecord:
        return ""
    olds = {"role_id": "old_role_id AS role_id", "level_id": "old_level_id AS level_id"}
    before = ", ".join(olds.get(column, column) for column in CELL_COLUMNS)
    left = entries_sql(f"(SELECT {before} FROM gone) AS before", withdrawn=True)  # noqa: S608 - names of ours
    changes = f"{left} UNION ALL {entries_sql('gone')}"
    return f", written AS ({cells_sql(changes)})"


@cache
def _statements(table: RecordTable) -> _Statements:
    name, identities = table.__tablename__, f"{TABLES[table]}_identities"
    columns = [column.name for column in table.__table__.columns]
    changed = {
        "role_id": "CASE WHEN r.role_stated THEN r.role_id ELSE t.role_id END",
        "level_id": "CASE WHEN r.level_stated THEN r.level_id ELSE t.level_id END",
    }
    names = ", ".join(columns)
    values = ", ".join(f"{changed.get(column, f'r.{column}')} AS {column}" for column in columns)
    these = "r.role_id = :role AND r.record_id = ANY(CAST(:ids AS bigint[]))"
    misplaced = f"r.title_id <> 0 AND {_MISPLACED}"
    # A record moves by being deleted and inserted: where records are distributed by role, the key
    # of a row cannot be updated.
    return _Statements(
        find=text(
            f"SELECT r.record_id FROM {name} r JOIN titles t ON t.id = r.title_id"  # noqa: S608 - names of ours
            f" WHERE r.role_id = :role AND r.record_id > :after AND {misplaced}"
            " ORDER BY r.record_id LIMIT :batch"
        ),
        lock=text(
            f"SELECT 1 FROM {identities} i JOIN {name} r USING (source_id, key)"  # noqa: S608 - names of ours
            f" WHERE {these} ORDER BY i.source_id, i.key FOR UPDATE OF i"
        ),
        move=text(
            f"WITH gone AS (DELETE FROM {name} r USING titles t"  # noqa: S608 - names of ours
            f" WHERE t.id = r.title_id AND {these} AND {misplaced}"
            f" RETURNING {values}, r.role_id AS old_role_id, r.level_id AS old_level_id),"
            f" kept AS (INSERT INTO {name} ({names}) SELECT {names} FROM gone"
            f" RETURNING source_id, key, role_id){_cells(table)}"
            f" UPDATE {identities} i SET previous_role_id = i.role_id, role_id = kept.role_id"
            " FROM kept JOIN sources s ON s.id = kept.source_id"
            " WHERE i.source_id = kept.source_id AND i.key = kept.key"
            " RETURNING i.role_id, s.confidential"
        ),
    )
