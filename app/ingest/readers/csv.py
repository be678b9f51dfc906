"""CSV: blocks cut at row ends, read as columns, or row by row where that does not do."""

import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from app.core.errors import InvalidBody
from app.ingest.chunks import Chunk, Limits, RowError, build_chunk, row_too_long, split_rows
from app.ingest.fields import ColumnRule, shortened
from app.ingest.readers import text
from app.ingest.readers.csv_blocks import find_cut, read_block, sift, with_numbers, without_escapes
from app.ingest.readers.csv_header import Header, read_header
from app.ingest.readers.csv_rows import Record, RecordSplitter

_BLANK_LINES: Final = re.compile(rb"(?:\r?\n)*+")
_UNREAD: Final = Header([], b",", False, b"", 0, 0)


@dataclass
class _Overlong:
    """A row whose end is being searched without keeping its bytes."""

    line: int
    quotes: int = 0
    size: int = 0


class CsvParser:
    """Blocks of a CSV body to chunks. The first record is the header."""

    def __init__(self, rule: ColumnRule, limits: Limits) -> None:
        self._rule = rule
        self._limits = limits
        self._header = _UNREAD
        self._splitter = RecordSplitter(b",")
        self._overlong: _Overlong | None = None
        self._rest = b""
        # Of the start of `_rest`: the row's number, its line and its place in the body.
        self._row, self._line, self._offset = 1, 1, 0

    def feed(self, block: bytes) -> Iterator[Chunk]:
        """Rows that are complete. Raises InvalidBody."""
        for chunk in self._read(block, final=False):
            yield replace(chunk, rows=without_escapes(chunk.rows))

    def finish(self) -> Iterator[Chunk]:
        """The last rows. Raises InvalidBody where the body is empty or ends within quotes."""
        if self._header is _UNREAD and not self._rest.removeprefix(text.BOM).strip():
            raise text.empty_body()
        for chunk in self._read(b"\n", final=True):
            yield replace(chunk, rows=without_escapes(chunk.rows))
        if self._rest or self._overlong:
            raise self._unterminated()

    def close(self) -> None:
        """Nothing is held."""

    def _read(self, block: bytes, *, final: bool) -> Iterator[Chunk]:
        if self._header is _UNREAD:
            data = self._begin(self._rest + block, final=final)
        elif self._header.return_is_line_end:
            data = self._rest + block.replace(b"\r", b"\n")
        else:
            data = self._rest + block
        if self._header is _UNREAD:
            self._rest = data
            return
        if self._overlong:
            data = yield from self._skip(self._overlong, data)
        self._rest = yield from self._read_checked(data)
        if len(self._rest) > 4 * self._limits.row_bytes:
            self._overlong = _Overlong(self._line)
            data, self._rest = self._rest, b""
            yield from self._skip(self._overlong, data)

    def _begin(self, data: bytes, *, final: bool) -> bytes:
        """What follows the header; all of `data` while the header is incomplete."""
        header = read_header(data, max_columns=self._limits.columns, final=final)
        if header is None:
            return data
        self._rule.check(header.columns)
        self._header = header
        self._splitter = RecordSplitter(header.delimiter)
        self._line, self._offset = 1 + header.lines, header.length
        return header.body

    def _read_checked(self, data: bytes) -> Generator[Chunk, None, bytes]:
        """Read up to the first byte that is not UTF-8, and raise there."""
        wrong = text.first_wrong_byte(data)
        if wrong is None or wrong > data.rfind(b"\n"):
            return (yield from self._read_records(data))
        error = text.encoding_error(data, wrong, line=self._line, offset=self._offset)
        yield from self._read_records(data[: data.rfind(b"\n", 0, wrong) + 1])
        raise error

    def _read_records(self, data: bytes) -> Generator[Chunk, None, bytes]:
        """Read the complete records; what remains is returned."""
        cut = find_cut(data, self._header.delimiter)
        if cut == 0:
            return data
        if cut is None:
            return (yield from self._read_rows(data))
        block, rest = data[:cut], data[cut:]
        frame = self._frame(block)
        if frame is not None:
            yield from self._chunks(frame, range(self._row, self._row + frame.height), cut)
            self._row += frame.height
            self._pass(block)
        elif not (yield from self._read_sifted(block)):
            yield from self._read_rows(block)
        return rest

    def _frame(self, block: bytes) -> pl.DataFrame | None:
        header = self._header
        return read_block(block, header.columns, header.delimiter, self._limits.row_bytes)

    def _chunks(self, frame: pl.DataFrame, numbers: Sequence[int], end: int) -> Iterator[Chunk]:
        for part in split_rows(with_numbers(frame, numbers), self._limits):
            yield Chunk(part, [], self._offset + end)

    def _read_sifted(self, block: bytes) -> Generator[Chunk, None, bool]:
        """Read the good lines at once and the bad ones singly; False if that cannot be done."""
        header = self._header
        found = sift(block, len(header.columns), header.delimiter, self._limits.row_bytes)
        frame = self._frame(found.good) if found and found.good_places else None
        if found is None or (frame is None and found.good_places):
            return False
        first_row = self._row
        for start in range(0, len(found.bad), self._limits.chunk_rows):
            part = found.bad[start : start + self._limits.chunk_rows]
            bad = [self._problem_of_line(first_row + at, number, raw) for at, number, raw in part]
            yield self._chunk([], [], [error for error in bad if error], len(block))
        if frame is not None:
            numbers = [first_row + place for place in found.good_places]
            yield from self._chunks(frame, numbers, len(block))
        self._row = first_row + found.rows
        self._pass(block)
        return True

    def _read_rows(self, data: bytes) -> Generator[Chunk, None, bytes]:
        """Read row by row, bad rows aside; what remains is returned."""
        rows: list[list[str | None]] = []
        numbers: list[int] = []
        bad: list[RowError] = []
        done = 0
        for record in self._splitter.split(data, self._line):
            if problem := self._problem(record):
                bad.append(problem)
            else:
                rows.append([part.decode() or None for part in record.fields or ()])
                numbers.append(self._row)
            self._row += 1
            done = record.end
            if len(rows) + len(bad) >= self._limits.chunk_rows:
                yield self._chunk(rows, numbers, bad, done)
                rows, numbers, bad = [], [], []
        if rows or bad:
            yield self._chunk(rows, numbers, bad, done)
        # Blank lines behind the last record are passed with it.
        blank = _BLANK_LINES.match(data, done)
        done = blank.end() if blank else done
        self._pass(data[:done])
        return data[done:]

    def _problem_of_line(self, row: int, number: int, line: bytes) -> RowError | None:
        self._row, raw = row, line.removesuffix(b"\r")
        fields = raw.split(self._header.delimiter)
        return self._problem(Record(raw, fields, self._line + number, 0))

    def _problem(self, record: Record) -> RowError | None:
        """Why the record, which is the row `_row`, is a bad one."""
        columns, fields = self._header.columns, record.fields
        is_whole = fields is not None and len(fields) == len(columns) and b"\0" not in record.raw
        if is_whole and len(record.raw) <= self._limits.row_bytes:
            return None
        at = f"Line {record.line:,}"
        value = record.raw[:200].decode("utf-8", "replace")
        if fields is None:
            message = f'{at}: text follows a closing quote; write a quote within quotes as "".'
            return RowError(self._row, None, "bad_quote", message, value)
        if len(fields) != len(columns):
            code = "too_many_fields" if len(fields) > len(columns) else "too_few_fields"
            message = f"{at} has {len(fields):,} fields, the header has {len(columns):,}."
            return RowError(self._row, None, code, message, value)
        if sum(map(len, fields)) > self._limits.row_bytes:
            return row_too_long(self._row, self._limits)
        if b"\0" in record.raw:
            name = next(name for name, part in zip(columns, fields, strict=True) if b"\0" in part)
            message = f"{at} holds a NUL byte."
            return RowError(self._row, name, "nul_byte", message, shortened(value))
        return None

    def _chunk(
        self, rows: list[list[str | None]], numbers: list[int], bad: list[RowError], done: int
    ) -> Chunk:
        names = self._header.columns
        columns = zip(*rows, strict=True) if rows else ((),) * len(names)
        return build_chunk(
            dict(zip(names, columns, strict=True)), numbers, bad, self._offset + done
        )

    def _skip(self, row: _Overlong, data: bytes) -> Generator[Chunk, None, bytes]:
        """Pass over bytes of an overlong row; what follows it is returned."""
        end = _row_end(data, row.quotes)
        passed = data[:end]
        row.quotes += passed.count(b'"')
        row.size += len(passed)
        self._pass(passed)
        if end is not None:
            self._overlong = None
            yield self._chunk([], [], [row_too_long(self._row, self._limits)], 0)
            self._row += 1
            return data[end:]
        if row.size > self._limits.skip_bytes:
            raise self._unterminated()
        return b""

    def _pass(self, data: bytes) -> None:
        self._line += data.count(b"\n")
        self._offset += len(data)

    def _unterminated(self) -> InvalidBody:
        line = self._overlong.line if self._overlong else self._line
        return InvalidBody(
            f"The row that begins at line {line:,} does not end: a quote in it is never closed.",
            code="unterminated_quote",
            line=line,
        )


def _row_end(data: bytes, quotes: int) -> int | None:
    """The end of the first line that ends outside quotes, `quotes` having gone before."""
    at = 0
    while (newline := data.find(b"\n", at)) >= 0:
        quotes += data.count(b'"', at, newline)
        if quotes % 2 == 0:
            return newline + 1
        # Within quotes, only a line with another quote can end the row.
        at = max(data.find(b'"', newline), newline)
        if at == newline:
            return None
    return None
