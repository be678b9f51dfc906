"""What every transaction that writes rows needs: locks, and what answers depend on."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy import text

from app.core.database import ReadSession, WriteSession

# Arbitrary constants: the first half of advisory lock keys. Taken in this order: whole files,
# sources, presence; and all of them before any row of a version.
SOURCES: Final = 0x50_42_01
WHOLE_FILES: Final = 0x50_42_02
PRESENCE: Final = 0x50_42_03

_LOCK: Final = (
    "SELECT {function}({space}, id) FROM (SELECT unnest(CAST(:ids AS int[])) AS id ORDER BY 1) s"
)
_SHARED: Final = text(_LOCK.format(function="pg_advisory_xact_lock_shared", space=SOURCES))
_ALONE: Final = text(_LOCK.format(function="pg_advisory_xact_lock", space=SOURCES))
_WHOLE: Final = text(f"SELECT pg_advisory_xact_lock({WHOLE_FILES}, 0)")
_WRITING: Final = text(f"SELECT pg_advisory_xact_lock_shared({PRESENCE}, 0)")
_NONE_WRITING: Final = text(f"SELECT pg_advisory_xact_lock({PRESENCE}, 0)")
_PRESENCE: Final = text(
    "SELECT EXISTS (SELECT FROM sources s WHERE NOT s.confidential AND NOT s.demo AND ("
    "EXISTS (SELECT FROM salary_records r WHERE r.source_id = s.id)"
    " OR EXISTS (SELECT FROM demand_records r WHERE r.source_id = s.id)))"
)
_NEW_DATES: Final = text(
    "SELECT EXISTS (SELECT FROM unnest(CAST(:sources AS int[]), CAST(:dates AS date[]))"
    " AS d (source_id, observed_on) WHERE NOT EXISTS (SELECT FROM demand_records r"
    " WHERE r.source_id = d.source_id AND r.observed_on = d.observed_on))"
)


@dataclass(frozen=True)
class SourceGroups:
    """Ids of sources by what is to be done about them."""

    confidential: frozenset[int]
    demo: frozenset[int]

    def is_public_data(self, source_ids: Iterable[int]) -> bool:
        """Whether one of them is public and not demo data."""
        return bool(set(source_ids) - self.confidential - self.demo)


async def lock_sources(
    session: WriteSession, source_ids: Iterable[int], *, alone: bool = False
) -> None:
    """Until the transaction ends, let no writer of many chunks near these sources.

    Writers of one chunk share the lock: they meet in the identity table, in the order of its key,
    and never in a circle. A transaction of several chunks, or one that does not follow that order
    (undo, deletion), takes it `alone`. Call first in the transaction. Raises Unavailable after
    the lock timeout.
    """
    if alone:
        await session.execute(_WHOLE)
    ids = sorted(set(source_ids))
    if ids:
        await session.execute(_ALONE if alone else _SHARED, {"ids": ids})


async def holds_public_records(session: WriteSession | ReadSession) -> bool:
    """Whether a public source other than demo data holds a record: then demo data is left out of
    default answers. One look into an index for each source."""
    return bool(await session.scalar(_PRESENCE))


async def held_before_writing(session: WriteSession) -> bool:
    """As `holds_public_records`; True holds until the transaction ends.

    Nobody finds meanwhile that the last record went: who does waits for this transaction, and
    looks again. Writers share the lock. Call after `lock_sources`.
    """
    await session.execute(_WRITING)
    return await holds_public_records(session)


async def lost_public_records(session: WriteSession) -> bool:
    """Whether this transaction deleted the last public record: then demo data is back.

    Waits for who is writing one just now only where none is left. Of those who delete there is
    one at a time (`lock_sources` with `alone`). Raises Unavailable after the lock timeout.
    """
    if await holds_public_records(session):
        return False
    await session.execute(_NONE_WRITING)
    return not await holds_public_records(session)


async def has_new_dates(session: WriteSession, dates: Iterable[tuple[int, date]]) -> bool:
    """Whether a demand source is about to report on a date on which it did not before."""
    pairs = list(dates)
    if not pairs:
        return False
    sources, days = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return bool(await session.scalar(_NEW_DATES, {"sources": sources, "dates": days}))
