"""The endpoint that one would write first: FastAPI, SQLAlchemy, GROUP BY and `percentile_cont`.

`python -m bench.plain_app PORT`, with `DATABASE_URL`. Its settings are the baseline's own: uvicorn
with uvloop and no log of requests, a pool of 8 connections, and what PostgreSQL is told here.
"""

import os
import sys
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final

import uvicorn
from fastapi import FastAPI, Query
from sqlalchemy import ARRAY, Double, Select, cast, func, select
from sqlalchemy.ext.asyncio import create_async_engine

from app.tables import Level, Region, Role, SalaryRecord
from bench.questions import KINDS, PERCENTILES

POSTGRES: Final = {"jit": "off", "work_mem": "256MB", "enable_indexscan": "off"}
"""Without the last, PostgreSQL 18 takes 30 s: it walks an index over a third of the records."""
DIMENSIONS: Final[Mapping[str, tuple[type[Region | Level], Any]]] = {
    "region": (Region, SalaryRecord.region_id),
    "level": (Level, SalaryRecord.level_id),
}
POOL: Final = 8

Statement = Select[*tuple[Any, ...]]


def build_statistics(by: list[str], first: date, before: date, role: str | None) -> Statement:
    """One SELECT: codes, count and percentiles."""
    codes = [DIMENSIONS[name][0].code.label(name) for name in by]
    shares = cast([percent / 100 for percent in PERCENTILES], ARRAY(Double))
    ordered = func.percentile_cont(shares).within_group(SalaryRecord.annual_amount)
    statement: Statement = select(*codes, func.count().label("count"), ordered.label("percentiles"))
    statement = statement.select_from(SalaryRecord)
    for name in by:
        table, column = DIMENSIONS[name]
        statement = statement.join(table, table.id == column)
    statement = statement.where(
        SalaryRecord.pay_kind.in_(KINDS),
        SalaryRecord.observed_on >= first,
        SalaryRecord.observed_on < before,
    )
    if role is not None:
        of_role = select(Role.id).where(Role.code == role).scalar_subquery()
        statement = statement.where(SalaryRecord.role_id == of_role)
    return statement.group_by(*codes)


def build_app(url: str) -> FastAPI:
    """One route."""
    app = FastAPI()
    engine = create_async_engine(url, pool_size=POOL, connect_args={"server_settings": POSTGRES})

    @app.get("/statistics")
    async def statistics(
        by: Annotated[list[str], Query()], first: date, before: date, role: str | None = None
    ) -> list[dict[str, Any]]:
        async with engine.connect() as connection:
            found = await connection.execute(build_statistics(by, first, before, role))
            return [dict(row) for row in found.mappings()]

    return app


def main() -> None:
    app = build_app(os.environ["DATABASE_URL"])
    uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", access_log=False)


if __name__ == "__main__":
    main()
