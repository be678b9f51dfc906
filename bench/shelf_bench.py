"""Off the shelf: Datasette over SQLite, and a plain FastAPI endpoint with GROUP BY.

The same rows and filters; SQLite has no percentiles, so that Datasette gives count and mean. Asked
are one wide question and one about one role: the first answer, and how many a second when two
clients repeat it, which the service answers from its cache.
"""

import asyncio
import csv
import json
import sqlite3
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from bench import MILLION, Measure
from bench.answers_bench import UNCACHED, fastest_ms
from bench.closed_loop import Loop, run_loop
from bench.in_memory import COLUMNS, write_columns
from bench.questions import LEVELS, WIDE, Asked, Client, Named, read_named, window
from bench.records import stage_with_records
from bench.service import bare_environment, free_port, running, serving
from bench.stage import Stage

LARGEST: Final = 20 * MILLION
"""Of more rows, filling SQLite's file takes longer than all the rest."""
ASKED: Final = {"wide": WIDE, "levels": LEVELS}
REPEATS: Final = 2
SECONDS: Final = 5.0
CLIENTS: Final = 2
COUNT_AND_MEAN: Final = "count(*), avg(annual_amount)"
INDEX: Final = "role_id, observed_on, pay_kind, region_id, level_id, annual_amount"
"""All columns, so that a question about a role is answered from the index alone."""
DATASETTE: Final = {"sql_time_limit_ms": "600000", "max_returned_rows": "10000"}


async def run(stage: Stage) -> list[Measure]:
    """First answers and repeated ones of the three."""
    if stage.rows > LARGEST:
        return []
    full = await stage_with_records(stage)
    named = await read_named(full)
    ours = await _timed_service(full, named)
    theirs = {
        "Datasette (count, mean)": await _timed_datasette(full, named),
        "FastAPI + SQLAlchemy": await _timed_fastapi(full, named),
    }
    return [
        measure
        for name, timed in theirs.items()
        for asked, (first_ms, per_second) in timed.items()
        for measure in (
            Measure(f"shelf: {asked}: {name}", ours[asked][0], "ms", first_ms),
            Measure(f"shelf: {asked}, repeated: {name}", ours[asked][1], "answers/s", per_second),
        )
    ]


async def _timed_service(stage: Stage, named: Named) -> dict[str, tuple[float, float]]:
    paths = {asked.name: asked.path(named) for asked in ASKED.values()}
    async with serving(stage, **UNCACHED) as service:
        first = await asyncio.to_thread(_first_ms, service.port, paths)
    async with serving(stage) as service:
        await asyncio.to_thread(_first_ms, service.port, paths)
        repeated = {
            name: await asyncio.to_thread(run_loop, Loop(service.port, path, [], CLIENTS, SECONDS))
            for name, path in paths.items()
        }
    return {name: (first[name], repeated[name].per_second) for name in paths}


async def _timed_datasette(stage: Stage, named: Named) -> dict[str, tuple[float, float]]:
    rows = await write_columns(stage)
    database, metadata = stage.folder / "records.db", stage.folder / "metadata.json"
    await asyncio.to_thread(_fill, database, rows)
    queries = {name: {"sql": asked.sql(named, COUNT_AND_MEAN)} for name, asked in ASKED.items()}
    metadata.write_text(json.dumps({"databases": {database.stem: {"queries": queries}}}))
    port = free_port()
    arguments = ["-m", "datasette", "serve", "--immutable", str(database)]
    arguments += ["--metadata", str(metadata), "--port", str(port)]
    for name, value in DATASETTE.items():
        arguments += ["--setting", name, value]
    async with running(arguments, bare_environment(), port, "/-/versions.json"):
        paths = {
            asked.name: f"/{database.stem}/{name}.json?_shape=array"
            for name, asked in ASKED.items()
        }
        timed = await asyncio.to_thread(_timed, port, paths)
    database.unlink()
    return timed


def _fill(database: Path, rows: Path) -> None:
    """A table with an index in a new SQLite file."""
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode = off")
    connection.execute("PRAGMA synchronous = off")
    kinds = ", ".join(
        f"{name} {'TEXT' if kind == 'DATE' else 'INTEGER'}" for name, kind in COLUMNS.items()
    )
    connection.execute(f"CREATE TABLE salary_records ({kinds})")
    places = ", ".join("?" for _ in COLUMNS)
    with rows.open(newline="") as file, connection:
        connection.executemany(f"INSERT INTO salary_records VALUES ({places})", csv.reader(file))
    connection.execute(f"CREATE INDEX by_role ON salary_records ({INDEX})")
    connection.execute("ANALYZE")
    connection.close()


async def _timed_fastapi(stage: Stage, named: Named) -> dict[str, tuple[float, float]]:
    port = free_port()
    environment = {**bare_environment(), "DATABASE_URL": stage.url}
    arguments = ["-m", "bench.plain_app", str(port)]
    async with running(arguments, environment, port, "/openapi.json"):
        paths = {asked.name: _plain_path(asked, named) for asked in ASKED.values()}
        return await asyncio.to_thread(_timed, port, paths)


def _plain_path(asked: Asked, named: Named) -> str:
    first, last = window(named.newest, asked.months)
    before = last.replace(year=last.year + last.month // 12, month=last.month % 12 + 1)
    parameters = [("by", dimension) for dimension in asked.dimensions]
    parameters += [("first", str(first)), ("before", str(before))]
    parameters += [("role", named.role)] if asked.role else []
    return f"/statistics?{urlencode(parameters)}"


def _timed(port: int, paths: Mapping[str, str]) -> dict[str, tuple[float, float]]:
    """For each question the fastest answer in ms, and answers a second when it is repeated."""
    first = _first_ms(port, paths)
    return {name: (first[name], _per_second(port, path)) for name, path in paths.items()}


def _first_ms(port: int, paths: Mapping[str, str]) -> dict[str, float]:
    return {name: fastest_ms(port, path, REPEATS) for name, path in paths.items()}


def _per_second(port: int, path: str) -> float:
    """Of some clients that wait for each answer; the last ones are waited for."""
    started = time.perf_counter()
    answers: list[int] = []

    def ask() -> None:
        client = Client(port)
        while time.perf_counter() < started + SECONDS:
            answers.append(client.get(path).status)
        client.close()

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if set(answers) != {200}:
        raise RuntimeError(f"{path} was answered with {set(answers)}")
    return len(answers) / (time.perf_counter() - started)
