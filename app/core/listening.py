"""The connection that hears of committed writes: LISTEN, and questions of which each is bounded.

It is not one of the pool's. LISTEN belongs to one connection to the server itself: through a pooler
that shares connections between transactions (PgBouncer) it hears nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, TypeVar

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.engine import URL, make_url

from app.core.versions import CHANNEL, READ_VERSIONS, Versions, versions_of

CONNECT_S: Final = 1.5
ANSWER_S: Final = 0.9
"""A connection that does not answer for so long is dead, or as good as dead."""
GRACE_S: Final = 0.05
CLOSE_S: Final = 0.5
UNREACHABLE: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""How a connection fails. TimeoutError is a kind of OSError."""

# Which history of which database this is: a restored or promoted server continues on another
# timeline, and a database or table that was made again has another number.
ORIGIN: Final = (
    "SELECT (SELECT system_identifier FROM pg_control_system())::text"
    " || '/' || (SELECT oid FROM pg_database WHERE datname = current_database())"
    " || '/' || 'role_versions'::regclass::oid || '/' || CASE WHEN pg_is_in_recovery() THEN ''"
    " ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END"
)
_SETTINGS: Final = {
    "application_name": "payband-listen",
    "timezone": "UTC",
    "jit": "off",
    "statement_timeout": "5s",
    "idle_session_timeout": "0",
}

T = TypeVar("T")


class Listener:
    """One open connection. Any failure of a method means: close it, and open another."""

    def __init__(self, connection: asyncpg.Connection, origin: str) -> None:
        self._connection = connection
        self.origin = origin

    @classmethod
    async def open(
        cls, url: str | URL, told: Callable[[str], None], lost: Callable[[], None]
    ) -> "Listener":
        """Connect and listen. `told` is called with each notification, `lost` when it breaks.

        Raises UNREACHABLE.
        """
        async with asyncio.timeout(CONNECT_S):
            connection = await asyncpg.connect(
                **_arguments(url), timeout=CONNECT_S, server_settings=_SETTINGS
            )
        listener = cls(connection, "")
        try:
            connection.add_termination_listener(lambda _: lost())
            await listener._bounded(
                connection.add_listener(CHANNEL, lambda *event: told(str(event[3])))
            )
            listener.origin = await listener._find_origin()
        except BaseException:
            connection.terminate()
            raise
        return listener

    async def read(self) -> Versions:
        """The versions as they are now. Raises UNREACHABLE."""
        row = await self._bounded(self._connection.fetchrow(READ_VERSIONS))
        return versions_of(row)

    async def close(self) -> None:
        """Say goodbye where that is quick, else just leave."""
        with suppress(*UNREACHABLE):
            if not self._connection.is_closed():
                await self._connection.close(timeout=CLOSE_S)
        self._connection.terminate()

    async def _find_origin(self) -> str:
        """Empty where this user may not know."""
        try:
            return str(await self._bounded(self._connection.fetchval(ORIGIN)))
        except asyncpg.InsufficientPrivilegeError:
            return ""

    async def _bounded(self, answer: Awaitable[T]) -> T:
        """Wait for an answer. Raises UNREACHABLE.

        A late one is not cancelled: the driver would ask the silent server to, and wait for that.
        """
        asked = asyncio.ensure_future(answer)
        asked.add_done_callback(_look_at)
        done, _ = await asyncio.wait({asked}, timeout=ANSWER_S)
        if not done:
            # Was it this process that was held up? What has arrived meanwhile is read first.
            done, _ = await asyncio.wait({asked}, timeout=GRACE_S)
        if not done:
            self._connection.terminate()
            raise TimeoutError("the database does not answer")
        return asked.result()


def _look_at(asked: asyncio.Future[Any]) -> None:
    """A failure that nobody waits for any more is not worth a line in the log."""
    if not asked.cancelled():
        asked.exception()


def _arguments(url: str | URL) -> dict[str, Any]:
    """What the driver's connect takes, from the same url as the pool's."""
    _, arguments = PGDialect_asyncpg().create_connect_args(make_url(url))  # type: ignore[no-untyped-call]
    for name in ("prepared_statement_cache_size", "prepared_statement_name_func"):
        arguments.pop(name, None)
    return dict(arguments)
