"""The service at rest: how long it takes to start a second time, and its resident memory."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from bench import Measure
from bench.stage import Stage

START_S = 60.0
REST_S = 3.0
MEGABYTE = 1_000_000


async def run(stage: Stage) -> list[Measure]:
    """Two starts of `payband serve` with a private PostgreSQL and the demo data."""
    return await asyncio.to_thread(_run, stage.folder / "idle")


def _run(folder: Path) -> list[Measure]:
    first_s, first_mb = _served(folder)
    second_s, second_mb = _served(folder)
    return [
        Measure("idle: first start", first_s, "s", bar=60),
        Measure("idle: second start", second_s, "s", bar=5),
        Measure("idle: memory, first start", first_mb, "MB", bar=130),
        Measure("idle: memory, second start", second_mb, "MB", bar=130),
    ]


def _served(folder: Path) -> tuple[float, float]:
    """Seconds until the service was ready, and the memory of its process some time later."""
    port = free_port()
    started = time.monotonic()
    process = start_service(environment_of(folder, port))
    try:
        wait_until_ready(process, f"http://127.0.0.1:{port}/readyz")
        taken = time.monotonic() - started
        time.sleep(REST_S)
        return taken, psutil.Process(process.pid).memory_info().rss / MEGABYTE
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=START_S)


def start_service(environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    """`payband serve` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", "from app.cli import main; main()", "serve"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def environment_of(folder: Path, port: int) -> dict[str, str]:
    """The environment of a service with its data in `folder`, without the caller's settings."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PAYBAND_")}
    root = str(Path(__file__).resolve().parents[1])
    # Not the caller's PORT, and as `make run` does it: compiled modules are kept.
    for name in ("PORT", "PYTHONDONTWRITEBYTECODE"):
        kept.pop(name, None)
    return {
        **kept,
        "PYTHONPATH": root,
        "PAYBAND_DATA_DIR": str(folder),
        "PAYBAND_PORT": str(port),
    }


def wait_until_ready(process: "subprocess.Popen[bytes]", url: str) -> None:
    """Return when `url` answers 200. Raises RuntimeError with what a dead process said last."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            said = process.stderr.read().decode(errors="replace") if process.stderr else ""
            raise RuntimeError(
                f"the service ended with status {process.returncode}: {said[-2000:]}"
            )
        try:
            with urlopen(url, timeout=1) as answer:
                if answer.status == 200:
                    return
        except (URLError, TimeoutError, ConnectionError):
            time.sleep(0.02)
    raise TimeoutError(f"the service was not ready after {START_S:.0f} s")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
