"""Bytes to columns: bodies and files of any length, read in chunks within bounded memory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from app.core.errors import InvalidBody
from app.ingest.chunks import Chunk, Limits, Parser
from app.ingest.fields import ColumnRule
from app.ingest.media import MediaType
from app.ingest.readers.csv import CsvParser
from app.ingest.readers.json import JsonParser
from app.ingest.readers.ndjson import NdjsonParser
from app.ingest.readers.parquet import ParquetParser

PARSERS: Final[Mapping[MediaType, Callable[[ColumnRule, Limits], Parser]]] = MappingProxyType(
    {
        MediaType.CSV: CsvParser,
        MediaType.JSON: JsonParser,
        MediaType.NDJSON: NdjsonParser,
        MediaType.PARQUET: ParquetParser,
    }
)

ANY_COLUMNS: Final = ColumnRule()
DEFAULT_LIMITS: Final = Limits()


async def read_chunks(
    body: AsyncIterator[bytes],
    media_type: MediaType,
    *,
    rule: ColumnRule = ANY_COLUMNS,
    limits: Limits = DEFAULT_LIMITS,
) -> AsyncIterator[Chunk]:
    """The rows of `body` in file order, parsed in a thread while it arrives.

    `rule` says which columns are known and needed: a CSV or Parquet header that breaks it raises
    InvalidBody before any row is given; a JSON row with an unknown field is a bad row.
    Raises InvalidBody with the position where the body cannot be read further (`rows_read` tells
    how many rows were given before), TooLarge for a Parquet body over `limits.spool_bytes`.
    """
    parser = PARSERS[media_type](rule, limits)
    last_row = 0
    try:
        async for block in _blocks(body, limits.block_bytes):
            async for chunk in _in_thread(parser.feed(block)):
                last_row = max(last_row, chunk.last_row)
                yield chunk
        async for chunk in _in_thread(parser.finish()):
            last_row = max(last_row, chunk.last_row)
            yield chunk
    except InvalidBody as error:
        raise _with_rows_read(error, last_row) from None
    finally:
        parser.close()


async def file_body(path: Path, size: int = 1 << 20) -> AsyncIterator[bytes]:
    """The bytes of a file, read in a thread. Raises OSError."""
    with await asyncio.to_thread(path.open, "rb") as file:
        while piece := await asyncio.to_thread(file.read, size):
            yield piece


async def _blocks(body: AsyncIterator[bytes], size: int) -> AsyncIterator[bytes]:
    """The pieces of `body` put together, or cut, to `size` bytes."""
    pieces: list[bytes] = []
    held = 0
    async for piece in body:
        pieces.append(piece)
        held += len(piece)
        if held >= size:
            joined = b"".join(pieces)
            whole = held - held % size
            for start in range(0, whole, size):
                yield joined[start : start + size]
            pieces, held = [joined[whole:]], held - whole
    if held:
        yield b"".join(pieces)


async def _in_thread(chunks: Iterator[Chunk]) -> AsyncIterator[Chunk]:
    """Run a parser's generator step by step off the event loop."""
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        yield chunk


def _with_rows_read(error: InvalidBody, last_row: int) -> InvalidBody:
    after = f" Rows 1 to {last_row:,} before it were read." if last_row else ""
    return InvalidBody(
        error.detail + after, code=error.problem_code, rows_read=last_row, **error.members
    )
