"""Servers in processes of their own, `payband serve` first of all, and what they take."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Final
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import psutil

if TYPE_CHECKING:  # load generators import this module, and should start at once
    from bench.stage import Stage

START_S: Final = 60.0
MEGABYTE: Final = 1_000_000
ROOT: Final = Path(__file__).resolve().parents[1]
SERVE: Final = ("-c", "from app.cli import main; main()", "serve")


@dataclass(frozen=True, slots=True)
class Service:
    """A server that answers on `port` of this machine; `ready_s` is how long its start took."""

    port: int
    process: "subprocess.Popen[bytes]"
    ready_s: float

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def megabytes(self) -> float:
        """Resident memory of the process."""
        return psutil.Process(self.process.pid).memory_info().rss / MEGABYTE

    @property
    def cpu_s(self) -> float:
        """Processor time that the process has used since its start."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)


@asynccontextmanager
async def serving(stage: "Stage", **settings: str) -> AsyncIterator[Service]:
    """The service on the stage's database; `settings` as in `cache_bytes="0"`."""
    port = free_port()
    environment = environment_of(stage.folder / "served", port)
    environment["PAYBAND_DATABASE_URL"] = stage.plain_url
    environment |= {f"PAYBAND_{name.upper()}": value for name, value in settings.items()}
    async with running(SERVE, environment, port, "/readyz") as service:
        yield service


@asynccontextmanager
async def running(
    arguments: Sequence[str], environment: Mapping[str, str], port: int, path: str
) -> AsyncIterator[Service]:
    """A Python process with those arguments, from when it answers `path` until it has ended."""
    # To a file: a pipe that nobody reads would hold up a process that logs its requests.
    with TemporaryFile() as log:
        started = time.monotonic()
        process = _start(arguments, environment, log)
        try:
            address = f"http://127.0.0.1:{port}{path}"
            await asyncio.to_thread(_wait_until_ready, process, address, log)
            yield Service(port, process, time.monotonic() - started)
        finally:
            await asyncio.to_thread(_stop, process)


def _start(
    arguments: Sequence[str], environment: Mapping[str, str], log: IO[bytes]
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, *arguments],
        env=dict(environment),
        stdout=subprocess.DEVNULL,
        stderr=log,
    )


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End a process as its operator would; one that stays is killed."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=START_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def environment_of(folder: Path, port: int) -> dict[str, str]:
    """The environment of a service with its data in `folder`, without the caller's settings."""
    return {
        **bare_environment(),
        "PAYBAND_DATA_DIR": str(folder),
        "PAYBAND_PORT": str(port),
    }


def bare_environment() -> dict[str, str]:
    """The environment without the caller's settings, and with this code to be imported."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PAYBAND_")}
    # Not the caller's PORT, and as `make run` does it: compiled modules are kept.
    for name in ("PORT", "PYTHONDONTWRITEBYTECODE"):
        kept.pop(name, None)
    return {**kept, "PYTHONPATH": str(ROOT)}


def _wait_until_ready(process: "subprocess.Popen[bytes]", url: str, log: IO[bytes]) -> None:
    """Return when `url` is answered, other than with 5xx.

    Raises RuntimeError with what a dead process said last.
    """
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            log.seek(0)
            said = log.read().decode(errors="replace")[-2000:]
            raise RuntimeError(f"the service ended with status {process.returncode}: {said}")
        try:
            with urlopen(url, timeout=1):
                return
        except HTTPError as error:
            if error.code < 500:
                return
        except (URLError, TimeoutError, ConnectionError):
            pass
        time.sleep(0.02)
    raise TimeoutError(f"the service was not ready after {START_S:.0f} s")


def pin(process_id: int, core: int) -> None:
    """Keep a process on one core, where the system can and there are several."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > core:
        for thread in psutil.Process(process_id).threads():
            os.sched_setaffinity(thread.id, {core})


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
