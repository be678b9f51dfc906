"""`payband import` against a bare COPY of the same rows, in turns, in one run."""

import asyncio
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
from sqlalchemy import make_url

from bench import Measure
from bench.stage import Stage

PAIRS: Final = 3
"""Imports and copies in turns; the best pair counts, since others may use the machine too."""
LARGER: Final = 5
MEGABYTE: Final = 1_000_000
KILOBYTE: Final = 1024
COMMAND: Final = (sys.executable, "-c", "from app.cli import main; main()", "import")
BARE: Final = "bare_records"


@dataclass(frozen=True, slots=True)
class Imported:
    """One run of the command: its duration, start of the process included, and peak memory."""

    seconds: float
    megabytes: float


async def run(stage: Stage) -> list[Measure]:
    """The ratio of the rates, and peak memory for the rows asked for and five times as many."""
    path = await stage.salaries()
    copied = stage.folder / "records.copy"
    pairs = []
    peak = 0.0
    for _ in range(PAIRS):
        await _empty(stage)
        imported = await asyncio.to_thread(_import, stage, path)
        peak = max(peak, imported.megabytes)
        pairs.append((await _copy(stage, copied), imported.seconds))
    copy_s, import_s = max(pairs, key=lambda pair: pair[0] / pair[1])
    larger = stage.rows * LARGER
    await _empty(stage)
    longer = await asyncio.to_thread(_import, stage, await stage.salaries(larger))
    await _empty(stage)
    return [
        Measure(
            "import: rows a second, against a bare COPY",
            stage.rows / import_s,
            "rows/s",
            baseline=stage.rows / copy_s,
            bar=0.35,
            at_least=True,
        ),
        Measure(f"import: peak memory, {stage.rows:,} rows", peak, "MB", bar=400),
        Measure(f"import: peak memory, {larger:,} rows", longer.megabytes, "MB", bar=400),
        Measure(f"import: {larger:,} rows", larger / longer.seconds, "rows/s"),
    ]


def _import(stage: Stage, path: Path) -> Imported:
    started = time.perf_counter()
    process = subprocess.Popen(
        [*COMMAND, str(path)],
        env=_environment(stage),
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    taken = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"payband import ended with status {process.returncode}")
    unit = 1 if sys.platform == "darwin" else KILOBYTE
    return Imported(taken, usage.ru_maxrss * unit / MEGABYTE)


async def _copy(stage: Stage, copied: Path) -> float:
    """Seconds of COPY of all records, as text, into a table with the same keys and indexes."""
    connection = await _connect(stage)
    try:
        await connection.copy_from_table("salary_records", output=copied)
        await connection.execute(f"DROP TABLE IF EXISTS {BARE}")
        await connection.execute(f"CREATE TABLE {BARE} (LIKE salary_records INCLUDING ALL)")
        started = time.perf_counter()
        await connection.copy_to_table(BARE, source=copied)
        taken = time.perf_counter() - started
        rows = await connection.fetchval(f"SELECT count(*) FROM {BARE}")
        await connection.execute(f"DROP TABLE {BARE}")
    finally:
        await connection.close()
        await asyncio.to_thread(copied.unlink, missing_ok=True)
    if rows != stage.rows:
        raise RuntimeError(f"{rows:,} rows were imported, not {stage.rows:,}")
    return taken


async def _empty(stage: Stage) -> None:
    """No records, and no work left over from the turn before."""
    connection = await _connect(stage)
    try:
        await connection.execute("TRUNCATE salary_records, salary_identities")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def _connect(stage: Stage) -> asyncpg.Connection:
    url = make_url(stage.url).set(drivername="postgresql")
    return await asyncpg.connect(url.render_as_string(hide_password=False))


def _environment(stage: Stage) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PAYBAND_")}
    root = str(Path(__file__).resolve().parents[1])
    url = make_url(stage.url).set(drivername="postgresql")
    return {
        **kept,
        "PYTHONPATH": root,
        "PAYBAND_DATABASE_URL": url.render_as_string(hide_password=False),
    }
