"""Deletes records with their identities, in transactions of bounded size."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import TextClause, text

from app.access.audit import record
from app.access.caller import Caller
from app.cells.writing import cells_sql, columns_sql, entries_sql
from app.core.database import Database, WriteSession
from app.core.errors import NotAllowed
from app.core.versions import advance_epoch, advance_roles
from app.domain.dates import ALL_TIME, Window
from app.ingest.writing import holds_public_records, lock_sources, lost_public_records
from app.statistics.filters import RecordTable
from app.tables import DemandRecord, SalaryRecord
from app.taxonomies.catalogue import SourceEntry

ONE_TRANSACTION: Final = 100_000
"""Up to so many records go all at once or not at all; more go in several transactions."""
BATCH: Final = 20_000

KINDS: Final[dict[RecordTable, str]] = {SalaryRecord: "salary", DemandRecord: "demand"}


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records of one source: the one with a key, or all whose days lie in the window."""

    source: SourceEntry
    key: UUID | None = None
    window: Window = ALL_TIME

    def values(self) -> dict[str, Any]:
        """What the statements bind."""
        values: dict[str, Any] = {"source": self.source.id}
        if self.key is not None:
            return {**values, "key": self.key}
        return {**values, "first": self.window.first, "last": self.window.last}


@dataclass(frozen=True, slots=True)
class _Statements:
    count: TextClause
    delete: TextClause


def check_may_delete(caller: Caller, source: SourceEntry) -> None:
    """Raise NotAllowed (403) for a confidential source, unless an admin asks.

    The answer says how many records there are, which is for admins only.
    """
    if source.confidential and not caller.is_admin:
        raise NotAllowed(
            f"{source.code} is confidential: only a key with the scope admin may delete its "
            "records.",
            scope="admin",
        )


async def count_matches(database: Database, table: RecordTable, selection: Selection) -> int:
    """How many records a deletion would meet."""
    statement = _statements(table, by_key=selection.key is not None).count
    async with database.heavy_read() as session:
        return int(await session.scalar(statement, selection.values()) or 0)


async def delete_records(
    database: Database, table: RecordTable, selection: Selection, caller: Caller
) -> int:
    """Delete the records and their identities; how many.

    Raises Unavailable (503); what was committed by then stays deleted, and the same request
    deletes the rest.
    """
    at_once = await count_matches(database, table, selection) <= ONE_TRANSACTION
    total, more = 0, True
    while more:
        async with database.write() as session:
            deleted = await _delete_in(session, table, selection, everything=at_once)
            if deleted:
                await record(
                    session,
                    caller,
                    f"{KINDS[table]}_records.delete",
                    source=selection.source.code,
                    records=deleted,
                )
        total += deleted
        more = not at_once and deleted == BATCH
    return total


async def _delete_in(
    session: WriteSession, table: RecordTable, selection: Selection, *, everything: bool
) -> int:
    """Delete one batch, or batch after batch until nothing is left, in this transaction."""
    statement = _statements(table, by_key=selection.key is not None).delete
    await lock_sources(session, [selection.source.id], alone=True)
    held_before = await holds_public_records(session)
    roles: dict[int, int] = {}
    more = True
    while more:
        rows = (await session.execute(statement, {**selection.values(), "batch": BATCH})).all()
        _add(roles, {row.role_id: row.records for row in rows})
        more = everything and sum(row.records for row in rows) == BATCH
    if roles and not selection.source.confidential:
        # Demand figures depend on the dates on which a source reported at all; and when the last
        # public record goes, demo data comes back.
        epoch = table is DemandRecord or (held_before and await lost_public_records(session))
        await advance_roles(session, roles)
        if epoch:
            await advance_epoch(session)
    return sum(roles.values())


def _add(totals: dict[int, int], counts: Mapping[int, int]) -> None:
    for role_id, count in counts.items():
        totals[role_id] = totals.get(role_id, 0) + count


@cache
def _statements(table: RecordTable, *, by_key: bool) -> _Statements:
    """Names are those of our tables; values are bound."""
    records, identities = table.__tablename__, f"{KINDS[table]}_identities"
    if by_key:
        picked = (
            f"SELECT role_id, record_id FROM {identities}"  # noqa: S608 - names of ours
            " WHERE source_id = :source AND key = CAST(:key AS uuid)"
        )
    else:
        picked = (
            f"SELECT role_id, record_id FROM {records}"  # noqa: S608 - names of ours
            " WHERE source_id = :source"
            " AND (CAST(:first AS date) IS NULL OR observed_on >= CAST(:first AS date))"
            " AND (CAST(:last AS date) IS NULL OR observed_until <= CAST(:last AS date))"
        )
    columns, cells = "r.source_id, r.role_id", ""
    if table is SalaryRecord:
        columns = columns_sql("r")
        cells = f", withdrawn AS ({cells_sql(entries_sql('gone', withdrawn=True))})"
    return _Statements(
        count=text(f"SELECT count(*) FROM ({picked}) AS picked"),  # noqa: S608 - names of ours
        delete=text(
            f"WITH picked AS ({picked} LIMIT :batch),"  # noqa: S608 - names of ours
            f" gone AS (DELETE FROM {records} r USING picked p"
            " WHERE r.role_id = p.role_id AND r.record_id = p.record_id"
            f" RETURNING r.key, {columns}),"
            f" dropped AS (DELETE FROM {identities} i USING gone g"
            f" WHERE i.source_id = g.source_id AND i.key = g.key){cells}"
            " SELECT role_id, count(*) AS records FROM gone GROUP BY role_id"
        ),
    )
