"""Job titles of records: to rows of `titles`, matched once for each distinct text."""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from sqlalchemy import text

from app.core.database import WriteSession
from app.core.versions import advance_epoch
from app.domain.titles import TitleMatch
from app.domain.vocabulary import UNSPECIFIED
from app.taxonomies.catalogue import Catalogue
from app.taxonomies.matching import role_words, title_matcher

MAX_CODE_LENGTH: Final = 64
MAX_NAME_LENGTH: Final = 200
HASH_BYTES: Final = 4
CODE: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
MATCH_IN_THREAD: Final = 100
"""So many titles may take longer to match than the event loop should be held."""

_FIND = text(
    "SELECT id, text, role_id, level_id FROM titles WHERE md5(text) = ANY(ARRAY("
    "SELECT md5(wanted) FROM unnest(CAST(:texts AS text[])) AS wanted))"
)
# In the order of the unique key, so that two writers with the same new titles wait for each other
# and never in a circle.
_INSERT = text(
    "INSERT INTO titles (text, role_id, level_id, focus_area, confidence, method)"
    " SELECT * FROM unnest(CAST(:texts AS text[]), CAST(:roles AS int[]),"
    " CAST(:levels AS smallint[]), CAST(:focus AS text[]), CAST(:confidences AS float8[]),"
    " CAST(:methods AS text[])) AS new (text, role_id, level_id, focus_area, confidence, method)"
    " ORDER BY md5(new.text) ON CONFLICT DO NOTHING"
)
_LOCK = text("SELECT id FROM titles WHERE id = ANY(CAST(:ids AS int[])) ORDER BY id FOR UPDATE")
_UPDATE = text(
    "UPDATE titles SET role_id = new.role_id, level_id = new.level_id,"
    " focus_area = new.focus_area, confidence = new.confidence, method = new.method"
    " FROM unnest(CAST(:ids AS int[]), CAST(:roles AS int[]), CAST(:levels AS smallint[]),"
    " CAST(:focus AS text[]), CAST(:confidences AS float8[]), CAST(:methods AS text[]))"
    " AS new (id, role_id, level_id, focus_area, confidence, method) WHERE titles.id = new.id"
)
_INSERT_ROLES = text(
    "INSERT INTO roles (code, name) SELECT * FROM unnest(CAST(:codes AS text[]),"
    " CAST(:names AS text[])) AS new (code, name) ORDER BY new.code"
    " ON CONFLICT (code) DO NOTHING RETURNING id"
)
_FIND_ROLES = text("SELECT code, id FROM roles WHERE code = ANY(CAST(:codes AS text[]))")


@dataclass(frozen=True, slots=True)
class ResolvedTitle:
    """A title's row, and the role and level that it gives (0: unspecified)."""

    title_id: int
    role_id: int
    level_id: int


@dataclass(frozen=True, slots=True)
class Meaning:
    """What is stored of a match."""

    role_id: int
    level_id: int
    focus_area: str | None
    confidence: float
    method: str


NO_TITLE: Final = ResolvedTitle(0, 0, 0)


async def resolve_titles(
    session: WriteSession, texts: Sequence[str], catalogue: Catalogue, *, create_roles: bool
) -> dict[str, ResolvedTitle]:
    """The rows of `titles` for distinct texts, made where missing; '' is the row 'none stated'.

    A title that is stored with an older match gets the current one; records written before keep
    theirs until `payband titles rematch`. With `create_roles` a title that nothing matches becomes
    a role, and the epoch advances: call it in a short transaction of its own, before the one that
    writes the records, so that its locks are never held while waiting for others. Texts must be
    storable (no NUL, no lone surrogate).
    """
    wanted = [title for title in dict.fromkeys(texts) if title]
    if not wanted:
        return {"": NO_TITLE}
    matches = await match_titles(wanted, catalogue)
    meanings = {title: build_meaning(match, catalogue) for title, match in matches.items()}
    made = False
    if create_roles:
        made = await _create_roles(session, meanings, catalogue)
    stored = await _stored(session, wanted)
    missing = [title for title in wanted if title not in stored]
    if missing:
        await _insert(session, missing, meanings)
        stored |= await _stored(session, missing)
    await _refresh(session, stored, meanings)
    if made:
        await advance_epoch(session)
    resolved = {title: _resolved(stored.get(title), meanings[title]) for title in wanted}
    return resolved | {"": NO_TITLE}


async def match_titles(texts: Sequence[str], catalogue: Catalogue) -> dict[str, TitleMatch]:
    """The matches of distinct titles; many at once are matched in a thread."""

    def match() -> dict[str, TitleMatch]:
        matcher = title_matcher(catalogue)
        return {title: matcher.match(title) for title in texts}

    return match() if len(texts) < MATCH_IN_THREAD else await asyncio.to_thread(match)


def build_meaning(match: TitleMatch, catalogue: Catalogue) -> Meaning:
    """The match as it is stored."""
    return Meaning(
        role_id=catalogue.roles.get(match.role).id,
        level_id=catalogue.levels.get(match.level).id,
        focus_area=match.focus_area,
        confidence=match.confidence,
        method=match.method,
    )


async def update_titles(session: WriteSession, meanings: Mapping[int, Meaning]) -> None:
    """Store new meanings by title id, locking rows in the order of their ids."""
    if meanings:
        ids = sorted(meanings)
        await session.execute(_LOCK, {"ids": ids})
        await session.execute(_UPDATE, {"ids": ids, **_columns(meanings[key] for key in ids)})


async def _stored(session: WriteSession, texts: Sequence[str]) -> dict[str, ResolvedTitle]:
    rows = (await session.execute(_FIND, {"texts": list(texts)})).all()
    wanted = set(texts)  # md5 can be made to collide; texts cannot
    return {
        row.text: ResolvedTitle(row.id, row.role_id, row.level_id)
        for row in rows
        if row.text in wanted
    }


async def _insert(
    session: WriteSession, texts: Sequence[str], meanings: Mapping[str, Meaning]
) -> None:
    columns = _columns(meanings[title] for title in texts)
    await session.execute(_INSERT, {"texts": list(texts), **columns})


def _columns(meanings: Iterable[Meaning]) -> dict[str, list[object]]:
    rows = list(meanings)
    return {
        "roles": [row.role_id for row in rows],
        "levels": [row.level_id for row in rows],
        "focus": [row.focus_area for row in rows],
        "confidences": [row.confidence for row in rows],
        "methods": [row.method for row in rows],
    }


async def _refresh(
    session: WriteSession, stored: Mapping[str, ResolvedTitle], meanings: Mapping[str, Meaning]
) -> None:
    """Correct stored matches. A role is never taken away here: another process may know it."""
    stale = {
        row.title_id: meanings[title]
        for title, row in stored.items()
        if meanings[title].role_id and row != _resolved(row, meanings[title])
    }
    await update_titles(session, stale)


def _resolved(row: ResolvedTitle | None, meaning: Meaning) -> ResolvedTitle:
    if row is None:  # its text's hash is taken by another text
        return ResolvedTitle(0, meaning.role_id, meaning.level_id)
    if not meaning.role_id:
        return row
    return ResolvedTitle(row.title_id, meaning.role_id, meaning.level_id)


async def _create_roles(
    session: WriteSession, meanings: dict[str, Meaning], catalogue: Catalogue
) -> bool:
    """Give each unmatched title of `meanings` a role of its own words. True if one is new."""
    named = {
        title: named_role
        for title, meaning in meanings.items()
        if not meaning.role_id and (named_role := role_of_title(title, catalogue)) is not None
    }
    if not named:
        return False
    names = dict(reversed(list(named.values())))  # the first name of a code stays
    made = await session.execute(
        _INSERT_ROLES, {"codes": list(names), "names": list(names.values())}
    )
    new = len(made.all()) > 0
    found = await session.execute(_FIND_ROLES, {"codes": list(names)})
    ids = {row.code: row.id for row in found}
    for title, (code, _) in named.items():
        old = meanings[title]
        meanings[title] = Meaning(ids[code], old.level_id, None, 1.0, "exact")
    return new


def role_of_title(title: str, catalogue: Catalogue) -> tuple[str, str] | None:
    """(code, name) of the role that a title would become; None if it only says a level.

    Seniority is left out: 'Senior Beekeeper' and 'Beekeeper' are one role, `beekeeper`.
    """
    words, shortened = role_words(title, catalogue)
    if not words or words == [UNSPECIFIED]:
        return None
    plain = " ".join(title.split())[:MAX_NAME_LENGTH]
    name = " ".join(word.capitalize() for word in words)[:MAX_NAME_LENGTH]
    return role_code(words), name if shortened else plain


def role_code(words: Sequence[str]) -> str:
    """A code made of words, at most 64 characters; a hash where letters do not suffice."""
    spelled = "-".join(words).replace("+", "-plus").replace("#", "-sharp")
    if len(spelled) <= MAX_CODE_LENGTH and CODE.fullmatch(spelled) and spelled != UNSPECIFIED:
        return spelled
    kept = re.sub(r"[^a-z0-9]+", "-", spelled)[: MAX_CODE_LENGTH - 2 * HASH_BYTES - 1].strip("-")
    return f"{kept or 'role'}-{blake2b(spelled.encode(), digest_size=HASH_BYTES).hexdigest()}"
