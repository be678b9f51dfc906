"""Idempotency keys: the same request again gets the first answer again."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from app.core.database import WriteSession
from app.core.errors import Conflict, Refused
from app.ingest.imports import STALE_S

if TYPE_CHECKING:
    from app.ingest.importer import Outcome

MAX_KEY: Final = 255

# A key without an answer whose import has gone silent was left by a request that broke off: the
# next one takes it over.
_CLAIM = text(
    "INSERT INTO idempotency_keys AS k (owner, key) VALUES (:owner, :key)"
    " ON CONFLICT (owner, key) DO UPDATE SET updated_at = now(), import_id = NULL"
    " WHERE k.status IS NULL AND k.updated_at < clock_timestamp() - :grace * interval '1 s'"
    " AND NOT EXISTS (SELECT FROM imports i WHERE i.id = k.import_id AND i.state = 'running'"
    " AND i.updated_at > clock_timestamp() - :stale * interval '1 s')"
    " RETURNING 1"
)
_FIND = text(
    "SELECT request_hash, status, answer FROM idempotency_keys WHERE owner = :owner AND key = :key"
)
_LINK = text("UPDATE idempotency_keys SET import_id = :id WHERE owner = :owner AND key = :key")
_ANSWER = text(
    "UPDATE idempotency_keys SET request_hash = :hash, status = :status,"
    " answer = CAST(:answer AS json), updated_at = now() WHERE owner = :owner AND key = :key"
)
_RELEASE = text(
    "DELETE FROM idempotency_keys WHERE owner = :owner AND key = :key AND status IS NULL"
)
GRACE_S: Final = 5.0
"""So long after it was claimed a key may be without an import yet."""


@dataclass(frozen=True)
class StoredAnswer:
    """The first answer: its status, and the report or the problem's members."""

    request_hash: bytes
    status: int
    answer: dict[str, Any]


class RequestHash:
    """What a request asks, as SHA-256 of its target and of the body that passes through."""

    def __init__(self, target: str) -> None:
        self._hash = sha256(target.encode() + b"\0")

    async def over(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The same pieces, counted in."""
        async for piece in body:
            self._hash.update(piece)
            yield piece

    def digest(self) -> bytes:
        return self._hash.digest()


@dataclass(frozen=True)
class KeyClaim:
    """A key that this request holds until it has stored an answer or let go."""

    owner: str
    key: str

    @property
    def _values(self) -> dict[str, Any]:
        return {"owner": self.owner, "key": self.key}

    async def link(self, session: WriteSession, import_id: int) -> None:
        """Name the import whose heartbeat tells that the request lives."""
        await session.execute(_LINK, {**self._values, "id": import_id})

    async def answer(self, session: WriteSession, request_hash: bytes, outcome: "Outcome") -> None:
        """Store the answer in the transaction that makes it true."""
        await session.execute(
            _ANSWER,
            {
                **self._values,
                "hash": request_hash,
                "status": outcome.status,
                "answer": json.dumps(_answer_of(outcome)),
            },
        )

    async def release(self, session: WriteSession) -> None:
        """Forget the key of a request that has no answer to repeat."""
        await session.execute(_RELEASE, self._values)


async def claim_key(session: WriteSession, owner: str, key: str) -> KeyClaim | StoredAnswer:
    """Take a key, or find what it was answered. Commit before the request goes on.

    Raises Conflict `idempotency_key_in_use` (409) while the first request runs.
    """
    values = {"owner": owner, "key": key}
    if await session.scalar(_CLAIM, {**values, "grace": GRACE_S, "stale": STALE_S}):
        return KeyClaim(owner, key)
    row = (await session.execute(_FIND, values)).one_or_none()
    if row is None or row.status is None:
        raise Conflict(
            "A request with this Idempotency-Key is still running; try again when it has ended.",
            code="idempotency_key_in_use",
            headers={"Retry-After": "5"},
        )
    return StoredAnswer(bytes(row.request_hash), row.status, row.answer)


def check_key(key: str) -> None:
    """Raise Refused for a key that is empty, too long or not printable ASCII."""
    if not key or len(key) > MAX_KEY or not key.isascii() or not key.isprintable():
        raise Refused(
            f"An Idempotency-Key is 1 to {MAX_KEY} printable ASCII characters.",
            code="invalid_idempotency_key",
        )


def check_same(stored: StoredAnswer, request_hash: bytes) -> None:
    """Raise Refused `idempotency_key_reused` (422) where another request had the key."""
    if stored.request_hash != request_hash:
        raise Refused(
            "This Idempotency-Key was used for another request; take a new key for new data.",
            code="idempotency_key_reused",
        )


def _answer_of(outcome: "Outcome") -> dict[str, Any]:
    if outcome.error is None:
        return outcome.report
    error = outcome.error
    problem = {"code": error.problem_code, "title": error.title, "detail": error.detail}
    return {"problem": problem, "members": error.members}
