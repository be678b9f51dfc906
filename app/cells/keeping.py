"""Keeping cells: merging what was written, rebuilding what is not sound, in the background."""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import text

from app.core.database import Database
from app.core.errors import Unavailable
from app.settings import Settings

LOOK_S: Final = 2.0
"""Between two looks at what there is to do."""
LONGEST_PAUSE_S: Final = 60.0
"""After looks that failed, or could do nothing, again and again."""
BUSY: Final = 5
"""Many entries wait so many times as long as the last merging took, so that during a large import
it takes no more than a sixth of the time."""
REST: Final = 20
"""Few entries wait so many times as long as the last merging took: where they come in all months
of long roles, merging costs seconds, and reading them as they are next to nothing."""

# Below the version by one: whatever advances both keeps the difference.
_MARK_ROLES: Final = text(
    "INSERT INTO role_versions (role_id, version, cells_version)"
    " SELECT id, 0, -1 FROM unnest(CAST(:roles AS int[])) AS id ORDER BY id"
    " ON CONFLICT (role_id) DO UPDATE SET cells_version = role_versions.version - 1"
    " WHERE role_versions.cells_version = role_versions.version"
)
_MARK_PLACES: Final = text("UPDATE rollup_state SET places_sound = false WHERE places_sound")
_UNMERGED: Final = text(
    "SELECT coalesce(sum(c.entries), 0) AS entries, (SELECT EXISTS"
    " (SELECT FROM role_versions WHERE version <> cells_version)) AS roles_unsound,"
    " (SELECT places_sound FROM rollup_state) AS places_sound"
    " FROM salary_cells AS c WHERE NOT c.merged"
)


@dataclass(frozen=True, slots=True)
class Unmerged:
    """What there is to do: entries to merge, roles or the rollups of places to rebuild."""

    entries: int
    roles_unsound: bool
    places_sound: bool

    @property
    def is_sound(self) -> bool:
        """Whether nothing has to be rebuilt."""
        return self.places_sound and not self.roles_unsound


async def mark_unsound(database: Database, role_ids: Collection[int]) -> None:
    """Say that the cells of roles, or (none given) the rollups of places, are not to be used.

    They are rebuilt soon (app/cells/rebuilding.py); until then answers come from the records.
    """
    async with database.write() as session:
        if role_ids:
            await session.execute(_MARK_ROLES, {"roles": sorted(role_ids)})
        else:
            await session.execute(_MARK_PLACES)


async def count_unmerged(database: Database) -> Unmerged:
    """What there is to do. Raises Unavailable."""
    async with database.read() as session:
        row = (await session.execute(_UNMERGED)).one()
    return Unmerged(int(row.entries), row.roles_unsound, row.places_sound)


class Keeper:
    """The background work of one process. All processes of a database may have one: they take
    turns, and whoever comes second finds nothing to do. Until `is_ready`, the tables may be those
    of another schema."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        is_ready: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._settings = settings
        self._is_ready = is_ready
        self._clock = clock
        self._waiting_since: float | None = None
        self._took_s = 0.0
        self._pause_s = LOOK_S

    async def run(self) -> None:
        """Look and work until cancelled. Whatever fails is tried again, later and later."""
        if self._settings.compact_entries == 0:
            return
        log = structlog.get_logger()
        while True:
            await asyncio.sleep(self._pause_s)
            try:
                progressed = await self.look()
            except Unavailable:
                progressed = False  # requests tell of it, and it goes by
            except Exception:
                log.exception("cells could not be kept")
                progressed = False
            longer = min(2 * self._pause_s, LONGEST_PAUSE_S)
            self._pause_s = LOOK_S if progressed else longer

    async def look(self) -> bool:
        """Do what is due; False if something is, and could not be done."""
        if not self._is_ready():
            return True
        found = await count_unmerged(self._database)
        if not found.is_sound and not await self._rebuild():
            return False
        if not self._is_due(found.entries):
            return True
        self._waiting_since = None
        return await self._compact()

    def _is_due(self, entries: int) -> bool:
        """Whether the unmerged entries are many, or have been there for long."""
        if entries == 0:
            self._waiting_since = None
            return False
        now = self._clock()
        if self._waiting_since is None:
            self._waiting_since = now
        waited_s = now - self._waiting_since
        if entries >= self._settings.compact_entries:
            return waited_s >= BUSY * self._took_s
        return waited_s >= max(self._settings.compact_every_s, REST * self._took_s)

    async def _compact(self) -> bool:
        from app.cells.compaction import compact

        merged, began = 0, self._clock()
        while (done := await compact(self._database)).entries:
            merged += done.entries
            await asyncio.sleep(0)
            if done.is_all:
                break
        self._took_s = self._clock() - began
        return done.busy or merged > 0

    async def _rebuild(self) -> bool:
        from app.cells.rebuilding import rebuild_unsound

        return await rebuild_unsound(self._database)
