"""Reading bytes in tests: a body in pieces, and what came out of it."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from app.ingest.chunks import ROW, Chunk, Limits, RowError
from app.ingest.fields import ColumnRule
from app.ingest.media import MediaType
from app.ingest.reader import read_chunks

SMALL = Limits(block_bytes=64, chunk_rows=7, row_bytes=1_000, skip_bytes=100_000)
"""Limits that even a short test body crosses."""


@dataclass
class Read:
    """All rows of a body (absent fields left out), with their numbers, and the bad ones."""

    rows: list[dict[str, str]]
    numbers: list[int]
    bad: list[RowError]
    chunks: list[Chunk]

    @property
    def codes(self) -> dict[int, str]:
        return {error.row: error.code for error in self.bad}


async def pieces_of(body: bytes, sizes: Iterable[int] = ()) -> AsyncIterator[bytes]:
    """`body` cut into pieces of the given sizes, the rest in one."""
    at = 0
    for size in sizes:
        yield body[at : at + size]
        at += size
    yield body[at:]


def read(
    body: bytes,
    media_type: MediaType,
    *,
    sizes: Sequence[int] = (),
    rule: ColumnRule | None = None,
    limits: Limits | None = None,
) -> Read:
    """Everything that the reader gives for `body`. Raises what it raises."""

    async def collect() -> list[Chunk]:
        chunks = read_chunks(
            pieces_of(body, sizes),
            media_type,
            rule=rule or ColumnRule(),
            limits=limits or Limits(),
        )
        return [chunk async for chunk in chunks]

    chunks = asyncio.run(collect())
    found: list[dict[str, str]] = []
    numbers: list[int] = []
    for chunk in chunks:
        numbers += chunk.rows[ROW].to_list()
        found += [
            {key: value for key, value in row.items() if value is not None}
            for row in chunk.rows.drop(ROW).to_dicts()
        ]
    return Read(found, numbers, [error for chunk in chunks for error in chunk.bad_rows], chunks)
