"""Prepared chunks on their way to one transaction: in memory while small, then in a file."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from dataclasses import replace
from io import BytesIO
from typing import IO, Final

import polars as pl

from app.core.errors import TooLarge
from app.ingest.fields import Kind
from app.ingest.preparation import PreparedChunk

IN_MEMORY: Final = 32_000_000
"""Bytes that a spool holds before it goes to a file."""

Place = tuple[Kind, int, int]
"""Kind of rows, offset and length."""


class Spool:
    """Chunks in order, to be read once or more. Close it: the file goes with it."""

    def __init__(self, limit: int) -> None:
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - closed by close()
        self._limit = limit
        self._size = 0
        self._chunks: list[tuple[PreparedChunk, list[Place]]] = []

    @property
    def chunks(self) -> list[PreparedChunk]:
        """What was put in, without rows."""
        return [chunk for chunk, _ in self._chunks]

    async def put(self, chunk: PreparedChunk) -> None:
        """Append a chunk. Raises TooLarge past the limit."""
        places = await asyncio.to_thread(self._write, chunk)
        self._chunks.append((replace(chunk, rows={}), places))

    async def read(self) -> AsyncGenerator[PreparedChunk, None]:
        """The chunks with their rows, in the order in which they were put."""
        for chunk, places in self._chunks:
            rows = await asyncio.to_thread(self._read, places)
            yield replace(chunk, rows=rows)

    def close(self) -> None:
        self._file.close()

    def _write(self, chunk: PreparedChunk) -> list[Place]:
        places: list[Place] = []
        for kind, rows in chunk.rows.items():
            buffer = BytesIO()
            rows.write_ipc(buffer)
            data = buffer.getvalue()
            if self._size + len(data) > self._limit:
                raise TooLarge(
                    f"The rows take more than {self._limit:,} bytes of temporary space, which a "
                    "dry run and on_error=abort need. Send the file in parts, or without them."
                )
            self._file.seek(self._size)
            self._file.write(data)
            places.append((kind, self._size, len(data)))
            self._size += len(data)
        return places

    def _read(self, places: list[Place]) -> dict[Kind, pl.DataFrame]:
        rows: dict[Kind, pl.DataFrame] = {}
        for kind, offset, length in places:
            self._file.seek(offset)
            rows[kind] = pl.read_ipc(BytesIO(self._file.read(length)))
        return rows
