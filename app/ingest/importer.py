"""One import from its first byte to its report: what every door calls."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from app.access.audit import record
from app.access.caller import Caller
from app.core.database import WriteSession
from app.core.errors import AllRowsRejected, PaybandError, Refused
from app.core.versions import read_version
from app.dependencies import Services
from app.ingest.ground import build_ground
from app.ingest.imports import (
    COMPLETE,
    FAILED,
    INTERRUPTED,
    Opening,
    Progress,
    close_import,
    heartbeat,
    open_import,
)
from app.ingest.options import ImportOptions
from app.ingest.report import Report
from app.rates.loading import reprice_pending

if TYPE_CHECKING:
    from app.ingest.pipeline import Flow

Opened = Callable[[WriteSession, int], Awaitable[None]]
Ended = Callable[[WriteSession, "Outcome"], Awaitable[None]]
"""What the door adds to the transactions that open and end an import."""

GONE: Final = (
    "The sender went away before the end. What was committed stays; send the same file again to "
    "complete it."
)


CHUNK_ROWS: Final = 25_000
BLOCK_BYTES: Final = 2 << 20
"""Twice as much imports no faster and holds 70 MB more."""


class SenderGone(Exception):
    """Raised by a body whose sender went away midway."""


@dataclass(frozen=True)
class Outcome:
    """The answer to a write: a report, or the error that carries it."""

    report: dict[str, Any]
    error: PaybandError | None = None

    @property
    def status(self) -> int:
        return 200 if self.error is None else self.error.status


class Importer:
    """Runs one import. `progress` may be asked at any time how far it is."""

    def __init__(
        self,
        services: Services,
        options: ImportOptions,
        caller: Caller,
        *,
        opened: Opened | None = None,
        ended: Ended | None = None,
    ) -> None:
        self._services = services
        self._options = options
        self._caller = caller
        self._opened = opened
        self._ended = ended
        self._flow: Flow | None = None
        self._import_id = 0
        self._bytes_read = 0
        self._outcome: Outcome | None = None
        self._reprices = False

    @property
    def bytes_read(self) -> int:
        """Bytes taken from the body so far."""
        return self._bytes_read

    @property
    def report(self) -> Report:
        """What is committed so far."""
        return Report() if self._flow is None else self._flow.writer.report

    async def run(self, body: AsyncIterator[bytes]) -> Outcome:
        """Import `body`. The answer may be an error that carries the report.

        Raises PaybandError for a request that cannot be started, for a body that cannot be read
        and for a database that is away, and whatever else `body` raises. The import's row tells
        the end in each case.
        """
        await self._start()
        try:
            async with heartbeat(
                self._services.database, self._import_id, lambda: self._bytes_read
            ):
                await self._write(self._counted(body))
        except PaybandError as error:
            await self._fail(error)
            raise
        except (SenderGone, asyncio.CancelledError):
            await asyncio.shield(self._close(INTERRUPTED, GONE))
            raise
        except Exception:
            await self._close(FAILED, "The import was cut off by a failure; the log tells which.")
            raise
        assert self._outcome is not None
        await self._finish()
        return self._outcome

    async def _start(self) -> None:
        # The columnar libraries take most of a second the first time: not on the event loop.
        await asyncio.to_thread(import_module, "app.ingest.pipeline")
        from app.ingest.chunks import Limits
        from app.ingest.identity import Identities
        from app.ingest.pipeline import Flow
        from app.ingest.preparation import Preparation
        from app.ingest.store import ChunkWriter
        from app.ingest.titling import TitleResolver

        options, services = self._options, self._services
        ground = await build_ground(services, options, admin=self._caller.is_admin)
        source_id = max(ground.source_id(options), 0)
        self._reprices = ground.has_span_sources
        profile = options.complete_profile
        preparation = Preparation(
            profile,
            ground.meanings(options, admin=self._caller.is_admin),
            ground.rates,
            Identities(ground.identity_secret, options.identity_batch),
            ground.employer_secret,
        )
        titles = TitleResolver(
            services.database,
            ground.catalogue,
            create_roles=options.create_roles,
            dry_run=options.dry_run,
        )
        async with services.database.write() as session:
            self._import_id = await open_import(session, self._opening(source_id), _NOTHING)
            if self._opened is not None:
                await self._opened(session, self._import_id)
        self._flow = Flow(
            services.database,
            profile,
            options.media_type,
            Limits(
                block_bytes=BLOCK_BYTES,
                chunk_rows=CHUNK_ROWS,
                spool_bytes=services.settings.spool_limit,
            ),
            preparation,
            titles,
            ChunkWriter(self._import_id, ground.groups, source_id),
        )

    def _opening(self, source_id: int) -> Opening:
        options = self._options
        return Opening(
            kind=options.kind,
            source_id=source_id,
            profile=options.profile.name or None,
            batch=options.batch,
            idempotency_key=options.idempotency_key,
            dry_run=options.dry_run,
            bytes_total=options.bytes_total,
        )

    async def _write(self, body: AsyncIterator[bytes]) -> None:
        from app.ingest.pipeline import RowsRejected, try_whole, write_stream, write_whole
        from app.ingest.spool import Spool

        flow, options = self._running, self._options
        if not (options.whole or options.abort or options.dry_run):
            await write_stream(flow, body)
            return await self._conclude_now(flow.writer.report)
        spool = Spool(self._services.settings.spool_limit)
        try:
            if options.dry_run:
                await try_whole(flow, body, spool)
                return await self._conclude_now(flow.writer.report)
            return await write_whole(flow, body, spool, self._conclude, abort=options.abort)
        except RowsRejected as end:
            return await self._conclude_now(end.report, aborted=True)
        finally:
            spool.close()

    async def _conclude_now(self, report: Report, *, aborted: bool = False) -> None:
        async with self._services.database.write() as session:
            await self._conclude(session, report, aborted=aborted)

    async def _conclude(
        self, session: WriteSession, report: Report, *, aborted: bool = False
    ) -> None:
        """Note the end and the answer in the transaction of the last rows."""
        version = None if self._options.dry_run else str(await read_version(session))
        members = report.as_members(self._import_id, version)
        outcome = Outcome(members, _verdict(report, members, aborted=aborted))
        progress = self._progress(members)
        state = COMPLETE if outcome.error is None else FAILED
        problem = None if outcome.error is None else outcome.error.detail
        await close_import(session, self._import_id, state, progress, problem)
        await record(
            session,
            self._caller,
            "records.write",
            import_id=self._import_id,
            kind=self._options.kind,
            dry_run=self._options.dry_run,
            **{name: members[name] for name in ("inserted", "updated", "rejected")},
        )
        if self._ended is not None:
            await self._ended(session, outcome)
        self._outcome = outcome

    async def _fail(self, error: PaybandError) -> None:
        """Note a body that cannot be read, with what was committed before; add it to the error.

        That is no answer to keep for an idempotency key: the body was not read to its end, so
        nothing can tell whether a later one is the same; and a repaired one may go on under it.
        """
        members = self.report.as_members(self._import_id, None)
        error.members = {**members, **error.members}
        await self._close(FAILED, error.detail)

    async def _close(self, state: str, problem: str) -> None:
        members = self.report.as_members(self._import_id, None)
        try:
            async with self._services.database.write() as session:
                await close_import(
                    session, self._import_id, state, self._progress(members), problem
                )
        except PaybandError:
            return  # the database is away: silence says the same after a while

    def _progress(self, members: dict[str, Any]) -> Progress:
        return Progress(members, self._bytes_read, self._running.writer.source_id)

    @property
    def _running(self) -> "Flow":
        assert self._flow is not None
        return self._flow

    async def _counted(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in body:
            self._bytes_read += len(piece)
            yield piece

    async def _finish(self) -> None:
        """What is better done once, after the last row: the planner's statistics, and the price of
        postings that were seen again in another currency."""
        from app.ingest.store import renew_statistics

        if self._options.dry_run:
            return
        report, database = self.report, self._services.database
        await renew_statistics(
            database, self._options.profile.kinds, report.inserted + report.updated
        )
        if self._reprices and report.updated:
            await reprice_pending(database, self._services.settings.base_currency)


_NOTHING: Final = Report().as_members(None, None)


def _verdict(report: Report, members: dict[str, Any], *, aborted: bool) -> PaybandError | None:
    if aborted:
        return Refused(
            f"{report.rejected:,} of {report.received:,} rows were rejected, and on_error=abort "
            "asks for all or nothing: nothing was written.",
            code="rows_rejected",
            **members,
        )
    if report.received and report.rejected and not report.accepted and not report.skipped:
        return AllRowsRejected(
            f"Every row was rejected ({report.received:,}); see errors.", **members
        )
    return None
