"""Writes chunks: one transaction for each chunk, or one for all of them."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from sqlalchemy import text

from app.core.database import Database, WriteSession
from app.core.errors import Unavailable
from app.core.versions import advance_epoch, advance_roles
from app.ingest.imports import Progress, save_progress
from app.ingest.merge import Merged, MergeRequest, merge_benchmarks, merge_records
from app.ingest.preparation import TABLES, PreparedChunk, StagedRows
from app.ingest.report import Report
from app.ingest.writing import (
    SourceGroups,
    has_new_dates,
    held_before_writing,
    holds_public_records,
)

ANALYZE_ROWS: Final = 10_000
"""After so many new rows the planner's statistics are renewed at once."""

MANY_ROWS: Final = 1_000
"""A chunk of so many rows is tried as all new, until one of the import was not: the server logs
an error for a try that fails."""

_ANALYZED: Final = {
    "salary": "salary_records, salary_identities",
    "demand": "demand_records, demand_identities",
    "benchmark": "benchmarks",
}


@dataclass(frozen=True)
class StagedChunk:
    """A prepared chunk with its rows as bytes. `prepared` holds no rows any more."""

    prepared: PreparedChunk
    parts: Sequence[StagedRows]


@dataclass
class Changes:
    """What one transaction changed that answers depend on."""

    role_ids: set[int] = field(default_factory=set)
    epoch: bool = False


class ChunkWriter:
    """Merges the chunks of one import and keeps its report. Not for two tasks at once."""

    def __init__(self, import_id: int, groups: SourceGroups, source_id: int) -> None:
        self.import_id = import_id
        self.groups = groups
        self.report = Report()
        self.source_id = source_id
        self.bytes_received = 0
        self._all_new = True

    def progress(self) -> Progress:
        members = self.report.as_members(self.import_id, None)
        return Progress(members, self.bytes_received, self.source_id)

    async def write(self, session: WriteSession, chunks: AsyncIterator[StagedChunk]) -> Report:
        """Merge chunks within the session's transaction; the report with them counted in.

        The caller adopts the report when the transaction is committed, with `adopt`. The sources
        are locked already.
        """
        report, changes = deepcopy(self.report), Changes()
        before = await held_before_writing(session)
        public = False
        async for chunk in chunks:
            for part in chunk.parts:
                await self._merge(session, part, report, changes)
            count(report, chunk.prepared)
            self._note_source(chunk.prepared.source_ids)
            self.bytes_received = chunk.prepared.bytes_read
            public |= self.groups.is_public_data(chunk.prepared.source_ids)
        if not before and public and await holds_public_records(session):
            changes.epoch = True  # demo data leaves the default answers
        members = report.as_members(self.import_id, None)
        await save_progress(
            session, self.import_id, Progress(members, self.bytes_received, self.source_id)
        )
        await advance_roles(session, changes.role_ids)
        if changes.epoch:
            await advance_epoch(session)
        return report

    def adopt(self, report: Report) -> None:
        """Make a committed report the current one."""
        self.report = report

    async def _merge(
        self, session: WriteSession, part: StagedRows, report: Report, changes: Changes
    ) -> None:
        if part.kind == "demand":
            changes.epoch |= await has_new_dates(session, self._public_dates(part.dates))
        counted: Merged | None = None
        for rows in part.rounds:
            merged = await self._merge_round(session, part, rows)
            counted = counted or merged
            changes.role_ids |= merged.role_ids
            changes.epoch |= merged.moved_dates
            if part.kind == "benchmark":
                changes.epoch |= merged.inserted + merged.updated > 0
        assert counted is not None
        report.inserted += counted.inserted
        report.updated += counted.updated + part.again_changed
        report.unchanged += part.first - counted.inserted - counted.updated + part.again_same
        report.rate_pending += part.pending

    async def _merge_round(self, session: WriteSession, part: StagedRows, rows: bytes) -> Merged:
        if part.kind == "benchmark":
            return await merge_benchmarks(session, rows, self.import_id)
        tables = TABLES[part.kind]
        request = MergeRequest(
            self.import_id,
            self.groups.confidential,
            self._all_new and part.first >= MANY_ROWS,
        )
        merged = await merge_records(session, tables, rows, request)
        self._all_new &= merged.inserted == part.first
        return merged

    def _public_dates(self, dates: Iterable[tuple[int, date]]) -> list[tuple[int, date]]:
        return [pair for pair in dates if pair[0] not in self.groups.confidential]

    def _note_source(self, source_ids: frozenset[int]) -> None:
        """The import shows the source it is about; a confidential one among several decides who
        may see it."""
        hidden = source_ids & self.groups.confidential
        if hidden:
            self.source_id = min(hidden)
        elif len(source_ids) == 1 and not self.source_id:
            (self.source_id,) = source_ids


def count(report: Report, prepared: PreparedChunk) -> None:
    """Add what preparation found to a report."""
    report.received += prepared.received
    report.skipped += prepared.skipped
    report.rejected += prepared.rejected
    report.add_errors(prepared.errors, prepared.error_count)
    report.add_warnings(prepared.warnings)


async def renew_statistics(database: Database, kinds: Iterable[str], rows: int) -> None:
    """ANALYZE after a large import, so that the next questions are planned for what is there.

    Left to the server's own schedule where somebody else is at it, or the database is away.
    """
    if rows < ANALYZE_ROWS:
        return
    with suppress(Unavailable):
        async with database.write() as session:
            await session.execute(text("SET LOCAL lock_timeout = '1s'"))
            for kind in kinds:
                await session.execute(text(f"ANALYZE {_ANALYZED[kind]}"))
