"""Undoing an import: what it inserted goes, what it or others changed since stays."""

from dataclasses import dataclass, field
from functools import cache
from typing import Final

from sqlalchemy import TextClause, text

from app.cells.writing import cells_sql, columns_sql, entries_sql
from app.core.database import WriteSession
from app.core.errors import Conflict
from app.core.versions import advance_epoch, advance_roles
from app.ingest.imports import RUNNING, STALE_S, UNDONE
from app.ingest.staging import DEMAND, SALARIES, RecordTables
from app.ingest.writing import lock_sources, lost_public_records

BATCH_ROWS: Final = 50_000
"""Rows that one statement deletes, well within its time limit."""

# Locked, so that of two who undo at once one waits and then finds it undone.
_STATE = text(
    "SELECT CASE WHEN state = 'running' AND updated_at < clock_timestamp()"
    " - :stale * interval '1 s' THEN 'interrupted' ELSE state END"
    " FROM imports WHERE id = :id FOR UPDATE"
)
_CLOSE = text(
    "UPDATE imports SET state = 'undone', updated_at = clock_timestamp(),"
    " finished_at = coalesce(finished_at, clock_timestamp()) WHERE id = :id"
)
_FORGET_KEY = text("DELETE FROM idempotency_keys WHERE import_id = :id")
_CONFIDENTIAL = text("SELECT id FROM sources WHERE confidential")

_TOUCHED: Final = (
    "SELECT role_id, source_id,"
    " count(*) FILTER (WHERE import_id = :id AND changed_import_id = :id) AS own,"
    " count(*) FILTER (WHERE import_id = :id AND changed_import_id <> :id) AS changed_since,"
    " count(*) FILTER (WHERE import_id <> :id) AS updated"
    " FROM {records} WHERE import_id = :id OR changed_import_id = :id"
    " GROUP BY role_id, source_id"
)
_BOUND: Final = (
    "SELECT record_id FROM {records}"
    " WHERE role_id = :role AND import_id = :id AND changed_import_id = :id"
    " AND record_id > :after ORDER BY record_id OFFSET :rows LIMIT 1"
)
_DELETE: Final = (
    "WITH gone AS (DELETE FROM {records} r"
    " WHERE role_id = :role AND import_id = :id AND changed_import_id = :id"
    " AND record_id > :after AND record_id <= coalesce(CAST(:until AS bigint), record_id)"
    " RETURNING r.key, {columns}), forgotten AS ("
    "DELETE FROM {identities} i USING gone g WHERE i.source_id = g.source_id AND i.key = g.key)"
    "{cells} SELECT count(*) FROM gone"
)
_DELETE_BENCHMARKS = text(
    "WITH gone AS (DELETE FROM benchmarks WHERE import_id = :id AND changed_import_id = :id"
    " RETURNING 1) SELECT (SELECT count(*) FROM gone) AS own,"
    " count(*) FILTER (WHERE import_id = :id AND changed_import_id <> :id) AS changed_since,"
    " count(*) FILTER (WHERE import_id <> :id) AS updated"
    " FROM benchmarks WHERE import_id = :id OR changed_import_id = :id"
)


@dataclass
class Undone:
    """What undoing did. `kept_updated`: rows of others that the import changed last;
    `kept_changed`: rows that it inserted and that were changed since."""

    deleted: int = 0
    kept_updated: int = 0
    kept_changed: int = 0
    roles: set[int] = field(default_factory=set)
    epoch: bool = False


async def undo_import(session: WriteSession, import_id: int) -> Undone:
    """Delete what an import inserted, its identities and its idempotency key with it.

    All in the session's transaction. Raises Conflict while it runs and where it is undone already.
    """
    state = await session.scalar(_STATE, {"id": import_id, "stale": STALE_S})
    if state == RUNNING:
        raise Conflict(
            "The import is still running; wait for its end, or end the request that sends it.",
            code="import_running",
        )
    if state == UNDONE:
        raise Conflict("The import was undone already.", code="import_undone")
    confidential = frozenset(await session.scalars(_CONFIDENTIAL))
    undone = Undone()
    for tables in (SALARIES, DEMAND):
        await _undo_records(session, tables, import_id, confidential, undone)
    await _undo_benchmarks(session, import_id, undone)
    await session.execute(_FORGET_KEY, {"id": import_id})
    await session.execute(_CLOSE, {"id": import_id})
    if undone.roles and await lost_public_records(session):
        undone.epoch = True  # demo data comes back
    await advance_roles(session, undone.roles)
    if undone.epoch:
        await advance_epoch(session)
    return undone


async def _undo_records(
    session: WriteSession,
    tables: RecordTables,
    import_id: int,
    confidential: frozenset[int],
    undone: Undone,
) -> None:
    names = {"records": tables.records, "identities": tables.identities}
    touched = text(_TOUCHED.format(**names))
    found = (await session.execute(touched, {"id": import_id})).all()
    await lock_sources(session, {row.source_id for row in found}, alone=True)
    # Again under the lock: a writer may have changed some meanwhile.
    found = (await session.execute(touched, {"id": import_id})).all()
    for row in found:
        undone.kept_updated += row.updated
        undone.kept_changed += row.changed_since
        if row.own and row.source_id not in confidential:
            undone.roles.add(row.role_id)
            # A date on which the source reported may be gone with its last row.
            undone.epoch |= tables is DEMAND
    for role_id in sorted({row.role_id for row in found if row.own}):
        undone.deleted += await _delete_role(session, tables, import_id, role_id)


async def _delete_role(
    session: WriteSession, tables: RecordTables, import_id: int, role_id: int
) -> int:
    bound, delete = text(_BOUND.format(records=tables.records)), _build_delete(tables)
    values = {"id": import_id, "role": role_id, "after": 0}
    deleted = 0
    while True:
        until = await session.scalar(bound, {**values, "rows": BATCH_ROWS - 1})
        deleted += await session.scalar(delete, {**values, "until": until}) or 0
        if until is None:
            return deleted
        values["after"] = until


@cache
def _build_delete(tables: RecordTables) -> TextClause:
    columns, cells = "r.source_id", ""
    if tables is SALARIES:
        columns = columns_sql("r")
        cells = f", withdrawn AS ({cells_sql(entries_sql('gone', withdrawn=True))})"
    names = {"records": tables.records, "identities": tables.identities}
    return text(_DELETE.format(**names, columns=columns, cells=cells))


async def _undo_benchmarks(session: WriteSession, import_id: int, undone: Undone) -> None:
    row = (await session.execute(_DELETE_BENCHMARKS, {"id": import_id})).one()
    undone.deleted += row.own
    undone.kept_updated += row.updated
    undone.kept_changed += row.changed_since
    undone.epoch |= row.own > 0
