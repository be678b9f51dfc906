"""Checks keys: cached for moments, the same work for unknown and for wrong ones."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from time import monotonic
from typing import Final

import structlog
from sqlalchemy import select, text

from app.access.caller import Caller
from app.access.key_text import hash_key, parse_key
from app.access.scopes import GRANTABLE, Scope
from app.core.database import Database
from app.core.errors import NotAuthenticated, Unavailable
from app.tables import ApiKey

KEEP_S: Final = 5.0
"""How long a revoked key may still be accepted by this process."""
MOST_KEPT: Final = 4096
NO_KEY: Final = bytes(32)
INVALID: Final = "The API key is not valid. `payband keys list` shows which keys exist."

_USED = text(
    "UPDATE api_keys SET last_used_at = used.at"
    " FROM unnest(CAST(:ids AS text[]), CAST(:times AS timestamptz[])) AS used (id, at)"
    " WHERE api_keys.id = used.id"
)


@dataclass(frozen=True, slots=True)
class StoredKey:
    """What is needed of a key's row."""

    secret_hash: bytes
    scopes: frozenset[Scope]
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Verified:
    """A key that held a moment ago, and until when that may be relied on (monotonic)."""

    caller: Caller
    until: float


class Authenticator:
    """Keys of one process: a short memory of rows, and when each key was last used."""

    def __init__(self, database: Database, clock: Callable[[], float] = monotonic) -> None:
        self._database = database
        self._clock = clock
        self._kept: dict[str, tuple[float, StoredKey | None]] = {}
        self._used: dict[str, float] = {}
        self._verified: dict[bytes, Verified] = {}

    def find_verified(self, key: bytes) -> Caller | None:
        """The caller behind a key text that held within the last KEEP_S; None: `verify` it.

        By the key's hash: how long the look takes says nothing about keys that are near.
        """
        known = self._verified.get(sha256(key).digest())
        now = self._clock()
        if known is None or now >= known.until:
            return None
        self._used[known.caller.id] = now
        return known.caller

    async def verify(self, key: str) -> Caller:
        """The caller behind a key text. Raises NotAuthenticated (401), Unavailable (503)."""
        parsed = parse_key(key)
        if parsed is None:
            raise NotAuthenticated(
                "The API key is malformed: it looks like pb_ID_SECRET, and its checksum must "
                "fit. Was it cut when copied?",
                code="malformed_key",
            )
        stored = await self._stored(parsed)
        # An unknown id is compared as well, so that it takes as long as a wrong secret.
        expected = NO_KEY if stored is None else stored.secret_hash
        if not hmac.compare_digest(hash_key(key), expected) or stored is None:
            raise NotAuthenticated(INVALID, code="invalid_key")
        now = datetime.now(UTC)
        if stored.revoked_at is not None:
            raise NotAuthenticated("The API key was revoked.", code="revoked_key")
        if stored.expires_at is not None and stored.expires_at <= now:
            raise NotAuthenticated("The API key has expired.", code="expired_key")
        self._used[parsed] = self._clock()
        caller = Caller(parsed, stored.scopes)
        self._remember(key, caller, stored)
        return caller

    async def record_use(self) -> None:
        """Store when keys were last used. What cannot be stored now is kept for the next time."""
        used, self._used = self._used, {}
        if not used:
            return
        try:
            async with self._database.write() as session:
                began = datetime.now(UTC) - timedelta(seconds=self._clock())
                times = [began + timedelta(seconds=at) for at in used.values()]
                await session.execute(_USED, {"ids": list(used), "times": times})
        except Unavailable:
            self._used = used | self._used
            structlog.get_logger().warning("last use of keys not stored", keys=len(used))

    def _remember(self, key: str, caller: Caller, stored: StoredKey) -> None:
        """For as long as the key's row is kept, so that a revoked one is gone with it."""
        kept = self._kept.get(caller.id)
        if kept is None or kept[1] is not stored:
            return
        if len(self._verified) >= MOST_KEPT:
            self._verified.clear()
        until = kept[0] + KEEP_S
        if stored.expires_at is not None:
            left = stored.expires_at - datetime.now(UTC)
            until = min(until, self._clock() + left.total_seconds())
        self._verified[hash_key(key)] = Verified(caller, until)

    async def _stored(self, key_id: str) -> StoredKey | None:
        now = self._clock()
        kept = self._kept.get(key_id)
        if kept is not None and now - kept[0] < KEEP_S:
            return kept[1]
        found = await self._load(key_id)
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        self._kept[key_id] = (now, found)
        return found

    async def _load(self, key_id: str) -> StoredKey | None:
        columns = (ApiKey.secret_hash, ApiKey.scopes, ApiKey.expires_at, ApiKey.revoked_at)
        async with self._database.read() as session:
            row = (await session.execute(select(*columns).where(ApiKey.id == key_id))).first()
        if row is None:
            return None
        known = frozenset(scope for scope in GRANTABLE if scope.value in row.scopes)
        return StoredKey(bytes(row.secret_hash), known, row.expires_at, row.revoked_at)
