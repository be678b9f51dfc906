"""Kept answers while a wide question is computed again and again: the event loop must go on."""

import asyncio
import threading
from typing import Final

from bench import Measure
from bench.closed_loop import Loop, Looped, run_loop
from bench.edge_bench import PATH, get
from bench.polling_bench import percentile
from bench.questions import WIDE, Client, Named, read_named
from bench.records import stage_with_records
from bench.service import Service, serving
from bench.stage import Stage

SECONDS: Final = 10.0
CONNECTIONS: Final = 10
PAUSE_S: Final = 0.02


async def run(stage: Stage) -> list[Measure]:
    """Latencies of kept answers without and with the wide question beside them."""
    full = await stage_with_records(stage)
    named = await read_named(full)
    async with serving(full) as service:
        return await asyncio.to_thread(_measured, service, named)


def _measured(service: Service, named: Named) -> list[Measure]:
    headers = [("accept-encoding", "gzip")]
    get(service, headers)
    loop = Loop(service.port, PATH, headers, CONNECTIONS, SECONDS, PAUSE_S)
    alone = run_loop(loop)
    beside, wide = _beside_wide(service, named, loop)
    return [
        Measure("blocking: kept answers alone, p99", percentile(alone.latencies, 0.99), "ms"),
        Measure(
            f"blocking: kept answers beside {WIDE.name}, uncached, p99",
            percentile(beside.latencies, 0.99),
            "ms",
            bar=20,
        ),
        Measure("blocking: the longest of them", max(beside.latencies), "ms"),
        Measure("blocking: wide answers meanwhile, median", percentile(wide, 0.5), "ms"),
    ]


def _beside_wide(service: Service, named: Named, loop: Loop) -> tuple[Looped, list[float]]:
    """The loop, and the milliseconds of each wide answer meanwhile."""
    done, taken = threading.Event(), list[float]()

    def ask() -> None:
        client = Client(service.port)
        while not done.is_set():
            # Another limit each time, above the number of rows: the same work, never kept.
            path = WIDE.path(named).replace("limit=10000", f"limit={9999 - len(taken)}")
            answer = client.get(path)
            answer.rows()
            taken.append(answer.milliseconds)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        return run_loop(loop), taken
    finally:
        done.set()
        asking.join()
