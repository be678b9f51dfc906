"""CSV row by row: what the columnar reader refuses, taken apart so that good rows survive.

Quoting follows RFC 4180, and more leniently: a quote inside an unquoted field is text, and spaces
around a quoted field are dropped. Text that follows a closing quote makes the row a bad one: then
its first line is given up and reading goes on at the next.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from app.core.errors import InvalidBody

_MAX_RESCANNED_BYTES = 64 << 20
"""Broken quotes make bytes be looked at again; beyond this the body is given up."""


class Record(NamedTuple):
    """One record: its bytes without the line end, its first line, and where the next one starts.

    `fields` is None where the quotes are broken.
    """

    raw: bytes
    fields: list[bytes] | None
    line: int
    end: int


@dataclass(frozen=True)
class Grammar:
    """The patterns of one delimiter."""

    delimiter: bytes
    record: re.Pattern[bytes]
    field: re.Pattern[bytes]

    def split(self, raw: bytes) -> list[bytes]:
        """The fields of a well-formed record, unquoted."""
        if b'"' not in raw:
            return raw.split(self.delimiter)
        return [
            plain if quoted is None else quoted.replace(b'""', b'"')
            for quoted, plain in (match.groups() for match in self.field.finditer(raw))
        ]


@lru_cache(maxsize=8)
def grammar(delimiter: bytes) -> Grammar:
    """The patterns for a one-byte delimiter."""
    mark = re.escape(delimiter)
    scanned, captured = _field_pattern(mark, rb"(?:"), _field_pattern(mark, rb"(")
    return Grammar(
        delimiter,
        re.compile(scanned + rb"(?:" + mark + scanned + rb")*+"),
        re.compile(rb"(?:^|(?<=" + mark + rb"))" + captured + rb"(?=" + mark + rb"|\Z)"),
    )


def _field_pattern(mark: bytes, opening: bytes) -> bytes:
    """A quoted field, or a plain one that begins with no quote; `opening` starts their groups."""
    quoted = rb'[ ]*+"' + opening + rb'(?:[^"]++|"")*+)"[ ]*+'
    plain = opening + rb'(?![ ]*+")[^' + mark + rb"\n]*+)"
    return rb"(?:" + quoted + rb"|" + plain + rb")"


class RecordSplitter:
    """Cuts bytes into records; counts the lines of the whole body."""

    def __init__(self, delimiter: bytes) -> None:
        self.grammar = grammar(delimiter)
        self._rescanned = 0

    def split(self, data: bytes, line: int) -> Iterator[Record]:
        """Complete records from the start of `data`, which is a record's start at line `line`.

        Blank lines are passed over. What follows the last record that was given is incomplete.
        Raises InvalidBody when broken quotes are so many that the body is not read further.
        """
        at = 0
        while at < len(data):
            match = self.grammar.record.match(data, at)
            end = match.end() if match else at
            after = _after_line_end(data, end) if match else None
            if after is not None:
                raw = _without_return(data[at:end])
                if raw:
                    yield Record(raw, self.grammar.split(raw), line, after)
                line += data.count(b"\n", at, after)
                at = after
                continue
            after = data.find(b"\n", at) + 1
            if not after or self._is_incomplete(data, end, matched=match is not None):
                return
            self._give_up_line(end - after, line)
            yield Record(_without_return(data[at : after - 1]), None, line, after)
            line, at = line + 1, after

    def _is_incomplete(self, data: bytes, end: int, *, matched: bool) -> bool:
        """Whether more bytes could complete the record whose longest good part ends at `end`."""
        rest = data[end : end + 2]
        if not matched or rest in (b"", b"\r"):
            return True
        # At a delimiter, the record stopped because the field behind it never closes its quote.
        return rest[:1] == self.grammar.delimiter

    def _give_up_line(self, rescanned: int, line: int) -> None:
        self._rescanned += max(rescanned, 0)
        if self._rescanned > _MAX_RESCANNED_BYTES:
            raise InvalidBody(
                f"Too many broken quotes; the last row looked at begins at line {line:,}.",
                code="bad_quote",
                line=line,
            )


def _after_line_end(data: bytes, end: int) -> int | None:
    """Where the next record starts if a line ends at `end`."""
    if data.startswith(b"\n", end):
        return end + 1
    return end + 2 if data.startswith(b"\r\n", end) else None


def _without_return(raw: bytes) -> bytes:
    return raw[:-1] if raw.endswith(b"\r") else raw
