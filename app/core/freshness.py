"""How a process knows, without asking for each answer, that what it keeps is still true.

One connection of its own hears every committed write (LISTEN), and asks for all versions each
second. The question is the second way where notifications are lost, and the heartbeat: what does
not answer is replaced, and a full answer follows every replacement. While there is no such
connection, who needs to know asks through the pool.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from time import monotonic
from typing import Final

import structlog
from sqlalchemy.engine import URL

from app.core.errors import Unavailable
from app.core.listening import UNREACHABLE, Listener
from app.core.probing import Found, Probe
from app.core.versions import Versions

POLL_S: Final = 1.0
CURRENT_S: Final = 2.0
"""How long ago the last full answer may have been asked for."""
CONFIRM_S: Final = 1.0
AWAY_S: Final = 0.1
"""How long a question waits while the database is known to be away."""
GAP_S: Final = 0.02
"""Notifications that say only that something changed are answered with one question for all that
come in this time."""
LONGEST_PAUSE_S: Final = 1.0
REPORT_S: Final = 60.0
"""How often the log says again that nothing is heard."""
NEVER: Final = float("-inf")


class Freshness:
    """The newest versions that one process knows of.

    `generation` grows whenever `versions` change. `resets` grows when they went backwards, or the
    database is another one: it was restored, and nothing that was kept holds. `reconnects` counts
    connections beyond the first. `origin` names the database and its timeline, empty until that is
    known. All times are monotonic: the wall clock may jump.
    """

    def __init__(
        self,
        url: str | URL,
        clock: Callable[[], float] = monotonic,
        elsewhere: Callable[[], Awaitable[Found]] | None = None,
    ) -> None:
        """`elsewhere` finds versions and origin by another way than the connection to `url`."""
        self._url = url
        self._clock = clock
        self._running: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._waiting: set[asyncio.Future[bool]] = set()
        self._watching: set[asyncio.Future[None]] = set()
        self._asked_at = self._heard_at = self._hinted_at = self._current_until = NEVER
        self._away = False
        self._probe = None if elsewhere is None else Probe(elsewhere, clock)
        self._known_before: Versions | None = None
        self._reported_at = NEVER
        self.origin = ""
        self._connects = 0
        self.versions: Versions | None = None
        self.generation = 0
        self.resets = 0

    @property
    def reconnects(self) -> int:
        """Connections opened, beyond the first."""
        return max(0, self._connects - 1)

    def start(self) -> None:
        """Begin to listen in the running loop. Does not wait for the database."""
        self._wake = asyncio.Event()  # an event belongs to one loop
        self._running = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End, and close the connection."""
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
        if self._probe is not None:
            await self._probe.close()
        self._answer(False)

    @property
    def is_away(self) -> bool:
        """True where the database was found away, by every way there is."""
        return self._away and (self._probe is None or self._probe.lost)

    def heard_s(self) -> float:
        """Seconds since the last full answer was asked for; infinite before the first."""
        return self._clock() - self._heard_at

    def is_current(self) -> bool:
        """True where `versions` are all that was committed up to 2 s ago, at least.

        False while something is known to have changed and not yet what.
        """
        return self._clock() < self._current_until

    async def confirm(self) -> None:
        """Make `versions` current: one question to the database for all who wait.

        Through the pool where the connection that listens does not answer. Raises Unavailable
        (`database_unavailable`), after 1 s at most for each way; after 0.1 s where the database was
        already away.
        """
        if self._running is None or self._running.done():
            raise _unavailable()
        if not await self._hear() and not await self._ask_elsewhere():
            raise _unavailable()

    async def _hear(self) -> bool:
        """Whether the connection that listens has answered a question."""
        if self._away and self._probe is not None:
            self._wake.set()
            return False
        heard: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.add(heard)
        self._wake.set()
        try:
            async with asyncio.timeout(AWAY_S if self._away else CONFIRM_S):
                return await heard
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(heard)

    async def _ask_elsewhere(self) -> bool:
        """Whether the database answers through the pool."""
        return self._probe is not None and await self._probe.ask(
            self._begin_probe, self._take_found
        )

    def _begin_probe(self) -> None:
        self._known_before = self.versions

    def _take_found(self, found: Found) -> None:
        assert self._probe is not None
        versions, origin = found
        self._meet(origin)
        # For a second: nothing tells of writes meanwhile.
        self._take(versions, self._known_before, self._probe.asked_at, POLL_S)

    async def changed(self, since: int) -> int:
        """Wait until `generation` is not `since`; what it is then."""
        while self.generation == since:
            change = asyncio.get_running_loop().create_future()
            self._watching.add(change)
            try:
                await change
            finally:
                self._watching.discard(change)
        return self.generation

    def note(self, versions: Versions) -> None:
        """Take in what another session of this process has read: it may be newer, or older."""
        known = self.versions
        if known is None or (known.epoch == versions.epoch and known.stamp != versions.stamp):
            self._wake.set()  # which of the two holds, the next answer says
        elif _state(known) != _state(versions):
            if _soundness(known) != _soundness(versions):
                self._wake.set()  # that does not only grow: which is newer, the next answer says
            self._set(_newest(known, versions))

    async def _run(self) -> None:
        """Connect, follow, and connect again, for ever."""
        failures = 0
        while True:
            listener, begun = None, False
            try:
                listener = await Listener.open(self._url, self._told, self._wake.set)
                await self._begin(listener)
                failures, begun = 0, True
                await self._follow(listener)
            except Exception as error:  # noqa: BLE001 - whatever it is: without this task all is stale
                if not begun:
                    failures += 1
                    self._fail()
                self._report(error, failures)
                if self._watching and not begun:
                    await self._ask_elsewhere()
            finally:
                if listener is not None:
                    await listener.close()
            await self._rest(_pause_s(failures), AWAY_S)

    async def _begin(self, listener: Listener) -> None:
        """The first full answer of a connection: whatever was missed before is in it."""
        self._meet(listener.origin)
        await self._ask(listener)
        self._connects += 1
        self._away = False
        if self._reported_at != NEVER:
            self._reported_at = NEVER
            structlog.get_logger().info("listening again")

    def _meet(self, origin: str) -> None:
        """Of another origin than before: nothing that was kept holds."""
        if self.origin and origin and self.origin != origin:
            self._forget()
        self.origin = origin or self.origin

    async def _follow(self, listener: Listener) -> None:
        while True:
            await self._rest(POLL_S - (self._clock() - self._asked_at), GAP_S)
            await self._ask(listener)

    async def _rest(self, pause_s: float, least_s: float) -> None:
        """Wait for `pause_s`; less where somebody asks, but `least_s` since the last attempt."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0, pause_s)):
                await self._wake.wait()
        left_s = self._asked_at + least_s - self._clock()
        if left_s > 0:
            await asyncio.sleep(left_s)
        self._wake.clear()

    async def _ask(self, listener: Listener) -> None:
        # What was known when the question left is in its answer. What is told meanwhile may not be.
        self._asked_at, known = self._clock(), self.versions
        asked_at = self._asked_at
        self._take(await listener.read(), known, asked_at, CURRENT_S)

    def _take(self, read: Versions, known: Versions | None, asked_at: float, for_s: float) -> None:
        """A full answer, and what was known when it was asked for."""
        if known is not None and _goes_back(known, read):
            self._forget()
        self._set(read if self.versions is None else _newest(read, self.versions))
        self._heard_at = max(self._heard_at, asked_at)
        if asked_at >= self._hinted_at:  # else the next question, which is due, says what changed
            self._current_until = max(self._current_until, asked_at + for_s)
            self._answer(True)

    def _told(self, payload: str) -> None:
        """A write was committed: `roles 5=17 9=3`, or something to ask about."""
        kind, _, told = payload.partition(" ")
        known = self.versions
        try:
            if kind != "roles" or known is None:
                raise ValueError
            pairs = (pair.split("=") for pair in told.split())
            newer = {int(role): int(version) for role, version in pairs}
        except ValueError:
            self._hinted_at, self._current_until = self._clock(), NEVER
            self._wake.set()
            return
        self._set(replace(known, roles=_highest(known.roles, newer)))

    def _set(self, versions: Versions) -> None:
        known, self.versions = self.versions, versions
        if known is None or _state(known) != _state(versions):
            self.generation += 1
            for change in self._watching:
                if not change.done():
                    change.set_result(None)

    def _forget(self) -> None:
        self.versions, self._current_until = None, NEVER
        self.resets += 1
        structlog.get_logger().warning("the database was restored", resets=self.resets)

    def _answer(self, answered: bool) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(answered)

    def _fail(self) -> None:
        self._asked_at, self._away = self._clock(), True
        self._answer(False)

    def _report(self, error: Exception, failures: int) -> None:
        """The first of many failures, one in a minute, and all that are not the connection's."""
        known = isinstance(error, UNREACHABLE)
        if failures < 2 or not known or self._clock() - self._reported_at >= REPORT_S:
            self._reported_at = self._clock()
            structlog.get_logger().warning(
                "not listening", error=type(error).__name__, exc_info=None if known else error
            )


def _state(versions: Versions) -> tuple[object, ...]:
    return versions.epoch, versions.stamp, versions.roles, *_soundness(versions)


def _soundness(versions: Versions) -> tuple[object, ...]:
    return versions.unsound, versions.places_sound


def _goes_back(known: Versions, read: Versions) -> bool:
    """True where `read`, asked for later than `known` was known, is of an earlier time."""
    if read.epoch < known.epoch or (read.epoch == known.epoch and read.stamp != known.stamp):
        return True
    return any(read.roles.get(role, 0) < version for role, version in known.roles.items())


def _newest(read: Versions, other: Versions) -> Versions:
    """The later of two states in every part; what is not a version as `read` has it."""
    later = other if other.epoch > read.epoch else read
    roles = _highest(read.roles, other.roles)
    return replace(read, epoch=later.epoch, stamp=later.stamp, roles=roles)


def _highest(known: Mapping[int, int], newer: Mapping[int, int]) -> dict[int, int]:
    highest = dict(known)
    for role, version in newer.items():
        if version > highest.get(role, 0):
            highest[role] = version
    return highest


def _pause_s(failures: int) -> float:
    """Longer with each failure, and never the same in all processes."""
    longest = min(LONGEST_PAUSE_S, 0.1 * 2.0 ** min(failures, 10)) if failures else 0.0
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


def _unavailable() -> Unavailable:
    return Unavailable(
        "The database is not available; try again shortly.", code="database_unavailable"
    )
