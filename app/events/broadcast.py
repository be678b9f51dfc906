"""One look at what changed for all who listen, however many they are and however slow."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from json import dumps
from typing import Final

from fastapi.sse import format_sse_event

from app.core.database import Database
from app.core.errors import Draining, Unavailable
from app.core.freshness import Freshness
from app.core.versions import Versions
from app.taxonomies.catalogue import CatalogueCache

PACE_S: Final = 0.25
"""Least time between two broadcasts: an import commits many times a second."""
AT_ONCE: Final = 20
"""Listeners that are woken before other requests have their turn: about 1 ms of work."""
MOST_ROLES: Final = 100
"""Roles that an event names; more are 'anything may have changed'."""
RETRY_MS: Final = 3000

RoleIds = frozenset[int] | None


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What is known at one moment; `codes` names roles by id, None while that is not known."""

    generation: int
    resets: int
    versions: Versions
    codes: Mapping[int, str] | None


@dataclass(slots=True, eq=False)
class Listener:
    """One open stream. `news` wakes it; it looks for itself what is new, and at nothing older.

    `sending` bounds what is being sent, None while nothing is.
    """

    news: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False
    sending: asyncio.Timeout | None = None

    def end(self) -> None:
        """Have the stream end, also where its client does not read what is sent."""
        self.ended = True
        self.news.set()
        if self.sending is not None:
            self.sending.reschedule(asyncio.get_running_loop().time())


class Broadcast:
    """The listeners of one process, at most `limit`."""

    def __init__(
        self, freshness: Freshness, database: Database, catalogue: CatalogueCache, limit: int
    ) -> None:
        self._freshness = freshness
        self._database = database
        self._catalogue = catalogue
        self._limit = limit
        self._listeners: set[Listener] = set()
        self._state: State | None = None
        self._rendered: dict[tuple[int, RoleIds], bytes | None] = {}
        self._closing = False
        self.told = 0

    def __len__(self) -> int:
        return len(self._listeners)

    @contextmanager
    def listening(self) -> Iterator[Listener]:
        """A listener for as long as the block runs. Raises Draining and Unavailable (503)."""
        if self._closing:
            raise Draining("The process is ending; another one answers.", code="draining")
        if len(self._listeners) >= self._limit:
            raise Unavailable(
                f"{self._limit} listeners are connected to this process; ask again later, or poll.",
                code="too_many_listeners",
                retry_after_s=10,
            )
        listener = Listener()
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def state(self) -> State:
        """What is known now. Raises Unavailable before the database was ever reached."""
        versions, known = self._freshness.versions, self._state
        if versions is None and known is not None:
            return known
        if versions is None:
            raise Unavailable(
                "The database was not reached yet; try again shortly.", code="database_unavailable"
            )
        if known is None or known.generation != self._freshness.generation:
            known = State(
                self._freshness.generation,
                self._freshness.resets,
                versions,
                self._codes(versions.stamp),
            )
            self._state = known
            self._rendered.clear()
        return known

    def render(self, old: State | None, new: State, roles: RoleIds) -> bytes | None:
        """The event that takes a listener from `old` to `new`; None where nothing of its changed.

        Rendered once for all who go the same way. Without `old` it is a first event.
        """
        key = (-1 if old is None else old.generation, roles)
        if new is not self._state:
            return render_event(old, new, roles)
        if key not in self._rendered:
            self._rendered[key] = render_event(old, new, roles)
        return self._rendered[key]

    async def run(self) -> None:
        """Wake the listeners whenever something changed, for ever."""
        generation = self._freshness.generation
        while True:
            await self._freshness.changed(generation)
            if not self._freshness.is_current():
                # A write that touches everything tells its roles first: not a state of its own.
                with suppress(Unavailable):
                    await self._freshness.confirm()
            generation = self._freshness.generation
            if self._listeners and self._freshness.versions is not None:
                await self._learn_codes()
                await self._wake()
            await asyncio.sleep(PACE_S)

    def close(self) -> None:
        """End all streams and take no more. May be called from a signal's handler."""
        self._closing = True
        for listener in list(self._listeners):
            listener.end()

    async def _wake(self) -> None:
        self.state()
        for number, listener in enumerate(list(self._listeners), start=1):
            listener.news.set()
            self.told += 1
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)

    async def _learn_codes(self) -> None:
        """Read the catalogue where an event is about to name roles that it does not know."""
        old, versions = self._state, self._freshness.versions
        if old is None or versions is None or old.versions.stamp != versions.stamp:
            return
        if self._codes(versions.stamp) is None:
            try:
                async with self._database.read() as session:
                    await self._catalogue.current(session)
            except Unavailable:
                return  # the event says that anything may have changed

    def _codes(self, stamp: str) -> Mapping[int, str] | None:
        catalogue = self._catalogue.known(stamp)
        if catalogue is None:
            return None
        return catalogue.derived(
            "role_codes", lambda: {role.id: role.code for role in catalogue.roles}
        )


def render_event(old: State | None, new: State, roles: RoleIds) -> bytes | None:
    """See Broadcast.render."""
    version = new.versions.of(roles)
    goes_on = old is not None and old.resets == new.resets
    if old is not None and goes_on and old.versions.of(roles) == version:
        return None
    named = _changed(old, new, roles) if old is not None and goes_on else None
    data = {"data_version": str(version), "epoch": version.epoch, "roles": named}
    return format_sse_event(
        data_str=dumps(data),
        event="version",
        id=str(version),
        retry=RETRY_MS if old is None else None,
    )


def _changed(old: State, new: State, roles: RoleIds) -> list[str] | None:
    """The codes of roles that changed; None where anything may have."""
    if old.versions.stamp != new.versions.stamp or new.codes is None:
        return None
    before, after = old.versions.roles, new.versions.roles
    changed = [
        role
        for role in (after if roles is None else roles)
        if after.get(role, 0) != before.get(role, 0)
    ]
    if len(changed) > MOST_ROLES or not all(role in new.codes for role in changed):
        return None
    return sorted(new.codes[role] for role in changed)
