"""Cells of records that a test put straight into the tables."""

from collections.abc import Iterable

from sqlalchemy import text

from app.cells.writing import cells_sql, entries_sql
from app.core.database import WriteSession
from app.core.versions import advance_roles


async def renew_cells(session: WriteSession) -> None:
    """Make the cells those of the records that there are, none of them merged."""
    await session.execute(text("DELETE FROM salary_cells"))
    await session.execute(text("DELETE FROM salary_rollups"))
    await session.execute(text(cells_sql(entries_sql("salary_records"))))
    roles = await session.scalars(text("SELECT DISTINCT role_id FROM salary_records"))
    await advance_roles(session, roles)


async def add_cells(session: WriteSession, record_ids: Iterable[int]) -> None:
    """Write the cells of records that have none."""
    picked = f"salary_records WHERE record_id IN ({', '.join(map(str, record_ids))})"
    await session.execute(text(cells_sql(entries_sql(picked))))
