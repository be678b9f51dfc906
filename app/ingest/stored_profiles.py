"""Profiles kept in the database, beside those that are shipped."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import WriteSession
from app.core.errors import Conflict, Refused
from app.domain.nearest import nearest
from app.ingest.fields import shortened
from app.ingest.profiles import Profile, shipped_names, shipped_profile

_LIST = text("SELECT code, mapping FROM profiles ORDER BY code")
_FIND = text("SELECT mapping FROM profiles WHERE code = :code")
_SAVE = text(
    "INSERT INTO profiles AS p (code, mapping) VALUES (:code, CAST(:mapping AS jsonb))"
    " ON CONFLICT (code) DO UPDATE SET mapping = excluded.mapping RETURNING xmax = 0"
)


async def list_profiles(session: AsyncSession) -> list[dict[str, Any]]:
    """All profiles as JSON: the shipped ones, then those that were added, by code."""
    shipped = [describe(shipped_profile(name), shipped=True) for name in shipped_names()]
    rows = (await session.execute(_LIST)).all()
    stored = [Profile.from_mapping(row.mapping, name=row.code) for row in rows]
    return shipped + [describe(profile, shipped=False) for profile in stored]


async def get_profile(session: AsyncSession, code: str) -> Profile:
    """The profile with that code. Raises Refused `unknown_profile` naming the nearest."""
    if code in shipped_names():
        return shipped_profile(code)
    mapping = await session.scalar(_FIND, {"code": code})
    if mapping is None:
        known = [*shipped_names(), *(row.code for row in await session.execute(_LIST))]
        near = nearest(code, known)
        raise Refused(
            f"There is no profile '{shortened(code)}'; the nearest are: {', '.join(near)}. "
            "GET /v1/profiles lists them.",
            code="unknown_profile",
            parameter="profile",
            nearest=near,
        )
    return Profile.from_mapping(mapping, name=code)


async def save_profile(session: WriteSession, code: str, mapping: Mapping[str, Any]) -> bool:
    """Check and keep a profile; True if it is new. Raises Refused `invalid_profile`, Conflict."""
    if code in shipped_names():
        raise Conflict(
            f"'{code}' is a profile that comes with Payband; choose another code.",
            code="profile_exists",
        )
    Profile.from_mapping(mapping, name=code)
    if not _can_be_stored(mapping):
        raise Refused(
            "A text of the profile holds a NUL byte or half of a surrogate pair; take it out.",
            code="invalid_profile",
        )
    values = {"code": code, "mapping": json.dumps(dict(mapping))}
    return bool(await session.scalar(_SAVE, values))


def _can_be_stored(value: object) -> bool:
    """Whether PostgreSQL takes every text within a JSON value."""
    if isinstance(value, str):
        return "\0" not in value and value.encode("utf-8", "ignore").decode() == value
    if isinstance(value, Mapping):
        return all(_can_be_stored(item) for pair in value.items() for item in pair)
    if isinstance(value, list):
        return all(map(_can_be_stored, value))
    return True


def describe(profile: Profile, *, shipped: bool) -> dict[str, Any]:
    """A profile as JSON, with the document that it was made from."""
    document = dict(profile.document or {})
    return {
        "code": profile.name,
        "title": document.get("title"),
        "kinds": list(profile.kinds),
        "source": None if profile.source is None else profile.source.code,
        "shipped": shipped,
        "profile": document,
    }
