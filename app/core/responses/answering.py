"""What the routes call: a kept answer, 304, or one computation for all who ask the same."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass
from time import monotonic
from typing import Final, Protocol, TypeVar

from fastapi import Request
from starlette.responses import Response

from app.core.errors import Unavailable
from app.core.responses.asked import Asked
from app.core.responses.conditions import (
    accepts_gzip,
    build_etag,
    is_any,
    names_tag,
    quoted,
)
from app.core.responses.counts import Counts
from app.core.responses.entry import GZIP, PLAIN, VARY, Entry, HeaderList, Variant, build_entry
from app.core.responses.flights import Flights
from app.core.responses.store import Slot, Store, raw_key
from app.core.versions import DataVersion, Versions

STALE_S: Final = 86_400
"""How long clients may show what they have while the service cannot be reached."""
AWAY: Final = "database_unavailable"
AWAY_S: Final = 1.0
"""For so long after the database was found away, what is kept is served without asking again."""
WATCH_S: Final = 1.0
"""How often who waits for an answer looks whether the database is still there."""
JOINED_S: Final = 0.05
"""While the versions are not known, who asks joins what was begun at most so long before."""

T = TypeVar("T")


class KnownVersions(Protocol):
    """What is known of the newest data: `app.core.freshness.Freshness`."""

    versions: Versions | None
    generation: int
    resets: int
    origin: str

    @property
    def is_away(self) -> bool:
        """Whether the database was found away."""

    def is_current(self) -> bool:
        """Whether `versions` may be relied on."""

    async def confirm(self) -> None:
        """Make them so. Raises Unavailable."""


FindRoleIds = Callable[[str, Iterable[str]], frozenset[int] | None]
"""(the epoch's stamp, codes) to ids; None where they are not known without the database."""


@dataclass(frozen=True, slots=True)
class Computed:
    """A route's response, and the data it was computed from: the version of `role_ids` (None: of
    all) in the snapshot that was read."""

    response: Response
    version: DataVersion
    role_ids: frozenset[int] | None


@dataclass(frozen=True, slots=True)
class Landing:
    """The outcome of a computation. `slot` is None where it could not be kept."""

    entry: Entry
    slot: Slot | None


class Responses:
    """Kept answers of one process. Whether a caller may read them is decided before."""

    def __init__(
        self,
        known: KnownVersions,
        find_role_ids: FindRoleIds,
        *,
        build: str,
        limit_bytes: int,
        shared: bool = True,
    ) -> None:
        """`build` names what shapes answers beside the data; `shared`: anybody may read them."""
        self.known = known
        self.store = Store(limit_bytes)
        self.counts = Counts()
        self._find_role_ids = find_role_ids
        self._build = build
        policy = f"no-cache, stale-if-error={STALE_S}"
        self._cache_control = (policy if shared else f"private, {policy}").encode()
        self._landings: Flights[Landing] = Flights()
        self._variants: Flights[Variant] = Flights()
        self._resets = known.resets
        self._away_until = float("-inf")

    async def answer(self, asked: Asked, compute: Callable[[], Awaitable[Computed]]) -> Response:
        """The answer to a question, computed where no kept one holds.

        `compute` must not depend on who asks. Raises what it raises; Unavailable while the
        database is away and nothing was kept.
        """
        key = asked.canonical
        kept = key in self.store.slots
        try:
            asks_for_change = _if_none_match(asked.request) is not None
            await self._confirm(needed=kept or asks_for_change, kept=kept)
            slot = self.store.slots.get(key)
            if slot is not None and self.holds(slot.entry):
                return await self._kept(asked, slot.entry, slot, "hit")
            if (unchanged := self._find_unchanged(asked, key)) is not None:
                return unchanged
            return await self._computed(asked, key, compute, renews=slot is not None)
        except Unavailable as error:
            slot = self.store.slots.get(key)
            if error.problem_code != AWAY or slot is None or self._resets != self.known.resets:
                raise
            self._away_until = monotonic() + AWAY_S
            return await self._stale(asked, slot)

    def holds(self, entry: Entry) -> bool:
        """Whether an entry is as new as what is known. Meaningful while that is current."""
        generation = self.known.generation
        if entry.generation == generation:
            return True
        if self._resets != self.known.resets:
            # The database was restored: its versions say nothing about what was kept before.
            self._resets = self.known.resets
            self.store.clear()
            return False
        if self.known.versions is None:
            return False
        newest = self.known.versions.of(entry.role_ids)
        if not _covers(entry.version, newest):
            return False
        if entry.version == newest and entry.version.unsound != newest.unsound:
            return False  # the same data, and what is exact and what is rounded may differ
        entry.generation = generation
        return True

    async def close(self) -> None:
        """End the computations that are under way."""
        await self._landings.close()
        await self._variants.close()

    async def _confirm(self, *, needed: bool, kept: bool) -> None:
        """See that what is known is current, or raise that the database is away.

        Where neither this process nor the client has an answer it does not matter: the question
        goes to the database itself, unless that was found away.
        """
        known = self.known
        needed = needed or known.versions is None or known.is_away
        if not needed or known.is_current():
            return
        if kept and monotonic() < self._away_until:
            raise _away()
        try:
            await known.confirm()
        except Unavailable:
            if kept or known.is_away:
                raise _away() from None

    def _version(self, asked: Asked) -> DataVersion | None:
        """The version that an answer would have now, None where that is not known."""
        versions = self.known.versions
        if versions is None or not self.known.is_current():
            return None
        if asked.roles is None:
            return versions.of()
        ids = self._find_role_ids(versions.stamp, asked.roles)
        return None if ids is None else versions.of(ids)

    def _find_unchanged(self, asked: Asked, key: str) -> Response | None:
        """304 for who has the answer of this version already: before anything is computed."""
        sent, version = _if_none_match(asked.request), self._version(asked)
        if sent is None or version is None:
            return None
        tag = self._tag(key, version)
        codings = (True, False) if _wants_gzip(asked.request) else (False,)
        for etag in (quoted(tag, gzip=gzip) for gzip in codings):
            if names_tag(sent, etag):
                self.counts.not_modified += 1
                own = [VARY, (b"cache-control", self._cache_control), (b"etag", etag)]
                return _response(304, own, "hit; detail=version")
        return None

    async def _computed(
        self, asked: Asked, key: str, compute: Callable[[], Awaitable[Computed]], *, renews: bool
    ) -> Response:
        async def land() -> Landing:
            return await self._land(asked, key, compute)

        under_way = self._landings.run((key, self._begun_from(asked)), land)
        landing, joined = await self._attend(under_way)
        why = "fwd=stale" if renews else "fwd=miss"
        if joined:
            self.counts.collapsed += 1
            why += "; collapsed"
        elif landing.slot is not None:
            self.counts.miss += 1
            why += "; stored"
        else:
            self.counts.bypass += 1
            why += "; detail=not-kept"
        return await self._kept(asked, landing.entry, landing.slot, why, counted=True)

    def _begun_from(self, asked: Asked) -> Hashable:
        """What tells computations apart that may be shared: who asks after a write must not be
        given what was begun before it."""
        versions = self.known.versions
        if versions is None or not self.known.is_current():
            return int(monotonic() / JOINED_S)
        return self._version(asked) or versions.of()

    async def _attend(self, under_way: Awaitable[T]) -> T:
        """Its outcome, or Unavailable as soon as the database is found away.

        A connection that became silent is noticed here long before its own time limit.
        """
        task = asyncio.ensure_future(under_way)
        try:
            while not (await asyncio.wait({task}, timeout=WATCH_S))[0]:
                await self._check_there()
            return task.result()
        finally:
            task.cancel()

    async def _check_there(self) -> None:
        if not self.known.is_current():
            try:
                await self.known.confirm()
            except Unavailable:
                if self.known.is_away:
                    raise _away() from None

    def _tag(self, key: str, version: DataVersion) -> str:
        return build_etag(self._build, self.known.origin, key, version)

    async def _land(
        self, asked: Asked, key: str, compute: Callable[[], Awaitable[Computed]]
    ) -> Landing:
        """Compute, and keep the answer where it is a whole one."""
        resets = self.known.resets
        computed = await compute()
        entry = build_entry(
            computed.response,
            self._tag(key, computed.version),
            self._cache_control,
            computed.version,
            computed.role_ids,
            monotonic(),
        )
        whole = computed.response.status_code == 200
        if not whole or resets != self.known.resets or not self._is_newest(key, entry):
            return Landing(entry, None)
        kept = self.store.put(key, asked.route, asked.span_s, entry)
        return Landing(entry, self.store.slots.get(key) if kept else None)

    def _is_newest(self, key: str, entry: Entry) -> bool:
        """False where a computation that began later has ended earlier."""
        slot = self.store.slots.get(key)
        return slot is None or _covers(entry.version, slot.entry.version)

    async def _kept(
        self, asked: Asked, entry: Entry, slot: Slot | None, status: str, *, counted: bool = False
    ) -> Response:
        """The response from an entry, in the coding that the request takes."""
        coding = GZIP if _wants_gzip(asked.request) else PLAIN
        variant = await self._variant(entry, slot, coding)
        if slot is not None and slot.entry is entry:
            self.store.spell(raw_key(asked.request.scope), slot, coding)
        sent = _if_none_match(asked.request)
        if sent is not None and (is_any(sent) or names_tag(sent, variant.etag)):
            self.counts.not_modified += not counted
            return _response(304, variant.unchanged, status)
        self.counts.hit += not counted
        return _response(200, variant.headers, status, variant.body)

    async def _stale(self, asked: Asked, slot: Slot) -> Response:
        self.counts.stale += 1
        age = int(monotonic() - slot.entry.made_at)
        response = await self._kept(
            asked, slot.entry, None, f"hit; ttl=-{age}; detail=stale", counted=True
        )
        response.headers["Age"] = str(age)
        return response

    async def _variant(self, entry: Entry, slot: Slot | None, coding: int) -> Variant:
        """The variant of a coding; compressed once for all who want it, and kept."""
        known = entry.variants[coding]
        if known is not None:
            return known

        async def make() -> Variant:
            made = await entry.find_variant(coding)
            entry.variants[coding] = made
            return made

        variant, _ = await self._variants.run((entry, coding), make)
        if slot is not None:
            self.store.measure(slot)
        return variant


def _away() -> Unavailable:
    return Unavailable("The database is not available; try again shortly.", code=AWAY)


def _covers(version: DataVersion, known: DataVersion) -> bool:
    """Whether an answer of `version` is as new as `known`, both of the same roles.

    It may be newer: a computation may have read what is not told yet.
    """
    if version.stamp != known.stamp:
        return version.epoch > known.epoch
    return version.roles >= known.roles


def _if_none_match(request: Request) -> bytes | None:
    sent = request.headers.getlist("if-none-match")
    return ", ".join(sent).encode("latin-1") if sent else None


def _wants_gzip(request: Request) -> bool:
    return accepts_gzip(", ".join(request.headers.getlist("accept-encoding")))


def _response(status_code: int, headers: HeaderList, status: str, body: bytes = b"") -> Response:
    """A response with prepared headers, which the framework must not add to."""
    response = Response(body, status_code)
    response.raw_headers = [*headers, (b"cache-status", f"payband; {status}".encode())]
    return response
