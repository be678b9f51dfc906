"""JSON: an object, or an array of objects of any length, split while it arrives."""

import json
import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import Final

from app.core.errors import InvalidBody
from app.ingest.chunks import Chunk, Limits
from app.ingest.fields import ColumnRule
from app.ingest.readers import text
from app.ingest.readers.json_rows import RowCollector, build_decoder

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_TOKEN: Final = re.compile(r'\\.|["\[\]{}]', re.DOTALL)
_LONGEST_SCALAR: Final = 32


class _State(Enum):
    """What comes next, outside elements."""

    BEGIN = auto()
    FIRST = auto()
    ELEMENT = auto()
    AFTER = auto()
    END = auto()


class JsonParser:
    """Blocks of a JSON body to chunks; each element of the outer array is a row."""

    def __init__(self, rule: ColumnRule, limits: Limits) -> None:
        self._limits = limits
        self._rows = RowCollector(rule, limits)
        self._decoder = build_decoder()
        self._state = _State.BEGIN
        self._is_array = False
        self._overlong: _Brackets | None = None
        self._bytes, self._text = b"", ""
        # Of the start of `_text`: line and column, from 1. `_offset`: bytes decoded so far.
        self._line, self._column, self._offset = 1, 1, 0

    def feed(self, block: bytes) -> Iterator[Chunk]:
        """Rows of complete elements. Raises InvalidBody with line and column."""
        self._bytes += block
        if self._offset or len(self._bytes) >= len(text.BOM):
            yield from self._read(final=False)

    def finish(self) -> Iterator[Chunk]:
        """The last rows. Raises InvalidBody where the body is empty or ends too early."""
        yield from self._read(final=True)
        if self._state is _State.BEGIN:
            raise text.empty_body()
        if self._state is not _State.END:
            raise self._error(len(self._text), "the body ends before the JSON does")

    def close(self) -> None:
        """Nothing is held."""

    def _read(self, *, final: bool) -> Iterator[Chunk]:
        if self._offset == 0:
            text.check_start(self._bytes)
            self._bytes = self._bytes.removeprefix(text.BOM)
        wrong = self._decode(final=final)
        try:
            yield from self._read_text(final=final and wrong is None)
        except InvalidBody as error:
            wrong = error
        if not self._rows.is_empty():
            yield self._rows.take(self._offset)
        if wrong is not None:
            raise wrong

    def _decode(self, *, final: bool) -> InvalidBody | None:
        """Move bytes to text, up to the first that are not UTF-8 or not yet complete."""
        data, wrong = self._bytes, None
        try:
            decoded, self._bytes = data.decode(), b""
        except UnicodeDecodeError as error:
            decoded, self._bytes = data[: error.start].decode(), data[error.start :]
            if final or error.reason != "unexpected end of data":
                line = self._line + self._text.count("\n")
                wrong = text.encoding_error(data, error.start, line=line, offset=self._offset)
        self._text += decoded
        self._offset += len(data) - len(self._bytes)
        return wrong

    def _read_text(self, *, final: bool) -> Iterator[Chunk]:
        at = 0
        while (at := self._after_space(at)) < len(self._text):
            end = self._step(at, final=final)
            if end is None:
                break
            at = end
            if self._rows.is_full():
                yield self._rows.take(self._offset)
        self._pass(at)

    def _step(self, at: int, *, final: bool) -> int | None:
        """Read an element or one mark; where it ends, or None to wait for more text."""
        if self._overlong:
            return self._skip(self._overlong, at)
        char = self._text[at]
        if self._state is _State.BEGIN:
            if char not in "[{":
                raise self._error(at, "expected an object or an array of objects")
            self._is_array = char == "["
            self._state = _State.FIRST if self._is_array else _State.ELEMENT
            return at + self._is_array
        if self._state is _State.ELEMENT or (self._state is _State.FIRST and char != "]"):
            return self._read_element(at, final=final)
        if self._state is _State.END:
            hint = " (is this NDJSON? send it as application/x-ndjson)" if char == "{" else ""
            raise self._error(at, f"more text after the end of the JSON{hint}")
        if char not in ",]":
            raise self._error(at, "expected ',' or ']'")
        self._state = _State.ELEMENT if char == "," else _State.END
        return at + 1

    def _read_element(self, at: int, *, final: bool) -> int | None:
        try:
            value, end = self._decoder.raw_decode(self._text, at)
        except json.JSONDecodeError as error:
            return self._wait_or_fail(at, error, final=final)
        except RecursionError:
            error_at = self._error(at, "nested too deeply")
            error_at.problem_code = "nested_too_deeply"
            raise error_at from None
        if end == len(self._text) and not final and self._text[end - 1] not in '}]"':
            return None  # a number may go on
        self._rows.add(value, self._text[at:end], "The element")
        self._state = _State.AFTER if self._is_array else _State.END
        return end

    def _wait_or_fail(self, at: int, error: json.JSONDecodeError, *, final: bool) -> int | None:
        """An element that cannot be decoded is incomplete, overlong or broken."""
        brackets = _Brackets()
        size = len(self._text) - at
        if self._text[at] in '[{"':
            is_complete = brackets.find_end(self._text, at) is not None
        else:
            is_complete = size > _LONGEST_SCALAR
        if final or is_complete:
            raise self._error(error.pos, error.msg)
        if size > 4 * self._limits.row_bytes:
            self._overlong = brackets
            return len(self._text)
        return None

    def _skip(self, brackets: "_Brackets", at: int) -> int:
        """Pass over text of an overlong element."""
        end = brackets.find_end(self._text, at)
        if end is None:
            if brackets.size > self._limits.skip_bytes:
                raise self._error(at, "an element does not end")
            return len(self._text)
        self._overlong = None
        self._rows.reject("row_too_long", "The element is longer than the limit of a row.")
        self._state = _State.AFTER if self._is_array else _State.END
        return end

    def _after_space(self, at: int) -> int:
        # Within an overlong element white space is text: a string may begin or end with it.
        match = None if self._overlong else _SPACE.match(self._text, at)
        return match.end() if match else at

    def _pass(self, end: int) -> None:
        newlines = self._text.count("\n", 0, end)
        self._column = self._column_of(end)
        self._line += newlines
        self._text = self._text[end:]

    def _column_of(self, at: int) -> int:
        newline = self._text.rfind("\n", 0, at)
        return self._column + at if newline < 0 else at - newline

    def _error(self, at: int, what: str) -> InvalidBody:
        line, column = self._line + self._text.count("\n", 0, at), self._column_of(at)
        return InvalidBody(
            f"Line {line:,}, column {column:,}: {what[0].lower()}{what[1:]}.",
            code="invalid_json",
            line=line,
            column=column,
        )


class _Brackets:
    """Finds where an element ends by its brackets and quotes, over pieces of text."""

    def __init__(self) -> None:
        self.size = 0
        self._depth = 0
        self._in_string = False
        self._escaped = False

    def find_end(self, piece: str, at: int) -> int | None:
        """The end of the element in `piece`, looked at from `at`; None if it goes on."""
        self.size += len(piece) - at
        start = at + self._escaped
        if start > len(piece):
            return None
        for match in _TOKEN.finditer(piece, start):
            if self._closes(match.group()):
                return match.end()
        looked_at = piece[start:]
        trailing = len(looked_at) - len(looked_at.rstrip("\\"))
        self._escaped = self._in_string and trailing % 2 == 1
        return None

    def _closes(self, mark: str) -> bool:
        if self._in_string:
            self._in_string = mark != '"'
            return mark == '"' and self._depth == 0
        if mark == '"':
            self._in_string = True
        elif mark in "[{":
            self._depth += 1
        elif mark in "]}":
            self._depth -= 1
            return self._depth <= 0
        return False
