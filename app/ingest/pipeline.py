"""The one pipeline behind all doors: bytes to chunks, validation, titles, COPY and merge.

Chunk n+1 is parsed and validated in a thread while the database merges chunk n; at most two chunks
wait. Memory is bounded by chunks, whatever the body's length.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, cast

from sqlalchemy import text

from app.core.database import Database, WriteSession
from app.core.errors import Unavailable
from app.ingest.ahead import ahead
from app.ingest.chunks import Chunk, Limits
from app.ingest.imports import committed_rows
from app.ingest.media import MediaType
from app.ingest.preparation import Preparation, PreparedChunk, stage
from app.ingest.profiles import Profile
from app.ingest.reader import read_chunks
from app.ingest.repeats import leave_out_settled
from app.ingest.report import Report
from app.ingest.spool import Spool
from app.ingest.store import ChunkWriter, StagedChunk, count
from app.ingest.titling import TitleResolver
from app.ingest.writing import lock_sources

RETRY_PAUSES_S: Final = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
"""A chunk is tried again after these pauses while the database is away or its rows are locked."""

Conclude = Callable[[WriteSession, Report], Awaitable[None]]
"""What ends a write, in the transaction that writes its last rows."""


@dataclass(frozen=True)
class Flow:
    """What the steps of one import share."""

    database: Database
    profile: Profile
    media_type: MediaType
    limits: Limits
    preparation: Preparation
    titles: TitleResolver
    writer: ChunkWriter


class RowsRejected(Exception):
    """Some row was rejected, so nothing is written. Carries the report."""

    def __init__(self, report: Report) -> None:
        self.report = report


class _RolledBack(Exception):
    """Leaves a transaction without committing it."""


async def write_stream(flow: Flow, body: AsyncIterator[bytes]) -> None:
    """Write every chunk in a transaction of its own while the body arrives.

    Raises InvalidBody, TooLarge, Unavailable, and what `body` raises. What was committed before
    stays, and `flow.writer.report` counts exactly that.
    """
    async with ahead(_staged(flow, _prepared(flow, body))) as chunks:
        async for chunk in chunks:
            await _write_chunk(flow, chunk)


async def write_whole(
    flow: Flow, body: AsyncIterator[bytes], spool: Spool, conclude: Conclude, *, abort: bool
) -> None:
    """Read the whole body first, then write all of it and conclude in one transaction.

    Raises as `write_stream`, and RowsRejected with `abort` where a row is rejected; then nothing
    is written.
    """
    async with aclosing(_prepared(flow, body)) as chunks:
        async for chunk in chunks:
            await spool.put(chunk)
    found = Report()
    for chunk in spool.chunks:
        count(found, chunk)
    if abort and found.rejected:
        raise RowsRejected(found)
    # Before the transaction, so that its locks on titles are short.
    async for chunk in spool.read():
        await flow.titles.resolve(chunk)

    async def write(session: WriteSession) -> Report:
        report = await _write_spool(flow, spool, session)
        await conclude(session, report)
        return report

    await _commit(flow, found.received, write)


async def try_whole(flow: Flow, body: AsyncIterator[bytes], spool: Spool) -> None:
    """A dry run: everything is written and rolled back, so that the report is what it would be."""
    async with aclosing(_prepared(flow, body)) as chunks:
        async for chunk in chunks:
            await spool.put(chunk)
    try:
        async with flow.database.write() as session:
            flow.writer.adopt(await _write_spool(flow, spool, session))
            raise _RolledBack
    except _RolledBack:
        return


async def _write_spool(flow: Flow, spool: Spool, session: WriteSession) -> Report:
    sources = {source for chunk in spool.chunks for source in chunk.source_ids}
    await lock_sources(session, sources, alone=len(spool.chunks) > 1)
    return await flow.writer.write(session, _staged(flow, spool.read()))


async def _write_chunk(flow: Flow, chunk: StagedChunk) -> None:
    async def write(session: WriteSession) -> Report:
        # Not on disk yet when it returns: the end of the import commits synchronously, and with
        # it everything before. Until then nothing was promised.
        await session.execute(text("SET LOCAL synchronous_commit = off"))
        await lock_sources(session, chunk.prepared.source_ids)
        return await flow.writer.write(session, _one(chunk))

    await _commit(flow, flow.writer.report.received + chunk.prepared.received, write)


async def _commit(
    flow: Flow, received: int, write: Callable[[WriteSession], Awaitable[Report]]
) -> None:
    """Run `write` in a transaction, again after a pause where the database is away or locked.

    `received` is what the import's stored report counts once the transaction is committed: a
    commit whose answer was lost is recognised by it, and not repeated.
    """
    report: Report | None = None
    for pause_s in (*RETRY_PAUSES_S, None):
        try:
            async with flow.database.write() as session:
                if report is None or await _is_lost(flow, session, received):
                    report = await write(session)
            break
        except Unavailable:
            if pause_s is None:
                raise
            await asyncio.sleep(pause_s)
    assert report is not None
    flow.writer.adopt(report)


async def _is_lost(flow: Flow, session: WriteSession, received: int) -> bool:
    return await committed_rows(session, flow.writer.import_id) < received


async def _prepared(flow: Flow, body: AsyncIterator[bytes]) -> AsyncGenerator[PreparedChunk, None]:
    rule = flow.profile.column_rule()
    chunks = read_chunks(body, flow.media_type, rule=rule, limits=flow.limits)
    async with aclosing(cast("AsyncGenerator[Chunk, None]", chunks)) as chunks:
        async for chunk in chunks:
            yield await asyncio.to_thread(flow.preparation.prepare, chunk)


async def _staged(
    flow: Flow, chunks: AsyncGenerator[PreparedChunk, None]
) -> AsyncGenerator[StagedChunk, None]:
    async with aclosing(chunks):
        async for chunk in chunks:
            titles = await flow.titles.resolve(chunk)
            settled = await leave_out_settled(flow.database, chunk)
            parts = [
                await asyncio.to_thread(stage, kind, rows, titles, settled.get(kind, 0))
                for kind, rows in chunk.rows.items()
            ]
            chunk.rows = {}
            yield StagedChunk(chunk, [part for part in parts if part is not None])


async def _one(chunk: StagedChunk) -> AsyncGenerator[StagedChunk, None]:
    yield chunk
