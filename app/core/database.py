"""The database: one engine, and two kinds of session that can't be mixed up.

`read()` gives one snapshot (repeatable read, read only); `write()` one transaction that commits
when its block ends. What goes wrong with the connection comes out as `Unavailable`.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from time import monotonic
from typing import Any, Final

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from app.core.errors import Unavailable
from app.settings import Settings

READ_ONLY_SERVER: Final = "25006"
QUERY_CANCELED: Final = "57014"
LOCK_NOT_AVAILABLE: Final = "55P03"
# Classes of SQLSTATE that say 'not now': connection, resources, operator intervention, system,
# and the conflicts that a retry cures.
TRANSIENT: Final = ("08", "53", "57", "58", "40")


_DRIVER: Final = "driver"
_USED_AT: Final = "used_at"
RESTED_S: Final = 5.0
"""A connection that nobody used for so long is asked whether it is alive before it is used."""


class ReadSession(AsyncSession):
    """A session on one read-only snapshot."""


class WriteSession(AsyncSession):
    """A session whose transaction commits when its block ends without an exception."""

    async def driver(self) -> asyncpg.Connection:
        """The driver's own connection inside this transaction, for COPY."""
        connection = await (await self.connection()).get_raw_connection()
        driver: asyncpg.Connection = connection.driver_connection
        return driver


async def fetch(session: AsyncSession, statement: str) -> Sequence[asyncpg.Record]:
    """Rows, by position or by name, of a statement without placeholders.

    As `exec_driver_sql`, in the session's transaction, but straight from the driver: half of the
    service's time for a small statement. What goes wrong comes out as `Unavailable` all the same.
    """
    transaction = session.sync_session.get_transaction()
    known, driver = session.info.get(_DRIVER, (None, None))
    if transaction is None or known is not transaction:
        driver = await _begin(session)
        session.info[_DRIVER] = (session.sync_session.get_transaction(), driver)
    rows: Sequence[asyncpg.Record] = await driver.fetch(statement)
    return rows


async def _begin(session: AsyncSession) -> asyncpg.Connection:
    """The driver's connection, in the session's transaction."""
    connection = await session.connection()
    driver: Any = (await connection.get_raw_connection()).driver_connection
    if not driver.is_in_transaction():
        # SQLAlchemy begins a transaction with the first statement of its own.
        await connection.exec_driver_sql("SELECT 1")
    return driver


class Database:
    """The connection pool of one process."""

    def __init__(self, settings: Settings, url: str) -> None:
        self.engine = build_engine(settings, url)
        self._reading = self.engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        self._heavy = asyncio.Semaphore(settings.heavy_queries)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        """One snapshot. Raises Unavailable."""
        with _as_unavailable():
            async with ReadSession(self._reading) as session:
                yield session

    @asynccontextmanager
    async def heavy_read(self) -> AsyncIterator[ReadSession]:
        """As `read`, behind a semaphore smaller than the pool: for aggregates."""
        async with self._heavy, self.read() as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[WriteSession]:
        """One transaction, committed at the end. Raises Unavailable."""
        with _as_unavailable():
            async with (
                WriteSession(self.engine, expire_on_commit=False) as session,
                session.begin(),
            ):
                yield session

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()


def build_engine(settings: Settings, url: str) -> AsyncEngine:
    """An engine whose every wait is bounded: lock < statement < command."""
    statement_s = settings.statement_timeout_s
    engine = create_async_engine(
        make_url(url),
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_timeout=settings.pool_timeout_s,
        connect_args={
            "timeout": settings.connect_timeout_s,
            "command_timeout": statement_s + 5,
            "server_settings": {
                "application_name": "payband",
                "timezone": "UTC",
                "jit": "off",
                "lock_timeout": f"{max(1, statement_s // 2)}s",
                "statement_timeout": f"{statement_s}s",
                "idle_in_transaction_session_timeout": f"{statement_s * 4}s",
            },
        },
    )
    event.listen(engine.sync_engine, "handle_error", _drop_read_only_connections)
    event.listen(engine.sync_engine, "checkin", _note_use)
    event.listen(engine.sync_engine, "checkout", _check_alive)
    return engine


def _note_use(connection: Any, entry: ConnectionPoolEntry) -> None:
    entry.info[_USED_AT] = monotonic()


def _check_alive(connection: Any, entry: ConnectionPoolEntry, _: object) -> None:
    """Replace dead connections before they are used: all of them, where one is dead.

    One that the server closed is known to be closed without asking. One that rested is asked: what
    stands between may have forgotten it without a word. Asking always would be three round trips
    for each answer.
    """
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError
    used_at = entry.info.get(_USED_AT)  # None: it is new
    if used_at is None or monotonic() - used_at < RESTED_S:
        return
    try:
        connection.ping()
    except Exception as error:
        raise InvalidatePoolError from error


def _drop_read_only_connections(context: ExceptionContext) -> None:
    """After a failover the old primary refuses writes for ever: leave it, do not keep it."""
    if _sqlstate(context.original_exception) == READ_ONLY_SERVER:
        context.is_disconnect = True


def _sqlstate(error: BaseException | None) -> str:
    while error is not None:
        state = getattr(error, "sqlstate", None)
        if state:
            return str(state)
        error = error.__cause__
    return ""


@contextmanager
def _as_unavailable() -> Iterator[None]:
    try:
        yield
    except PoolTimeout:
        raise Unavailable(
            "All database connections are in use; try again shortly.", code="overloaded"
        ) from None
    except (DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        problem = _problem(error)
        if problem is None:
            raise
        raise problem from error
    except OSError as error:  # ConnectionError and TimeoutError are kinds of it
        if error.filename is not None:
            raise  # a file of ours, not the connection
        raise Unavailable(
            "The database cannot be reached; try again shortly.", code="database_unavailable"
        ) from error


def _problem(error: Any) -> Unavailable | None:
    state = _sqlstate(getattr(error, "orig", None) or error)
    if state == QUERY_CANCELED:
        return Unavailable(
            "The question took longer than this server allows; narrow it with filters.",
            code="query_timeout",
        )
    if state == LOCK_NOT_AVAILABLE:
        return Unavailable("The data is locked by another write; try again.", code="locked")
    broken = getattr(error, "connection_invalidated", False)
    lost = isinstance(error, asyncpg.InterfaceError) or isinstance(
        getattr(getattr(error, "orig", None), "__cause__", None), asyncpg.InterfaceError
    )
    if broken or lost or state == READ_ONLY_SERVER or state[:2] in TRANSIENT:
        return Unavailable(
            "The database is not available; try again shortly.", code="database_unavailable"
        )
    return None
