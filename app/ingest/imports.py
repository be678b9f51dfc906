"""The `imports` table: one row for each write, its progress, its end, and who may see it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import structlog
from sqlalchemy import RowMapping, text

from app.core.database import Database, ReadSession, WriteSession
from app.core.errors import Conflict, Unavailable
from app.domain.vocabulary import RECORD_KINDS, word_of

HEARTBEAT_S: Final = 5.0
STALE_S: Final = 20.0
"""A running import that was silent for so long has lost its process."""

RUNNING: Final = "running"
COMPLETE: Final = "complete"
FAILED: Final = "failed"
INTERRUPTED: Final = "interrupted"
UNDONE: Final = "undone"

_OPEN = text(
    "INSERT INTO imports (kind, source_id, state, profile, batch, idempotency_key, dry_run,"
    " bytes_total, report) VALUES (:kind, :source, 'running', :profile, :batch, :key, :dry_run,"
    " :bytes_total, CAST(:report AS json)) RETURNING id"
)
_BEAT = text(
    "UPDATE imports SET updated_at = clock_timestamp(),"
    " bytes_received = greatest(bytes_received, :bytes)"
    " WHERE id = :id AND state = 'running'"
)
_PROGRESS = text(
    "UPDATE imports SET report = CAST(:report AS json), bytes_received = :bytes,"
    " source_id = :source, updated_at = clock_timestamp() WHERE id = :id AND state = 'running'"
    " RETURNING id"
)
_CLOSE = text(
    "UPDATE imports SET state = :state, problem = :problem, report = CAST(:report AS json),"
    " bytes_received = :bytes, source_id = :source, updated_at = clock_timestamp(),"
    " finished_at = clock_timestamp() WHERE id = :id AND state = 'running' RETURNING id"
)
_RECEIVED = text("SELECT (report->>'received')::bigint FROM imports WHERE id = :id")
_STATE: Final = (
    f"CASE WHEN i.state = 'running' AND i.updated_at < clock_timestamp() - interval '{STALE_S} s'"
    " THEN 'interrupted' ELSE i.state END"
)
_COLUMNS: Final = (
    f"i.id, i.kind, i.source_id, s.code AS source, {_STATE} AS state, i.profile, i.batch,"
    " i.dry_run, i.bytes_received, i.bytes_total, i.report, i.problem,"
    " i.started_at, i.updated_at, i.finished_at"
)
# Taxonomy row of the source, not the cached one: a source may have become confidential just now.
_FROM: Final = "FROM imports i LEFT JOIN sources s ON s.id = i.source_id"
_VISIBLE: Final = "(:admin OR NOT coalesce(s.confidential, false))"
_FIND = text(f"SELECT {_COLUMNS} {_FROM} WHERE i.id = :id AND {_VISIBLE}")
_LIST = text(
    f"SELECT {_COLUMNS} {_FROM} WHERE {_VISIBLE}"
    " AND (CAST(:before AS int) IS NULL OR i.id < :before) ORDER BY i.id DESC LIMIT :limit"
)


@dataclass(frozen=True)
class Opening:
    """What is known of an import when it begins. `source_id` 0: told by its rows."""

    kind: str
    source_id: int = 0
    profile: str | None = None
    batch: str | None = None
    idempotency_key: str | None = None
    dry_run: bool = False
    bytes_total: int | None = None


@dataclass
class Progress:
    """How far an import is: the report so far as JSON, bytes read, and the source it is about."""

    report: Mapping[str, Any]
    bytes_received: int = 0
    source_id: int = 0

    def values(self, import_id: int) -> dict[str, Any]:
        return {
            "id": import_id,
            "report": json.dumps(self.report),
            "bytes": self.bytes_received,
            "source": self.source_id,
        }


async def open_import(session: WriteSession, opening: Opening, report: Mapping[str, Any]) -> int:
    """Note a write that begins; its id."""
    import_id: int | None = await session.scalar(
        _OPEN,
        {
            "kind": RECORD_KINDS[opening.kind],
            "source": opening.source_id,
            "profile": opening.profile,
            "batch": opening.batch,
            "key": opening.idempotency_key,
            "dry_run": opening.dry_run,
            "bytes_total": opening.bytes_total,
            "report": json.dumps(report),
        },
    )
    assert import_id is not None
    return import_id


async def save_progress(session: WriteSession, import_id: int, progress: Progress) -> None:
    """Note what the transaction wrote, in the same transaction.

    Raises Conflict `import_ended` where the import was undone meanwhile: its process had been
    silent for so long that it counted as gone. Then the transaction must not commit.
    """
    if await session.scalar(_PROGRESS, progress.values(import_id)) is None:
        raise _ended(import_id)


async def committed_rows(session: WriteSession, import_id: int) -> int:
    """How many received rows the committed report of an import counts."""
    return int(await session.scalar(_RECEIVED, {"id": import_id}) or 0)


async def close_import(
    session: WriteSession,
    import_id: int,
    state: str,
    progress: Progress,
    problem: str | None = None,
) -> None:
    """Note the end of a write. Raises Conflict as `save_progress`."""
    values = {**progress.values(import_id), "state": state, "problem": problem}
    if await session.scalar(_CLOSE, values) is None:
        raise _ended(import_id)


def _ended(import_id: int) -> Conflict:
    return Conflict(
        f"Import {import_id} was undone while it stood still, and nothing more of it is written. "
        "Send the file again.",
        code="import_ended",
    )


@asynccontextmanager
async def heartbeat(
    database: Database, import_id: int, bytes_received: Callable[[], int]
) -> AsyncIterator[None]:
    """Say every few seconds that the import's process lives, while the block runs."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            try:
                async with database.write() as session:
                    await session.execute(_BEAT, {"id": import_id, "bytes": bytes_received()})
            except Unavailable:
                structlog.get_logger("imports").warning("heartbeat missed", import_id=import_id)

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def find_import(
    session: ReadSession | WriteSession, import_id: int, *, admin: bool
) -> dict[str, Any] | None:
    """One import as JSON, None if there is none that the caller may see."""
    row = (await session.execute(_FIND, {"id": import_id, "admin": admin})).mappings().one_or_none()
    return None if row is None else as_member(row)


async def list_imports(
    session: ReadSession, *, admin: bool, before: int | None, limit: int
) -> list[dict[str, Any]]:
    """Imports as JSON, the newest first, from the one before the id `before` on."""
    values = {"admin": admin, "before": before, "limit": limit}
    rows = (await session.execute(_LIST, values)).mappings()
    return [as_member(row) for row in rows]


def as_member(row: RowMapping) -> dict[str, Any]:
    """An import as JSON: where it stands, and its report as far as it is known."""
    report = dict(row["report"])
    report["import"] = row["id"]
    ended = row["state"] != RUNNING
    return {
        "id": row["id"],
        "kind": word_of(RECORD_KINDS, row["kind"]),
        "state": row["state"],
        "source": row["source"],
        "profile": row["profile"],
        "batch": row["batch"],
        "dry_run": row["dry_run"],
        "progress": {
            "rows": report.get("received", 0),
            "bytes": row["bytes_received"],
            "bytes_total": row["bytes_total"],
        },
        "report": report,
        "problem": row["problem"] or (_LOST if ended and row["finished_at"] is None else None),
        "started_at": row["started_at"].isoformat(),
        "updated_at": row["updated_at"].isoformat(),
        "finished_at": None if row["finished_at"] is None else row["finished_at"].isoformat(),
    }


_LOST: Final = (
    "The process that ran this import is gone. What it committed stays; send the same file again "
    "to complete it."
)
