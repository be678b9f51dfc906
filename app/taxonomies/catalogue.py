"""The taxonomies in memory: one frozen snapshot, replaced when the epoch's stamp changes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.errors import UnknownValue
from app.core.versions import DataVersion, read_version
from app.domain.nearest import nearest
from app.tables import Industry, Level, Region, Role, Source, Table


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


EntryT = TypeVar("EntryT", bound=Entry)


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

    def get(self, code: str) -> EntryT:
        """The member with that code. Raises UnknownValue (422) naming the nearest codes."""
        entry = self.by_code.get(code)
        if entry is None:
            close = nearest(code, self.by_code)
            hint = f" Nearest: {', '.join(close)}." if close else ""
            raise UnknownValue(
                f"{self.name} {code[:80]!r} is not known.{hint} GET /v1/{_PATHS[self.name]} lists "
                "all codes.",
                code=f"unknown_{self.name}",
                parameter=self.name,
                nearest=close,
            )
        return entry


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


class CatalogueCache:
    """Keeps the newest catalogue of this process."""

    def __init__(self) -> None:
        self._current: Catalogue | None = None

    async def current(self, session: AsyncSession) -> tuple[Catalogue, DataVersion]:
        """The catalogue and the data version of the session's snapshot (one cheap query)."""
        version = await read_version(session)
        known = self._current
        if known is None or (known.version.stamp != version.stamp):
            known = await load_catalogue(session, version)
            self._current = known
        return known, version


async def load_catalogue(session: AsyncSession, version: DataVersion) -> Catalogue:
    """Read all taxonomies."""
    return Catalogue(
        version=version,
        roles=Dimension("role", await _entries(session, Role, RoleEntry)),
        levels=Dimension("level", await _entries(session, Level, LevelEntry)),
        regions=Dimension("region", await _entries(session, Region, RegionEntry)),
        industries=Dimension("industry", await _entries(session, Industry, IndustryEntry)),
        sources=Dimension("source", await _entries(session, Source, SourceEntry)),
    )


async def _entries(session: AsyncSession, table: type[Table], entry: type[EntryT]) -> list[EntryT]:
    names = [name for cls in reversed(entry.__mro__) for name in cls.__dict__.get("__slots__", ())]
    columns = [getattr(table, name) for name in names]
    rows = await session.execute(select(*columns).order_by(columns[0]))
    return [entry(*(_frozen(value) for value in row)) for row in rows]


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
