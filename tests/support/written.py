"""Records written and taken back together with their cells, past the import."""

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import count
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import insert, select, text

from app.cells.writing import CELL_COLUMNS, cells_sql, entries_sql
from app.core.database import Database
from app.core.versions import advance_roles
from app.domain.vocabulary import PAY_PERIODS, PRECISIONS
from app.tables import SalaryRecord, Source
from tests.support.builders import add_sources
from tests.support.cells import add_cells

Row = dict[str, Any]

_record_ids = count(10**12)
_DAYS: Final = date(2025, 3, 14)


def record(amount: int = 100_000, **values: Any) -> Row:
    """A record of role 1; any column may be given, and `on` with a precision in words."""
    row = {
        **{"role_id": 1, "source_id": 0, "region_id": 1, "level_id": 2, "industry_id": 1},
        **{"observed_on": _DAYS, "precision": "day", "pay_kind": 1, "work_mode": 1},
        **{"employment_type": 1, "pay_period": PAY_PERIODS["year"], "currency": "USD"},
        **{"annual_amount": amount, "amount_min": amount, "amount_max": amount},
        **{"rate_pending": False, **values},
    }
    day = row["observed_on"]
    row["precision"] = PRECISIONS[row["precision"]]
    shared = {"observed_until": day, "last_seen_on": day, "import_id": 0, "changed_import_id": 0}
    low = {"annual_low": row["annual_amount"], "annual_high": row["annual_amount"]}
    return {**row, **shared, **low}


class Written:
    """The records of a test, by the order in which they were added."""

    def __init__(self, database: Database, source_ids: Sequence[int]) -> None:
        self.database = database
        self.source_ids = source_ids
        self.left: list[tuple[int, int]] = []

    async def begin_again(self) -> None:
        """Delete everything."""
        self.left = []
        async with self.database.write() as session:
            for table in ("salary_records", "salary_cells", "salary_rollups"):
                await session.execute(text(f"DELETE FROM {table}"))

    async def add(self, rows: Iterable[Row]) -> None:
        """Store records; `source_id` counts the sources from 0."""
        stored = []
        for row in rows:
            names = {"record_id": next(_record_ids), "key": uuid4()}
            stored.append({**row, **names, "source_id": self.source_ids[row["source_id"]]})
        if not stored:
            return
        added = [(row["role_id"], row["record_id"]) for row in stored]
        async with self.database.write() as session:
            await session.execute(insert(SalaryRecord), stored)
            await add_cells(session, [record_id for _, record_id in added])
            await advance_roles(session, {role for role, _ in added})
        self.left += added

    async def withdraw(self, places: Iterable[int]) -> None:
        """Delete the records at those places (modulo how many there are)."""
        chosen = {self.left[place % len(self.left)] for place in places if self.left}
        if not chosen:
            return
        self.left = [one for one in self.left if one not in chosen]
        ids = ", ".join(str(record_id) for _, record_id in chosen)
        columns = ", ".join(CELL_COLUMNS)
        gone = f"DELETE FROM salary_records WHERE record_id IN ({ids}) RETURNING {columns}"
        withdrawn = cells_sql(entries_sql("gone", withdrawn=True))
        async with self.database.write() as session:
            await session.execute(text(f"WITH gone AS ({gone}) {withdrawn}"))
            await advance_roles(session, {role for role, _ in chosen})


async def written(database: Database) -> Written:
    """No records yet, and two sources."""
    await add_sources(database, one={}, two={})
    async with database.read() as session:
        ids = await session.scalars(select(Source.id).where(Source.code.in_(["one", "two"])))
        return Written(database, sorted(ids))
