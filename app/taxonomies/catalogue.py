"""The taxonomies in memory: one frozen snapshot, replaced when the epoch's stamp changes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import ReadSession
from app.core.errors import UnknownValue
from app.core.versions import DataVersion, Versions, read_versions
from app.domain.folding import fold
from app.domain.nearest import MAX_WORD_LENGTH, nearest
from app.tables import Industry, Level, Region, Role, Source, Table, TitleAlias


@dataclass(frozen=True, slots=True)
class Entry:
    """What every dimension's member has."""

    id: int
    code: str
    name: str


@dataclass(frozen=True, slots=True)
class LevelEntry(Entry):
    rank: int
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RoleEntry(Entry):
    family: str
    soc: str | None
    isco: str | None


@dataclass(frozen=True, slots=True)
class IndustryEntry(Entry):
    naics: str | None
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RegionEntry(Entry):
    kind: int
    parent_id: int | None
    ancestors: tuple[int, ...]
    country_id: int
    subdivision_id: int
    metro_id: int
    alpha3: str | None
    cbsa: str | None
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SourceEntry(Entry):
    kind: int
    confidential: bool
    demo: bool
    recurrence: int
    licence: str | None
    url: str | None


@dataclass(frozen=True, slots=True)
class AliasEntry:
    """What a title means; `text` is folded."""

    text: str
    role_id: int
    level_id: int
    focus_area: str | None


EntryT = TypeVar("EntryT", bound=Entry)
DerivedT = TypeVar("DerivedT")


class Dimension(Generic[EntryT]):
    """The members of one dimension by code and by id."""

    def __init__(self, name: str, entries: Iterable[EntryT]) -> None:
        self.name = name
        self.by_id: Mapping[int, EntryT] = {entry.id: entry for entry in entries}
        self.by_code: Mapping[str, EntryT] = {entry.code: entry for entry in self.by_id.values()}

    def __iter__(self) -> Iterator[EntryT]:
        return iter(self.by_id.values())

    def find(self, code: str) -> EntryT | None:
        """The member with that code, None if there is none."""
        return self.by_code.get(code)

    def get(self, code: str, parameter: str | None = None) -> EntryT:
        """The member with that code.

        Raises UnknownValue (422) naming `parameter` (default: the dimension's name) and the codes
        that the word is an alias of, or else the nearest.
        """
        entry = self.by_code.get(code)
        if entry is None:
            raise self._unknown(code, parameter or self.name)
        return entry

    def _unknown(self, code: str, parameter: str) -> UnknownValue:
        meant = self._codes_of_alias(code)
        close = meant or nearest(code, self.open_codes())
        hint = f" Nearest: {', '.join(close)}." if close else ""
        if meant:
            hint = f" It is an alias of {', '.join(meant)}: filters take codes."
        return UnknownValue(
            f"{parameter} {code[:80]!r} is not known.{hint} GET /v1/{_PATHS[self.name]} lists "
            "all codes.",
            code=f"unknown_{self.name}",
            parameter=parameter,
            nearest=close,
        )

    def _codes_of_alias(self, word: str) -> list[str]:
        wanted = fold(word[:MAX_WORD_LENGTH])
        return [
            entry.code
            for entry in self
            if any(fold(alias) == wanted for alias in getattr(entry, "aliases", ()))
        ]

    def open_codes(self) -> list[str]:
        """Codes that a message may name: not those of confidential sources."""
        return [entry.code for entry in self if not getattr(entry, "confidential", False)]


_PATHS = {
    "role": "roles",
    "level": "levels",
    "region": "regions",
    "industry": "industries",
    "source": "sources",
}


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All taxonomies as of one data version (its epoch)."""

    version: DataVersion
    roles: Dimension[RoleEntry]
    levels: Dimension[LevelEntry]
    regions: Dimension[RegionEntry]
    industries: Dimension[IndustryEntry]
    sources: Dimension[SourceEntry]
    title_aliases: tuple[AliasEntry, ...] = ()
    _derived: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def derived(self, name: str, build: Callable[[], DerivedT]) -> DerivedT:
        """What `build` makes of this catalogue (an index, a matcher), made once and kept."""
        if name not in self._derived:
            self._derived[name] = build()
        return cast(DerivedT, self._derived[name])


class CatalogueCache:
    """Keeps the newest catalogue of this process. `note` is told all committed versions read."""

    def __init__(self) -> None:
        self._current: Catalogue | None = None
        self.note: Callable[[Versions], None] | None = None

    async def current(self, session: AsyncSession) -> tuple[Catalogue, DataVersion]:
        """The catalogue and the version of all data in the session's snapshot."""
        catalogue, versions = await self.read(session)
        return catalogue, versions.of()

    async def read(self, session: AsyncSession) -> tuple[Catalogue, Versions]:
        """The catalogue and the versions of the session's snapshot (one cheap query)."""
        versions = await read_versions(session)
        return await self.at(session, versions), versions

    async def at(self, session: AsyncSession, versions: Versions) -> Catalogue:
        """The catalogue of the session's snapshot, whose versions are these."""
        if self.note is not None and isinstance(session, ReadSession):
            self.note(versions)
        known = self.known(versions.stamp)
        if known is None:
            known = self._current = await load_catalogue(session, versions.of())
        return known

    def known(self, stamp: str) -> Catalogue | None:
        """The catalogue with that stamp of the epoch, where it is the one in memory."""
        current = self._current
        return current if current is not None and current.version.stamp == stamp else None


async def load_catalogue(session: AsyncSession, version: DataVersion) -> Catalogue:
    """Read all taxonomies."""
    return Catalogue(
        version=version,
        roles=Dimension("role", await _entries(session, Role, RoleEntry)),
        levels=Dimension("level", await _entries(session, Level, LevelEntry)),
        regions=Dimension("region", await _entries(session, Region, RegionEntry)),
        industries=Dimension("industry", await _entries(session, Industry, IndustryEntry)),
        sources=Dimension("source", await _entries(session, Source, SourceEntry)),
        title_aliases=await _aliases(session),
    )


async def _aliases(session: AsyncSession) -> tuple[AliasEntry, ...]:
    """Short ones first: where two have the same words, the matcher takes the first."""
    columns = (TitleAlias.text, TitleAlias.role_id, TitleAlias.level_id, TitleAlias.focus_area)
    rows = await session.execute(
        select(*columns).order_by(func.length(TitleAlias.text), TitleAlias.text)
    )
    return tuple(AliasEntry(*row) for row in rows)


async def _entries(session: AsyncSession, table: type[Table], entry: type[EntryT]) -> list[EntryT]:
    names = [name for cls in reversed(entry.__mro__) for name in cls.__dict__.get("__slots__", ())]
    columns = [getattr(table, name) for name in names]
    rows = await session.execute(select(*columns).order_by(columns[0]))
    return [entry(*(_frozen(value) for value in row)) for row in rows]


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
