"""The second way to the versions: through the pool, while the connection that listens is away.

The database may be there all the same: a firewall, a wrong address or a full server may stand
between it and the connection that listens, and nobody else.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from app.core.database import Database
from app.core.listening import ORIGIN
from app.core.versions import Versions, read_versions

PROBE_S: Final = 1.0
"""How long one question may take, and the least time from one that failed to the next."""
LOST_S: Final = 0.1
"""How long who asks waits after a question failed."""
NEVER: Final = float("-inf")

Found = tuple[Versions, str]
"""The versions, and the origin: which history of which database they are of."""


class Probe:
    """One question at a time, for all who wait. `lost`: the last one was not answered."""

    def __init__(self, find: Callable[[], Awaitable[Found]], clock: Callable[[], float]) -> None:
        self._find = find
        self._clock = clock
        self._under_way: asyncio.Task[Found | None] | None = None
        self._pause_until = NEVER
        self.lost = False
        self.asked_at = NEVER

    async def ask(self, begun: Callable[[], None], take: Callable[[Found], None]) -> bool:
        """Ask, or wait with who asked; whether that was answered, within PROBE_S.

        `begun` is called when a question leaves, `take` with its answer: once for all.
        """
        under_way = self._under_way
        if under_way is None or under_way.done():
            if self._clock() < self._pause_until:
                return False
            under_way = self._under_way = asyncio.create_task(self._run(begun, take))
        # Not cancelled where it takes too long: what ends a silent connection is slow as well.
        done, _ = await asyncio.wait({under_way}, timeout=LOST_S if self.lost else PROBE_S)
        if not done:
            self._fail("no answer")
        return bool(done) and not under_way.cancelled() and under_way.result() is not None

    async def close(self) -> None:
        """End what is under way."""
        if self._under_way is not None:
            self._under_way.cancel()
            with suppress(asyncio.CancelledError):
                await self._under_way

    async def _run(self, begun: Callable[[], None], take: Callable[[Found], None]) -> Found | None:
        self.asked_at = self._clock()
        begun()
        try:
            async with asyncio.timeout(PROBE_S):
                found = await self._find()
        except Exception as error:  # noqa: BLE001 - whatever it is: the versions are not known
            self._fail(type(error).__name__)
            return None
        self.lost = False
        take(found)
        return found

    def _fail(self, error: str) -> None:
        if not self.lost:
            structlog.get_logger().warning("the database does not answer", error=error)
        self.lost, self._pause_until = True, self._clock() + PROBE_S


async def read_through(database: Database) -> Found:
    """The versions by a connection of the pool. Raises Unavailable."""
    async with database.read() as session:
        versions = await read_versions(session)
        try:
            return versions, str(await session.scalar(text(ORIGIN)))
        except ProgrammingError:
            return versions, ""  # this user may not know
