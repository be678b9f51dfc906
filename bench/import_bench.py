"""`payband import` against a bare COPY of the same rows, in turns, in one run."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from bench import Measure
from bench.service import MEGABYTE, bare_environment
from bench.stage import Stage

PAIRS: Final = 3
"""Imports and copies in turns; the best pair counts, since others may use the machine too."""
LARGER: Final = 5
WRITERS: Final = 2
KILOBYTE: Final = 1024
PAYBAND: Final = (sys.executable, "-c", "from app.cli import main; main()")
BARE: Final = "bare_records"
TABLES: Final = "salary_records, salary_identities, salary_cells, salary_rollups"


@dataclass(frozen=True, slots=True)
class Ran:
    """One run of a command: its duration, start of the process included, and peak memory."""

    seconds: float
    megabytes: float


async def run(stage: Stage) -> list[Measure]:
    """The ratio of the rates, and peak memory for the rows asked for and five times as many."""
    path = await stage.salaries()
    copied = stage.folder / "records.copy"
    pairs = []
    peak = 0.0
    for _ in range(PAIRS):
        await empty_records(stage)
        imported = await asyncio.to_thread(run_payband, stage, ["import", str(path)])
        peak = max(peak, imported.megabytes)
        pairs.append((await _copy(stage, copied), imported.seconds))
    copy_s, import_s = max(pairs, key=lambda pair: pair[0] / pair[1])
    compacted = await asyncio.to_thread(run_payband, stage, ["compact"])
    parallel_s = await _import_at_once(stage, path)
    larger = stage.rows * LARGER
    await empty_records(stage)
    longer = await asyncio.to_thread(
        run_payband, stage, ["import", str(await stage.salaries(larger))]
    )
    await empty_records(stage)
    return [
        Measure(
            "import: rows a second with cells, against a bare COPY",
            stage.rows / import_s,
            "rows/s",
            baseline=stage.rows / copy_s,
            bar=0.3,
            at_least=True,
        ),
        Measure(
            f"import: {WRITERS} writers at once, against one",
            stage.rows / parallel_s,
            "rows/s",
            baseline=stage.rows / import_s,
        ),
        Measure("import: compaction of what one wrote", compacted.seconds, "s"),
        Measure("import: peak memory of that", compacted.megabytes, "MB", bar=400),
        Measure(f"import: peak memory, {stage.rows:,} rows", peak, "MB", bar=400),
        Measure(f"import: peak memory, {larger:,} rows", longer.megabytes, "MB", bar=400),
        Measure(f"import: {larger:,} rows", larger / longer.seconds, "rows/s"),
    ]


def run_payband(stage: Stage, arguments: Sequence[str]) -> Ran:
    """Run the command on the stage's database. Raises RuntimeError where it fails."""
    started = time.perf_counter()
    environment = {**bare_environment(), "PAYBAND_DATABASE_URL": stage.plain_url}
    process = subprocess.Popen([*PAYBAND, *arguments], env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    taken = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"payband {arguments[0]} ended with status {process.returncode}")
    unit = 1 if sys.platform == "darwin" else KILOBYTE
    return Ran(taken, usage.ru_maxrss * unit / MEGABYTE)


async def _import_at_once(stage: Stage, path: Path) -> float:
    """Seconds until several processes have imported a part of the file each."""
    parts = await asyncio.to_thread(_parts, path, stage.rows, WRITERS)
    await empty_records(stage)
    started = time.perf_counter()
    await asyncio.gather(
        *(asyncio.to_thread(run_payband, stage, ["import", str(part)]) for part in parts)
    )
    return time.perf_counter() - started


def _parts(path: Path, rows: int, count: int) -> list[Path]:
    """The rows of a CSV file as `count` files with its header."""
    parts = [path.with_stem(f"{path.stem}-{number}") for number in range(count)]
    with path.open("rb") as file:
        header = file.readline()
        for part in parts:
            with part.open("wb") as target:
                target.write(header)
                target.writelines(islice(file, -(-rows // count)))
    return parts


async def _copy(stage: Stage, copied: Path) -> float:
    """Seconds of COPY of all records, as text, into a table with the same keys and indexes."""
    try:
        async with stage.connect() as connection:
            await connection.copy_from_table("salary_records", output=copied)
            await connection.execute(f"DROP TABLE IF EXISTS {BARE}")
            await connection.execute(f"CREATE TABLE {BARE} (LIKE salary_records INCLUDING ALL)")
            started = time.perf_counter()
            await connection.copy_to_table(BARE, source=copied)
            taken = time.perf_counter() - started
            rows = await connection.fetchval(f"SELECT count(*) FROM {BARE}")
            await connection.execute(f"DROP TABLE {BARE}")
    finally:
        await asyncio.to_thread(copied.unlink, missing_ok=True)
    if rows != stage.rows:
        raise RuntimeError(f"{rows:,} rows were imported, not {stage.rows:,}")
    return taken


async def empty_records(stage: Stage) -> None:
    """No records, and no work left over from the turn before."""
    async with stage.connect() as connection:
        await connection.execute(f"TRUNCATE {TABLES}")
        await connection.execute("CHECKPOINT")
