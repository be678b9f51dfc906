"""The private server: shared between processes, stopped by the last, surviving kills."""

import asyncio
import importlib.util
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import make_url

from app.core.embedded import embedded_postgres
from app.core.private_server import cluster as cluster_module
from app.core.private_server.errors import EmbeddedPostgresError

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
not_as_root = pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")

# Says `ready`, holds the server until its input ends or Ctrl-C, then asks it once more.
HOLDER = """
import asyncio, sys
from pathlib import Path
import asyncpg
from sqlalchemy import make_url
from app.core.embedded import embedded_postgres

async def ask(url):
    parts = make_url(url)
    connection = await asyncpg.connect(
        host=parts.query["host"], user=parts.username, database=parts.database)
    await connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
    await connection.execute("INSERT INTO kept VALUES (1)")
    await connection.close()

with embedded_postgres(Path(sys.argv[1]), settings={"fsync": "off"}) as url:
    try:
        print("ready", flush=True)
        sys.stdin.read()
    except KeyboardInterrupt:
        pass
    asyncio.run(ask(url))
    print("asked", flush=True)
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A data folder for the tests of this file: making a cluster is what takes the time."""
    with tempfile.TemporaryDirectory(prefix="payband-test-") as made:
        yield Path(made) / "data"
        _wait_for(lambda: not _server_processes(Path(made)))


def start(folder: Path) -> Any:
    """`embedded_postgres` for a test: nothing has to survive a power cut."""
    return embedded_postgres(folder, settings={"fsync": "off"})


def ask(url: str, sql: str) -> Any:
    """The single value that a statement gives."""
    import asyncpg

    parts = make_url(url)

    async def run() -> Any:
        connection = await asyncpg.connect(
            host=str(parts.query["host"]), user=parts.username, database=parts.database
        )
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(run())


def _server_processes(folder: Path) -> list[psutil.Process]:
    """The supervisors and postmasters that work on the folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = " ".join(process.info["cmdline"] or ())
        if str(folder) in words and ("supervisor" in words or "bin/postgres" in words):
            found.append(process)
    return found


def _postmaster(folder: Path) -> int:
    return int((folder / "postgres" / "postmaster.pid").read_text().split()[0])


def _wait_for(condition: Callable[[], bool], timeout_s: float = 15) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def _holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_the_url_opens_a_database_of_postgresql_18_with_the_settings(folder: Path) -> None:
    with start(folder) as url:
        assert url.startswith("postgresql+asyncpg://postgres@/payband?host=")
        assert ask(url, "SHOW server_version").startswith("18.")
        assert ask(url, "SELECT current_database()") == "payband"
        assert ask(url, "SHOW shared_buffers") == "256MB"
        assert ask(url, "SHOW client_connection_check_interval") == "500ms"
        assert ask(url, "SHOW timezone") == "UTC"
        assert ask(url, "SHOW listen_addresses") == ""
        assert ask(url, "SELECT lower('ÉCOLE')") == "école"


def test_fsync_stays_on_unless_asked_otherwise() -> None:
    assert "fsync" not in cluster_module.SETTINGS
    assert "synchronous_commit" not in cluster_module.SETTINGS


def test_leaving_stops_every_process(folder: Path) -> None:
    with start(folder):
        assert len(_server_processes(folder)) == 2
    _wait_for(lambda: not _server_processes(folder), timeout_s=0.5)


def test_a_second_process_shares_the_server_and_the_last_one_stops_it(folder: Path) -> None:
    with start(folder) as url:
        postmaster = _postmaster(folder)
        other = _holder(folder)
        assert _postmaster(folder) == postmaster
        assert ask(url, "SELECT 1") == 1
    assert _postmaster(folder) == postmaster, "another process still uses the server"
    out, _ = other.communicate(timeout=30)
    assert out == "asked\n"
    assert not _server_processes(folder)


def test_two_handles_of_one_process_share_the_server(folder: Path) -> None:
    with start(folder) as first:
        with start(folder) as second:
            assert second == first
        assert ask(first, "SELECT 1") == 1


def test_a_killed_process_does_not_leave_the_server_running(folder: Path) -> None:
    killed = _holder(folder)
    killed.kill()
    killed.communicate()
    assert _server_processes(folder)
    _wait_for(lambda: not _server_processes(folder))
    with start(folder) as url:
        assert ask(url, "SELECT 1") == 1


def test_starting_at_once_after_a_kill_joins_the_server(folder: Path) -> None:
    killed = _holder(folder)
    killed.kill()
    killed.communicate()
    with start(folder) as url:
        assert ask(url, "SELECT 1") == 1


def test_everything_killed_at_once_recovers_with_its_data(folder: Path) -> None:
    with start(folder) as url:
        ask(url, "CREATE TABLE survivors AS SELECT 7 AS n")
        ask(url, "CHECKPOINT")
        for process in sorted(_server_processes(folder), key=lambda found: found.pid):
            process.kill()
    with start(folder) as url:
        assert ask(url, "SELECT n FROM survivors") == 7
        ask(url, "DROP TABLE survivors")


def test_a_process_id_left_behind_that_now_belongs_to_another_program(folder: Path) -> None:
    with start(folder):
        lines = (folder / "postgres" / "postmaster.pid").read_text().splitlines()
        left_behind = "\n".join([str(os.getpid()), *lines[1:], ""])
    (folder / "postgres" / "postmaster.pid").write_text(left_behind)
    with start(folder) as url:
        assert ask(url, "SELECT 1") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_end_the_service_before_the_database(
    folder: Path, number: signal.Signals
) -> None:
    process = _holder(folder)
    os.killpg(process.pid, number)
    assert process.stdout is not None
    assert process.stdout.readline() == "asked\n"
    assert process.wait(timeout=30) == 0
    assert not _server_processes(folder)
    process.communicate()


def test_a_path_too_long_for_a_socket_gets_a_private_one(folder: Path) -> None:
    deep = folder.parent / ("long" * 20) / "data"
    with start(deep) as url:
        socket_dir = Path(str(make_url(url).query["host"]))
        assert not socket_dir.is_relative_to(deep.resolve())
        assert stat.S_IMODE(socket_dir.stat().st_mode) == 0o700
        assert ask(url, "SELECT 1") == 1
    _wait_for(lambda: not socket_dir.exists(), timeout_s=1)


@as_root
def test_root_opens_folders_for_passing_through_only(folder: Path) -> None:
    closed = folder.parent / "closed"
    closed.mkdir(mode=0o700)
    data = closed / "data"
    data.mkdir(mode=0o700)
    secret = data / "admin.key"
    secret.touch(mode=0o600)
    with start(data) as url:
        socket_dir = Path(str(make_url(url).query["host"]))
        assert stat.S_IMODE(closed.stat().st_mode) == 0o701
        assert stat.S_IMODE(data.stat().st_mode) == 0o701
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        assert stat.S_IMODE(socket_dir.stat().st_mode) == 0o700
        assert psutil.Process(_postmaster(data)).uids().real != 0


@not_as_root
def test_a_folder_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(EmbeddedPostgresError, match="PAYBAND_DATA_DIR"):
        start(tmp_path / "data").__enter__()


def test_a_file_in_place_of_the_folder_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(EmbeddedPostgresError, match="PAYBAND_DATA_DIR"):
        start(tmp_path / "data").__enter__()


def test_a_server_that_does_not_start_shows_its_log(folder: Path) -> None:
    with (
        pytest.raises(EmbeddedPostgresError, match="max_connections"),
        embedded_postgres(folder, settings={"max_connections": "lots"}),
    ):
        pass
    assert not _server_processes(folder)


def test_a_cluster_of_another_version_is_left_alone(folder: Path) -> None:
    with start(folder):
        pass
    marker = folder / "postgres" / "PG_VERSION"
    marker.write_text("17\n")
    try:
        with pytest.raises(EmbeddedPostgresError, match="made by PostgreSQL 17"):
            start(folder).__enter__()
    finally:
        marker.write_text("18\n")


def test_a_missing_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EmbeddedPostgresError, match="embedded"):
        start(tmp_path).__enter__()
