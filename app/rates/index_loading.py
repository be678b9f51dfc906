"""Loading price indices from a publisher's file."""

from dataclasses import dataclass
from datetime import date

from app.core.database import Database, WriteSession
from app.core.errors import InvalidBody
from app.core.versions import advance_epoch
from app.rates.index_files import IndexTable, parse_indices
from app.rates.index_profiles import IndexProfile
from app.rates.index_store import read_region_ids, upsert_indices


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What a load of indices did: values that are new, changed, or were there already."""

    table: IndexTable
    inserted: int
    changed: int

    @property
    def unchanged(self) -> int:
        """Values that were there already."""
        return len(self.table.values) - self.inserted - self.changed


async def import_indices(
    database: Database, content: bytes, profile: IndexProfile, today: date
) -> IndexReport:
    """Store the indices of a file; the epoch advances if that changed anything.

    Values replace those of the same region and period; what the file does not name stays. Raises
    InvalidBody, nothing stored, where the file is not as the profile says.
    """
    table = parse_indices(content, profile, today)
    async with database.write() as session:
        inserted, changed = await _store(session, profile.kind, table)
        if inserted or changed:
            await advance_epoch(session)
    return IndexReport(table, inserted, changed)


async def _store(session: WriteSession, kind: str, table: IndexTable) -> tuple[int, int]:
    ids = await read_region_ids(session, table.regions)
    unknown = [code for code in table.regions if code not in ids]
    if unknown:
        raise InvalidBody(
            f"the file has indices of regions that are not in the taxonomy: {', '.join(unknown)}"
        )
    values = {(ids[code], period): value for (code, period), value in table.values.items()}
    return await upsert_indices(session, kind, values)
