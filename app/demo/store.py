"""SQL of the demo data: its source, whether it is there, and its removal."""

from collections import Counter
from enum import Enum
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.cells.writing import cells_sql, columns_sql, entries_sql
from app.core.database import WriteSession
from app.core.versions import advance_epoch, advance_roles
from app.domain.vocabulary import RECURRENCES, SOURCE_KINDS
from app.ingest.writing import lock_sources

SOURCE: Final = "demo"

_ADD_SOURCE = text(
    "INSERT INTO sources (code, name, kind, demo, recurrence, licence)"
    " VALUES (:code, 'Payband demo (synthetic demo data)', :kind, true, :recurrence, 'CC0-1.0')"
    " ON CONFLICT (code) DO NOTHING RETURNING id"
)
_SOURCE_ID = text("SELECT id FROM sources WHERE code = :code")
_STATE = text(
    "SELECT s.id AS source,"
    " EXISTS (SELECT FROM salary_records WHERE source_id = s.id) AS salaries,"
    " EXISTS (SELECT FROM demand_records WHERE source_id = s.id) AS demand"
    " FROM sources s WHERE code = :code"
)
_REMOVE = (
    text(
        "WITH gone AS (DELETE FROM salary_records r WHERE source_id = :source"  # noqa: S608 - SQL of ours
        f" RETURNING {columns_sql('r')}),"
        " keys AS (DELETE FROM salary_identities WHERE source_id = :source),"
        f" withdrawn AS ({cells_sql(entries_sql('gone', withdrawn=True))})"
        " SELECT role_id, count(*) AS records FROM gone GROUP BY role_id"
    ),
    text(
        "WITH gone AS (DELETE FROM demand_records WHERE source_id = :source RETURNING role_id),"
        " keys AS (DELETE FROM demand_identities WHERE source_id = :source)"
        " SELECT role_id, count(*) AS records FROM gone GROUP BY role_id"
    ),
)


class State(Enum):
    """What there is of the demo data."""

    NEVER_LOADED = "never loaded"
    INTERRUPTED = "interrupted"
    LOADED = "loaded"
    REMOVED = "removed"


async def read_state(session: AsyncSession) -> State:
    """Where the demo data stands. Demand is loaded last, and the source outlives a removal."""
    row = (await session.execute(_STATE, {"code": SOURCE})).one_or_none()
    if row is None:
        return State.NEVER_LOADED
    if row.demand:
        return State.LOADED
    return State.INTERRUPTED if row.salaries else State.REMOVED


async def ensure_source(session: WriteSession) -> None:
    """Add the source `demo` where it is missing."""
    kinds = {"kind": SOURCE_KINDS["reported"], "recurrence": RECURRENCES["replace"]}
    added = await session.execute(_ADD_SOURCE, {"code": SOURCE, **kinds})
    if added.one_or_none() is not None:
        await advance_epoch(session)


async def remove_records(session: WriteSession) -> int:
    """Delete every record of the source `demo`; how many there were. The source stays."""
    source = await session.scalar(_SOURCE_ID, {"code": SOURCE})
    if source is None:
        return 0
    await lock_sources(session, [source], alone=True)
    roles: Counter[int] = Counter()
    for statement in _REMOVE:
        for role_id, records in await session.execute(statement, {"source": source}):
            roles[role_id] += records
    await advance_roles(session, roles)
    if roles:
        await advance_epoch(session)
    return roles.total()
