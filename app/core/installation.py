"""Secrets of this installation: made once, kept in its database, the same in every process."""

import secrets
from typing import Final

from sqlalchemy import text

from app.core.database import ReadSession, WriteSession

SECRET_BYTES: Final = 32

_MAKE_SECRET: Final = text(
    "INSERT INTO secrets (name, value) VALUES (:name, :value) ON CONFLICT DO NOTHING"
)
_SECRET: Final = text("SELECT value FROM secrets WHERE name = :name")


async def find_secret(session: ReadSession | WriteSession, name: str) -> bytes | None:
    """A secret of this installation (32 bytes), None where it was not made yet."""
    found: bytes | None = await session.scalar(_SECRET, {"name": name})
    return found


async def read_secret(session: WriteSession, name: str) -> bytes:
    """A secret of this installation (32 bytes), made at its first use."""
    found = await find_secret(session, name)
    if found is None:
        value = secrets.token_bytes(SECRET_BYTES)
        await session.execute(_MAKE_SECRET, {"name": name, "value": value})
        found = await find_secret(session, name)
    assert found is not None
    return found
