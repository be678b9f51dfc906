"""`payband release` over generated records of a confidential source: duration and peak memory."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import asyncpg
from sqlalchemy import make_url

from bench import Measure
from bench.import_bench import KILOBYTE, MEGABYTE
from bench.stage import SOURCE, Stage

IMPORT: Final = (sys.executable, "-c", "from app.cli import main; main()", "import")
RELEASE: Final = (sys.executable, "-c", "from app.cli import main; main()", "release")
CHANGED: Final = 20
"""One record in so many changes between the two releases."""


async def run(stage: Stage) -> list[Measure]:
    """A first release, and a second one after some records changed."""
    path = await stage.salaries()
    await _execute(stage, "TRUNCATE salary_records, salary_identities")
    # All of one pay kind, so that all rows are in the population.
    await asyncio.to_thread(_run, stage, [*IMPORT, str(path)])
    await _execute(stage, "UPDATE salary_records SET pay_kind = 1")
    await _execute(stage, f"UPDATE sources SET confidential = true WHERE code = '{SOURCE}'")
    await _execute(stage, "UPDATE epoch SET epoch = epoch + 1, stamp = gen_random_uuid()")
    await _execute(stage, "VACUUM ANALYZE salary_records")
    first_s, first_mb = await asyncio.to_thread(_run, stage, list(RELEASE))
    change = "UPDATE salary_records SET annual_amount = annual_amount + 1000"
    await _execute(stage, f"{change} WHERE record_id % {CHANGED} = 0")
    second_s, second_mb = await asyncio.to_thread(_run, stage, list(RELEASE))
    shown = await _fetch(stage, "SELECT figures FROM releases ORDER BY id")
    await _execute(stage, f"UPDATE sources SET confidential = false WHERE code = '{SOURCE}'")
    await _execute(
        stage, "TRUNCATE releases, release_nodes, release_versions, release_regions, salary_records"
    )
    return [
        Measure(f"release: {stage.rows:,} records, the first", first_s, "s", bar=60),
        Measure("release: peak memory, the first", first_mb, "MB"),
        Measure(f"release: 1 record in {CHANGED} changed, the next", second_s, "s", bar=60),
        Measure("release: peak memory, the next", second_mb, "MB"),
        Measure("release: figures shown by the first", shown[0], ""),
        Measure("release: figures shown by the next", shown[1], ""),
    ]


def _run(stage: Stage, command: list[str]) -> tuple[float, float]:
    """Seconds and peak megabytes of a command, start of the process included."""
    started = time.perf_counter()
    process = subprocess.Popen(command, env=_environment(stage), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    taken = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command[-1]} ended with status {process.returncode}")
    unit = 1 if sys.platform == "darwin" else KILOBYTE
    return taken, usage.ru_maxrss * unit / MEGABYTE


def _environment(stage: Stage) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PAYBAND_")}
    root = str(Path(__file__).resolve().parents[1])
    return {**kept, "PYTHONPATH": root, "PAYBAND_DATABASE_URL": _plain(stage)}


def _plain(stage: Stage) -> str:
    url = make_url(stage.url).set(drivername="postgresql")
    return url.render_as_string(hide_password=False)


async def _execute(stage: Stage, statement: str) -> None:
    connection = await asyncpg.connect(_plain(stage))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _fetch(stage: Stage, query: str) -> list[int]:
    connection = await asyncpg.connect(_plain(stage))
    try:
        return [row[0] for row in await connection.fetch(query)]
    finally:
        await connection.close()
