"""Runs the server and stops it when no process uses it any more, however those ended.

Started by app/core/embedded.py as a program of its own, in its own session, so that Ctrl-C in a
terminal reaches the service and not the database under it. It has the caller's rights, because the
server's account may not be able to reach the interpreter; the server runs under its own account.

    python -m app.core.private_server.supervisor JOB

JOB is the JSON form of `Job`. Standard library only: it starts in 20 ms and stays at 10 MB.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.core.private_server.locks import is_free, open_lock, try_exclusive

POLL_S: Final = 1.0
STOP_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Job:
    """What to run and which locks tell who uses it; paths are absolute."""

    command: list[str]
    environment: dict[str, str]
    # `subprocess` arguments that change the account: user, group, extra_groups; or nothing.
    switch: dict[str, Any]
    folder: str
    # None: a private temporary folder, removed at the end.
    socket_dir: str | None
    transition_lock: str
    holders_lock: str
    server_lock: str


def main(job: Job) -> int:
    """Start the server, return to the caller, and stay in the background until it has ended.

    When this returns to the caller with 0, the server's lock is held.
    """
    lock = open_lock(Path(job.server_lock))
    if not try_exclusive(lock):
        return 1
    if os.fork():
        return 0
    os.chdir(job.folder)
    for name in (signal.SIGINT, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    with _socket_folder(job) as socket_dir:
        return _supervise(job, lock, socket_dir)


@contextmanager
def _socket_folder(job: Job) -> Iterator[str]:
    if job.socket_dir:
        yield job.socket_dir
        return
    folder = tempfile.mkdtemp(prefix="payband-")
    try:
        if job.switch:
            os.chown(folder, job.switch["user"], job.switch["group"])
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _supervise(job: Job, lock: int, socket_dir: str) -> int:
    server = subprocess.Popen(
        [*job.command, "-c", f'unix_socket_directories="{socket_dir}"'],
        cwd=job.folder,
        env=job.environment,
        stdin=subprocess.DEVNULL,
        umask=0o077,
        pass_fds=(lock,),  # the lock is free only when the last server process has gone
        **job.switch,
    )
    signal.signal(signal.SIGTERM, lambda *_: server.send_signal(signal.SIGINT))
    while True:
        try:
            return server.wait(timeout=POLL_S)
        except subprocess.TimeoutExpired:
            _stop_if_unused(job, server)


def _stop_if_unused(job: Job, server: subprocess.Popen[bytes]) -> None:
    transition = open_lock(Path(job.transition_lock))
    try:
        if not try_exclusive(transition) or not is_free(Path(job.holders_lock)):
            return
        server.send_signal(signal.SIGINT)  # 'fast': sessions end, a checkpoint is written
        try:
            server.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            server.send_signal(signal.SIGQUIT)  # 'immediate': recovers at the next start
            server.wait()
    finally:
        os.close(transition)


if __name__ == "__main__":
    sys.exit(main(Job(**json.loads(sys.argv[1]))))
