"""`payband release` over generated records of a confidential source: duration and peak memory."""

import asyncio
from typing import Final

from bench import Measure
from bench.import_bench import Ran, empty_records, run_payband
from bench.stage import SOURCE, Stage

CHANGED: Final = 20
"""One record in so many changes between the two releases."""


async def run(stage: Stage) -> list[Measure]:
    """A first release, and a second one after some records changed."""
    path = await stage.salaries()
    await empty_records(stage)
    # All of one pay kind, so that all rows are in the population.
    await _payband(stage, "import", str(path))
    await _execute(stage, "UPDATE salary_records SET pay_kind = 1")
    await _execute(stage, f"UPDATE sources SET confidential = true WHERE code = '{SOURCE}'")
    await _execute(stage, "UPDATE epoch SET epoch = epoch + 1, stamp = gen_random_uuid()")
    await _execute(stage, "VACUUM ANALYZE salary_records")
    first = await _payband(stage, "release")
    change = "UPDATE salary_records SET annual_amount = annual_amount + 1000"
    await _execute(stage, f"{change} WHERE record_id % {CHANGED} = 0")
    second = await _payband(stage, "release")
    shown = await _fetch(stage, "SELECT figures FROM releases ORDER BY id")
    await _execute(stage, f"UPDATE sources SET confidential = false WHERE code = '{SOURCE}'")
    await _execute(stage, "TRUNCATE releases, release_nodes, release_versions, release_regions")
    await empty_records(stage)
    return [
        Measure(f"release: {stage.rows:,} records, the first", first.seconds, "s", bar=60),
        Measure("release: peak memory, the first", first.megabytes, "MB"),
        Measure(f"release: 1 record in {CHANGED} changed, the next", second.seconds, "s", bar=60),
        Measure("release: peak memory, the next", second.megabytes, "MB"),
        Measure("release: figures shown by the first", shown[0], ""),
        Measure("release: figures shown by the next", shown[1], ""),
    ]


async def _payband(stage: Stage, *arguments: str) -> Ran:
    return await asyncio.to_thread(run_payband, stage, arguments)


async def _execute(stage: Stage, statement: str) -> None:
    async with stage.connect() as connection:
        await connection.execute(statement)


async def _fetch(stage: Stage, query: str) -> list[int]:
    async with stage.connect() as connection:
        return [row[0] for row in await connection.fetch(query)]
