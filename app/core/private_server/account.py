"""The account that the database server runs under.

PostgreSQL refuses to run as root. For any other user the server runs as that user and nothing
here does anything. For root it runs as the owner of an existing cluster, or as the system account
`payband-postgres` (no home, no shell, no password), which is created the first time. That account
must reach its own folder and the server's programs, so the folders above these two get the
'may pass through' bit for others (o+x: neither listing nor reading) where it is missing, and the
programs stay readable where the umask made them private. Each folder changed is logged. Files in
the data folder keep their own modes (the admin key 0600), and the cluster is 0700.
"""

import logging
import os
import pwd
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.core.private_server.errors import EmbeddedPostgresError

ACCOUNT: Final = "payband-postgres"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Account:
    """Who the server runs as."""

    uid: int
    gid: int

    @property
    def switch(self) -> dict[str, Any]:
        """Arguments for `subprocess` that make the child run under this account."""
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def server_account(cluster: Path) -> Account:
    """The caller; for root, the owner of the cluster or the system account.

    Raises EmbeddedPostgresError where root cannot create the account.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    if cluster.exists() and cluster.stat().st_uid != 0:
        return Account(cluster.stat().st_uid, cluster.stat().st_gid)
    entry = _find_account() or _create_account()
    return Account(entry.pw_uid, entry.pw_gid)


def _find_account() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        return None


def _create_account() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--user-group", "--no-create-home"]
    command += ["--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", ACCOUNT]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        reason = done.stderr.strip()
    except OSError as error:
        reason = str(error)
    entry = _find_account()  # another process may have been faster
    if entry is None:
        raise EmbeddedPostgresError(
            f"PostgreSQL does not run as root, and the system account {ACCOUNT} for it could not "
            f"be created ({reason}). Run as another user, or set PAYBAND_DATABASE_URL to a server."
        )
    return entry


def let_through(account: Account, folder: Path) -> None:
    """Let the account pass through `folder` and the folders above it, as root only.

    Raises EmbeddedPostgresError where a folder's mode cannot be changed.
    """
    if account.uid == os.geteuid():
        return
    for step in (folder, *folder.parents):
        found = step.stat()
        if found.st_uid == account.uid or found.st_mode & stat.S_IXOTH:
            continue
        try:
            step.chmod(stat.S_IMODE(found.st_mode) | stat.S_IXOTH)
        except OSError as error:
            raise EmbeddedPostgresError(
                f"the database server runs as {ACCOUNT} and cannot pass through {step} ({error}). "
                "Set PAYBAND_DATA_DIR to a folder elsewhere, or run as another user."
            ) from error
        logger.warning("others may now pass through %s (o+x): the database server needs it", step)


def let_read(account: Account, programs: Path) -> None:
    """Make the server's programs readable to the account where the umask made them private."""
    if account.uid == os.geteuid():
        return
    let_through(account, programs.parent)
    needed = stat.S_IROTH | stat.S_IXOTH
    if (programs / "bin" / "postgres").stat().st_mode & needed == needed:
        return
    for path in (programs, *programs.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        runs = stat.S_IXOTH if mode & stat.S_IXUSR else 0
        path.chmod(mode | stat.S_IROTH | runs)
