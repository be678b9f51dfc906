"""Decides whether a change of a taxonomy can be, and makes it. Callers hold the taxonomy lock.

Each `save_` returns whether anything is different now: False where a member was so already.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from app.core.database import WriteSession
from app.core.errors import Conflict, NotFound, Refused
from app.domain.folding import fold
from app.domain.nearest import nearest
from app.domain.places import fold_place
from app.domain.title_words import fold_title
from app.domain.vocabulary import (
    RECURRENCES,
    REGION_KINDS,
    SOURCE_KINDS,
    UNSPECIFIED,
    word_of,
)
from app.tables import Industry, Level, Region, Role, Source
from app.taxonomies.catalogue import (
    Catalogue,
    Dimension,
    Entry,
    EntryT,
    IndustryEntry,
    LevelEntry,
    RegionEntry,
    SourceEntry,
)
from app.taxonomies.schemas import (
    IndustryFields,
    LevelFields,
    NewRegion,
    RegionFields,
    RoleFields,
    SourceFields,
)
from app.taxonomies.store import (
    insert_member,
    place_region,
    source_holds_records,
    update_member,
)

PARENT_KINDS: Final = {
    "country": (),
    "subdivision": ("country", "subdivision"),
    "metro": ("country", "subdivision"),
}


def find_member(dimension: Dimension[EntryT], code: str) -> EntryT:
    """The member under an address. Raises NotFound (404) naming the nearest codes."""
    entry = dimension.find(code)
    if entry is None:
        raise not_found(dimension, code)
    return entry


def not_found(dimension: Dimension[Any], code: str) -> NotFound:
    """There is no member of that code, and which are near."""
    close = nearest(code, dimension.open_codes())
    hint = f" Nearest: {', '.join(close)}." if close else ""
    return NotFound(
        f"There is no {dimension.name} {code[:80]!r}.{hint}",
        code=f"unknown_{dimension.name}",
        nearest=close,
    )


def check_new(dimension: Dimension[Any], code: str) -> None:
    """Raise Conflict (409) where a member has that code."""
    if dimension.find(code) is not None:
        raise Conflict(
            f"There is a {dimension.name} {code} already; change it with PUT on its address.",
            code="already_exists",
        )


def find_changeable(dimension: Dimension[EntryT], code: str) -> EntryT:
    """The member that a PUT changes. Raises NotFound; Conflict for `unspecified`."""
    entry = dimension.find(code)
    if entry is None:
        raise not_found(dimension, code)
    if code == UNSPECIFIED:
        raise Conflict(f"{UNSPECIFIED} is part of every dimension and cannot be changed.")
    return entry


async def save_level(
    session: WriteSession, catalogue: Catalogue, code: str, body: LevelFields
) -> bool:
    """Insert or change a level. Raises Conflict for a rank or word of another level."""
    entry = catalogue.levels.find(code)
    for other in catalogue.levels:
        if other is not entry and other.rank == body.rank:
            raise Conflict(
                f"{other.code} has rank {body.rank}; ranks order levels, so each has its own.",
                code="rank_taken",
            )
    _check_words(catalogue.levels, entry, (code, body.name, *body.aliases))
    return await _save(session, Level, entry, code, body.model_dump(exclude={"code"}))


async def save_industry(
    session: WriteSession, catalogue: Catalogue, code: str, body: IndustryFields
) -> bool:
    """Insert or change an industry. Raises Conflict for a word of another industry."""
    entry = catalogue.industries.find(code)
    _check_words(catalogue.industries, entry, (code, body.name, *body.aliases))
    return await _save(session, Industry, entry, code, body.model_dump(exclude={"code"}))


async def save_role(
    session: WriteSession, catalogue: Catalogue, code: str, body: RoleFields
) -> bool:
    """Insert or change a role. Raises Conflict for the name of another: names match titles."""
    entry = catalogue.roles.find(code)
    for other in catalogue.roles:
        if other is not entry and fold_title(other.name) == fold_title(body.name):
            raise Conflict(
                f"{other.code} has the name {other.name!r}; a title of that name could mean both.",
                code="name_taken",
            )
    return await _save(session, Role, entry, code, body.model_dump(exclude={"code"}))


async def save_source(
    session: WriteSession, catalogue: Catalogue, code: str, body: SourceFields
) -> bool:
    """Insert or change a source. Raises Conflict where `confidential` would change under data."""
    entry: SourceEntry | None = catalogue.sources.find(code)
    if (
        entry is not None
        and entry.confidential != body.confidential
        and await source_holds_records(session, entry.id)
    ):
        raise Conflict(
            f"{code} holds data, or an import of it runs: whether it is confidential can be "
            "changed only while it is empty. Delete its records first, or make another source.",
            code="source_not_empty",
        )
    values = body.model_dump(exclude={"code"}) | {
        "kind": SOURCE_KINDS[body.kind],
        "recurrence": RECURRENCES[body.recurrence],
    }
    return await _save(session, Source, entry, code, values)


async def save_region(
    session: WriteSession, catalogue: Catalogue, code: str, body: RegionFields
) -> bool:
    """Insert or change a region, and where everything under it stands.

    Raises Refused or UnknownValue (422) for a code, parent or kind that does not fit, Conflict for
    a code or alias of another region.
    """
    entry = catalogue.regions.find(code)
    kind = body.kind if isinstance(body, NewRegion) else _kind(entry)
    parent = None if body.parent is None else catalogue.regions.get(body.parent)
    _check_parent(code, kind, entry, parent)
    _check_code(code, kind, entry, parent, catalogue)
    _check_region_words(catalogue, entry, body)
    if body.alpha3 is not None and kind != "country":
        raise Refused("alpha3 is for countries.", code="invalid_value")
    values = body.model_dump(exclude={"code", "kind", "parent"}) | {
        "parent_id": None if parent is None else parent.id
    }
    if entry is None:
        values |= {"kind": REGION_KINDS[kind], "ancestors": []}
    return await _save(session, Region, entry, code, values)


def _kind(entry: RegionEntry | None) -> str:
    return UNSPECIFIED if entry is None else word_of(REGION_KINDS, entry.kind)


def _check_parent(
    code: str, kind: str, entry: RegionEntry | None, parent: RegionEntry | None
) -> None:
    allowed = PARENT_KINDS[kind]
    found = None if parent is None else _kind(parent)
    if (found is None and allowed) or (found is not None and found not in allowed):
        needed = f"a {' or a '.join(allowed)}" if allowed else "null: countries are at the top"
        raise Refused(
            f"The parent of a {kind} must be {needed}.", code="invalid_parent", parameter="parent"
        )
    if entry is not None and parent is not None and entry.id in parent.ancestors:
        raise Refused(
            f"{parent.code} lies in {code}, so it cannot be its parent.",
            code="invalid_parent",
            parameter="parent",
        )


def _check_code(
    code: str,
    kind: str,
    entry: RegionEntry | None,
    parent: RegionEntry | None,
    catalogue: Catalogue,
) -> None:
    """A country has two letters, a subdivision its country's code and up to three characters, a
    metro area its parent's code and a short code; when one moves, its country stays."""
    if parent is None:
        start, fits = "two letters", "-" not in code
    else:
        country = catalogue.regions.by_id[parent.country_id].code
        above = parent.code if kind == "metro" and entry is None else country
        start = f"{above}- and a short code"
        rest = code.removeprefix(f"{above}-")
        fits = rest != code and (entry is not None or "-" not in rest)
        fits = fits and (kind == "metro" or len(rest) <= 3)
    if not fits:
        raise Refused(
            f"The code of this {kind} must be {start}, not {code}.",
            code="invalid_code",
            parameter="code",
        )


def _check_region_words(
    catalogue: Catalogue, entry: RegionEntry | None, body: RegionFields
) -> None:
    """Codes are unique, and so is a new alias; names need not be (Georgia, Birmingham)."""
    known = frozenset() if entry is None else frozenset(fold_place(a) for a in entry.aliases)
    new = {fold_place(alias) for alias in body.aliases} - known
    codes = {fold_place(code) for code in (body.alpha3, body.cbsa) if code}
    for other in catalogue.regions:
        if other is entry:
            continue
        others = {fold_place(text) for text in (other.code, other.alpha3, other.cbsa) if text}
        taken = ((new | codes) & others) or (new & {fold_place(alias) for alias in other.aliases})
        if taken:
            raise _taken("region", min(taken), other.code)


def _check_words(
    dimension: Dimension[LevelEntry] | Dimension[IndustryEntry],
    entry: Entry | None,
    words: Iterable[str],
) -> None:
    wanted = {fold(word) for word in words}
    for other in dimension:
        if other is entry:
            continue
        taken = wanted & {fold(word) for word in (other.code, other.name, *other.aliases)}
        if taken:
            raise _taken(dimension.name, min(taken), other.code)


def _taken(dimension: str, word: str, owner: str) -> Conflict:
    return Conflict(f"{word!r} means the {dimension} {owner} already.", code="alias_taken")


async def _save(
    session: WriteSession,
    table: type[Level] | type[Role] | type[Industry] | type[Region] | type[Source],
    entry: Entry | None,
    code: str,
    values: Mapping[str, Any],
) -> bool:
    """Whether something changed by it."""
    if entry is not None and not await update_member(session, table, entry.id, values):
        return False
    member_id = entry.id if entry else await insert_member(session, table, {"code": code, **values})
    if table is Region:
        await place_region(session, member_id)
    return True
