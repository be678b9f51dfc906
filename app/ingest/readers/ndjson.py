"""NDJSON: one object a line. A line that is none is a bad row; the others are read."""

import json
from collections.abc import Generator, Iterator

from app.core.errors import InvalidBody
from app.ingest.chunks import Chunk, Limits
from app.ingest.fields import ColumnRule
from app.ingest.readers import text
from app.ingest.readers.json_rows import RowCollector, build_decoder


class NdjsonParser:
    """Blocks of an NDJSON body to chunks."""

    def __init__(self, rule: ColumnRule, limits: Limits) -> None:
        self._limits = limits
        self._rows = RowCollector(rule, limits)
        self._decoder = build_decoder()
        self._rest = b""
        self._line, self._offset = 1, 0
        self._started = False
        self._skipping = False

    def feed(self, block: bytes) -> Iterator[Chunk]:
        """Rows of complete lines. Raises InvalidBody."""
        data = self._rest + block
        if not self._started and len(data) < 4:
            self._rest = data
            return
        if self._skipping:
            data = self._skip(data)
        cut = data.rfind(b"\n") + 1
        lines, self._rest = data[:cut], data[cut:]
        yield from self._read_checked(lines)
        if len(self._rest) > 4 * self._limits.row_bytes:
            self._skipping = True
            self._rest = self._skip(self._rest)

    def finish(self) -> Iterator[Chunk]:
        """The last rows. Raises InvalidBody where there is no line at all."""
        last = self._rest + b"\n"
        yield from self._read_checked(self._skip(last) if self._skipping else last)
        if not self._rows.is_empty():
            yield self._rows.take(self._offset)
        if not self._started:
            raise text.empty_body()

    def close(self) -> None:
        """Nothing is held."""

    def _skip(self, data: bytes) -> bytes:
        """Pass over an overlong line without keeping it; what follows it."""
        end = data.find(b"\n") + 1
        self._offset += end or len(data)
        if not end:
            return b""
        self._skipping, self._started = False, True
        self._rows.reject("row_too_long", f"Line {self._line:,} is longer than a row may be.")
        self._line += 1
        return data[end:]

    def _read_checked(self, data: bytes) -> Generator[Chunk, None, None]:
        """Read up to the first byte that is not UTF-8, and raise there."""
        if not self._started:
            text.check_start(data)
        wrong = text.first_wrong_byte(data)
        if wrong is None:
            yield from self._read_lines(data)
            return
        error = text.encoding_error(data, wrong, line=self._line, offset=self._offset)
        yield from self._read_lines(data[: data.rfind(b"\n", 0, wrong) + 1])
        raise error

    def _read_lines(self, data: bytes) -> Generator[Chunk, None, None]:
        self._offset += len(data)
        for line in data.decode().split("\n")[:-1]:
            self._read_line(line)
            self._line += 1
            if self._rows.is_full():
                yield self._rows.take(self._offset)
        if not self._rows.is_empty():
            yield self._rows.take(self._offset)

    def _read_line(self, line: str) -> None:
        at = f"Line {self._line:,}"
        if not self._started:
            line = line.removeprefix("\ufeff")
        line = line.strip(" \t\r")
        if not line:
            return
        if not self._started:
            _check_first_line(line, self._line)
            self._started = True
        try:
            value, end = self._decoder.raw_decode(line)
        except json.JSONDecodeError as error:
            message = f"{at}, column {error.colno:,}: {error.msg}."
            self._rows.reject("invalid_json", message, line[:200])
        except RecursionError:
            self._rows.reject("nested_value", f"{at} is nested too deeply.", line[:200])
        else:
            if end == len(line):
                self._rows.add(value, line, at)
            else:
                message = f"{at}, column {end + 1:,}: more than one value on the line."
                self._rows.reject("invalid_json", message, line[:200])


def _check_first_line(line: str, number: int) -> None:
    """Tell bodies that are another format as a whole. Raises InvalidBody."""
    if line.startswith("["):
        raise InvalidBody(
            "The body is a JSON array, not NDJSON; send it as application/json.",
            code="invalid_ndjson",
        )
    if not line.startswith("{") or line == "{":
        raise InvalidBody(
            f"Line {number:,} is no JSON object: NDJSON has one complete object on each line.",
            code="invalid_ndjson",
            line=number,
        )
