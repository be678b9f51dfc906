"""Making, listing and revoking API keys."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.audit import record
from app.access.caller import COMMAND_LINE, Caller
from app.access.key_file import read_key_file, write_key_file
from app.access.key_text import hash_key, make_key, parse_key
from app.access.scopes import GRANTABLE, Scope
from app.core.database import WriteSession
from app.core.errors import NotFound, Refused, UnknownValue
from app.domain.nearest import nearest
from app.tables import ApiKey

ADMIN_KEY_NAME = "admin.key of the data folder"
LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """All that can be shown of a key. `state` is live, expired or revoked."""

    id: str
    name: str
    scopes: tuple[str, ...]
    state: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


def parse_scopes(words: Iterable[str]) -> frozenset[Scope]:
    """Scopes from words. Raises UnknownValue naming the nearest, Refused where none is given."""
    choices = {scope.value: scope for scope in GRANTABLE}
    scopes = set()
    for word in words:
        if word not in choices:
            close = ", ".join(nearest(word, choices))
            raise UnknownValue(f"{word[:60]!r} is not a scope. Nearest: {close}.")
        scopes.add(choices[word])
    if not scopes:
        raise Refused(f"A key needs at least one scope of: {', '.join(choices)}.")
    return frozenset(scopes)


async def create_key(
    session: WriteSession,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime | None = None,
    *,
    by: Caller = COMMAND_LINE,
) -> tuple[str, str]:
    """Make a key: (id, key text). The text can't be shown again: only its hash is stored.

    Several keys may live at once, so that one can be replaced without a pause. `expires_at` has
    a time zone. Raises UnknownValue, Refused (422).
    """
    granted = sorted(parse_scopes(scopes))
    if not name.strip() or len(name) > LONGEST_NAME or "\0" in name:
        raise Refused(f"A key needs a name of 1 to {LONGEST_NAME} characters: who will use it?")
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise Refused("A key that has expired already is of no use; give a later date.")
    key_id, key = make_key()
    session.add(
        ApiKey(
            id=key_id,
            name=name.strip(),
            secret_hash=hash_key(key),
            scopes=list(granted),
            expires_at=expires_at,
        )
    )
    await record(session, by, "key.create", key=key_id, scopes=list(granted))
    return key_id, key


async def list_keys(session: AsyncSession) -> Sequence[KeyInfo]:
    """All keys, the oldest first, revoked ones included."""
    now = datetime.now(UTC)
    rows = (await session.scalars(select(ApiKey).order_by(ApiKey.created_at, ApiKey.id))).all()
    return [
        KeyInfo(
            id=row.id,
            name=row.name,
            scopes=tuple(row.scopes),
            state=_state(row, now),
            created_at=row.created_at,
            expires_at=row.expires_at,
            last_used_at=row.last_used_at,
        )
        for row in rows
    ]


async def revoke_key(session: WriteSession, key_id: str, *, by: Caller = COMMAND_LINE) -> bool:
    """End a key; False where it was revoked before. Running servers follow within 5 seconds.

    Raises NotFound.
    """
    if await session.get(ApiKey, key_id) is None:
        raise NotFound(f"There is no key {key_id[:40]!r}; `payband keys list` shows all.")
    revoked = await session.execute(
        update(ApiKey)
        .where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None))
        .values(revoked_at=func.now())
        .returning(ApiKey.id)
    )
    if revoked.first() is None:
        return False
    await record(session, by, "key.revoke", key=key_id)
    return True


async def ensure_admin_key(session: WriteSession, path: Path) -> bool:
    """See that `path` (mode 600) holds an admin key of this database; True where one was made.

    A file without its database, or a database without its file, gets a new key; the lost one is
    revoked. A key that an operator revoked is left alone: that was meant.
    """
    key = read_key_file(path)
    key_id = parse_key(key) if key is not None else None
    row = await session.get(ApiKey, key_id) if key_id is not None else None
    if key is not None and row is not None and row.secret_hash == hash_key(key):
        return False
    lost = await session.scalars(
        select(ApiKey.id).where(ApiKey.name == ADMIN_KEY_NAME, ApiKey.revoked_at.is_(None))
    )
    for lost_id in lost.all():
        await revoke_key(session, lost_id)
    _, made = await create_key(session, ADMIN_KEY_NAME, [Scope.ADMIN])
    write_key_file(path, made)
    return True


def _state(row: ApiKey, now: datetime) -> str:
    if row.revoked_at is not None:
        return "revoked"
    return "expired" if row.expires_at is not None and row.expires_at <= now else "live"
