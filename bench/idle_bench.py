"""The service at rest: how long it takes to start a second time, and its resident memory."""

import asyncio
from pathlib import Path

from bench import Measure
from bench.service import SERVE, environment_of, free_port, running
from bench.stage import Stage

REST_S = 3.0


async def run(stage: Stage) -> list[Measure]:
    """Two starts of `payband serve` with a private PostgreSQL and the demo data."""
    folder = stage.folder / "idle"
    first_s, first_mb = await _served(folder)
    second_s, second_mb = await _served(folder)
    return [
        Measure("idle: first start", first_s, "s", bar=60),
        Measure("idle: second start", second_s, "s", bar=5),
        Measure("idle: memory, first start", first_mb, "MB", bar=130),
        Measure("idle: memory, second start", second_mb, "MB", bar=130),
    ]


async def _served(folder: Path) -> tuple[float, float]:
    """Seconds until the service was ready, and the memory of its process some time later."""
    port = free_port()
    async with running(SERVE, environment_of(folder, port), port, "/readyz") as service:
        await asyncio.sleep(REST_S)
        return service.ready_s, service.megabytes
