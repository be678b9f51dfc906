"""The service on many records: its start, its memory, and what the cells take of the disk."""

import asyncio
from typing import Final

from bench import Measure
from bench.idle_bench import REST_S
from bench.records import stage_with_records
from bench.service import MEGABYTE, serving
from bench.stage import Stage

STARTS: Final = 3
"""The fastest counts: the first one reads the modules from the disk."""
CELLS: Final = ("salary_cells", "salary_rollups")


async def run(stage: Stage) -> list[Measure]:
    """Start until ready, memory at rest, and sizes."""
    full = await stage_with_records(stage)
    starts = [await _started(full) for _ in range(STARTS)]
    cells = [await _size_mb(full, table) for table in CELLS]
    records = await _size_mb(full, "salary_records")
    return [
        Measure("start: until ready", min(seconds for seconds, _ in starts), "s", bar=2),
        Measure("start: memory at rest", max(size for _, size in starts), "MB", bar=130),
        Measure(
            "start: cells and rollups, against the records with their indexes",
            sum(cells),
            "MB",
            baseline=records,
            bar=0.4,
        ),
        Measure("start: rollups alone", cells[1], "MB"),
    ]


async def _started(stage: Stage) -> tuple[float, float]:
    async with serving(stage) as service:
        await asyncio.sleep(REST_S)
        return service.ready_s, service.megabytes


async def _size_mb(stage: Stage, table: str) -> float:
    """Table, indexes and what is stored aside."""
    async with stage.connect() as connection:
        size: int = await connection.fetchval("SELECT pg_total_relation_size($1::regclass)", table)
    return size / MEGABYTE
