"""Uncached answers over HTTP, against DuckDB in memory and PostgreSQL's `percentile_cont`.

The same rows, the same question and the same filters everywhere (bench/questions.py), taken in
turns, the fastest of each. The figures must agree: exact ones equal, others within 0.5 %.
"""

import asyncio
from typing import Final

from bench import Measure
from bench.in_memory import AGGREGATES, SETTINGS, DuckDB, duckdb_of, fits, write_columns
from bench.psql import typed_ms
from bench.questions import (
    ASKED,
    SHARES,
    WIDE,
    Asked,
    Client,
    Named,
    figures_of_answer,
    figures_of_rows,
    largest_error,
    read_named,
)
from bench.records import stage_with_records
from bench.service import Service, serving
from bench.stage import Stage

REPEATS: Final = 9
FEWER: Final = 10
"""The service is also measured with a tenth of the records."""
WORK_MEM: Final = "256MB"
"""Of psql, which is also kept from walking an index over a third of the records: that takes 30 s,
a bitmap 4 s."""
ORDERED: Final = f"count(*), percentile_cont(ARRAY[{SHARES}]) WITHIN GROUP (ORDER BY annual_amount)"
ADDED_UP: Final = 1e-9
"""Relative: doubles are interpolated in another order."""
STATED_ERROR: Final = 0.005
UNCACHED: Final = {"cache_bytes": "0"}


async def run(stage: Stage) -> list[Measure]:
    """All questions against the baselines, and the wide one with a tenth of the records."""
    full = await stage_with_records(stage)
    measures = await (_against_duckdb(full) if fits(full.rows) else _alone(full))
    measures.append(await _against_postgres(full))
    fewer = await stage_with_records(stage, max(1, stage.rows // FEWER))
    return [*measures, await _against_fewer(full, fewer)]


async def _against_duckdb(stage: Stage) -> list[Measure]:
    named, path = await read_named(stage), await write_columns(stage)
    measures = []
    async with serving(stage, **UNCACHED) as service:
        with duckdb_of(path) as duckdb:
            for asked in ASKED:
                measures += await asyncio.to_thread(_compared, service, duckdb, asked, named)
    return measures


def _compared(service: Service, duckdb: DuckDB, asked: Asked, named: Named) -> list[Measure]:
    """The times of one question, and how far the figures differ."""
    client = Client(service.port)
    ours, theirs, error = [], [], 0.0
    for _ in range(REPEATS):
        rows, milliseconds = duckdb.rows(asked.sql(named, AGGREGATES))
        theirs.append(milliseconds)
        answer = client.get(asked.path(named))
        ours.append(answer.milliseconds)
        error = largest_error(figures_of_answer(asked, answer), figures_of_rows(asked, named, rows))
    method = answer.meta()["method"]
    wide = asked is WIDE
    return [
        Measure(
            f"answers: {asked.name}, against {SETTINGS}",
            min(ours),
            "ms",
            baseline=min(theirs),
            bar=1 / 3 if wide else 1,
        ),
        Measure(
            f"answers: {asked.name}, {method}: largest difference / figure",
            error,
            "",
            bar=STATED_ERROR if wide else ADDED_UP,
        ),
    ]


async def _alone(stage: Stage) -> list[Measure]:
    """The times where the rows do not fit into memory."""
    named = await read_named(stage)
    async with serving(stage, **UNCACHED) as service:
        return [
            Measure(f"answers: {asked.name}, DuckDB left out: memory", best_ms, "ms")
            for asked in ASKED
            for best_ms in [await asyncio.to_thread(fastest_ms, service.port, asked.path(named))]
        ]


async def _against_postgres(stage: Stage) -> Measure:
    """The wide question against the same SQL typed into psql, which takes seconds."""
    named = await read_named(stage)
    settings = f"SET jit = off; SET enable_indexscan = off; SET work_mem = '{WORK_MEM}';"
    statement = WIDE.sql(named, ORDERED)
    typed = await asyncio.to_thread(typed_ms, stage, statement, settings=settings)
    async with serving(stage, **UNCACHED) as service:
        ours = await asyncio.to_thread(fastest_ms, service.port, WIDE.path(named))
    name = f"answers: {WIDE.name}, against percentile_cont, work_mem {WORK_MEM}"
    return Measure(name, ours, "ms", baseline=typed, bar=1 / 20)


async def _against_fewer(full: Stage, fewer: Stage) -> Measure:
    """The wide question, approximate both times, in turns."""
    path = WIDE.path(await read_named(full))
    settings = {**UNCACHED, "exact_records": "0"}
    async with serving(full, **settings) as service, serving(fewer, **settings) as small:
        pairs = [
            (
                await asyncio.to_thread(fastest_ms, service.port, path, 1),
                await asyncio.to_thread(fastest_ms, small.port, path, 1),
            )
            for _ in range(REPEATS)
        ]
    name = f"answers: {WIDE.name}, against {fewer.rows:,} records"
    ours, theirs = (min(times) for times in zip(*pairs, strict=True))
    return Measure(name, ours, "ms", baseline=theirs, bar=1.5)


def fastest_ms(port: int, path: str, repeats: int = REPEATS) -> float:
    """Of several answers. Raises RuntimeError where the question is not answered."""
    client = Client(port)
    answers = [client.get(path) for _ in range(repeats)]
    client.close()
    if answers[-1].status != 200:
        raise RuntimeError(f"status {answers[-1].status}: {answers[-1].body[:500]!r}")
    return min(answer.milliseconds for answer in answers)
