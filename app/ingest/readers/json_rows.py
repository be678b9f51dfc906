"""JSON objects to rows of text: numbers keep the digits they arrived with."""

import json
from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Final

from app.ingest.chunks import ROW, Chunk, Limits, RowError, build_chunk
from app.ingest.fields import ColumnRule, shortened
from app.ingest.readers.text import has_surrogate


class _Constant:
    """What NaN and Infinity decode to: they are no JSON and no number."""


_CONSTANT: Final = _Constant()
_TEXTS: Final = frozenset({str, type(None)})


def build_decoder() -> json.JSONDecoder:
    """A decoder that gives numbers as their text."""
    return json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=lambda _: _CONSTANT)


def repeated_key(source: str, keys: int) -> str | None:
    """A key that the object `source` states twice, where decoding it left `keys` keys.

    Decoding with the keys visible takes twice as long, so it is done only where counting colons
    that directly follow a quote leaves a doubt.
    """
    is_loose = " :" in source or "\t:" in source or "\n:" in source or "\r:" in source
    if not is_loose and source.count('":') == keys:
        return None
    pairs = json.JSONDecoder(object_pairs_hook=tuple).decode(source)
    names = [key for key, _ in pairs]
    return next((key for place, key in enumerate(names) if key in names[:place]), None)


class RowCollector:
    """Gathers rows until they fill a chunk; counts rows of the whole body."""

    def __init__(self, rule: ColumnRule, limits: Limits) -> None:
        self._rule = rule
        self._limits = limits
        self._row = 0
        self._start()

    def _start(self) -> None:
        self._columns: dict[str, None] = {}
        self._rows: list[dict[str, str | None]] = []
        self._numbers: list[int] = []
        self._bad: list[RowError] = []
        self._size = 0

    def add(self, value: object, source: str, at: str) -> None:
        """Take a decoded value as the next row; `source` is its JSON, `at` says where it is."""
        self._size += len(source)
        if len(source) > self._limits.row_bytes:
            return self.reject("row_too_long", f"{at} is longer than the limit of a row.")
        if type(value) is not dict:
            return self.reject("not_an_object", f"{at} holds no object.", source)
        row: dict[str, Any] = value
        if (key := repeated_key(source, len(row))) is not None:
            return self.reject("duplicate_key", f"{at} states a field twice.", None, key)
        problem = self._problem_of_keys(row) or _convert(row, "\\" in source)
        if problem:
            field, code, message = problem
            shown = row.get(field)
            return self.reject(code, message, shown if type(shown) is str else None, field)
        self._row += 1
        self._columns.update(dict.fromkeys(row))
        self._rows.append(row)
        self._numbers.append(self._row)
        return None

    def reject(
        self, code: str, message: str, value: str | None = None, field: str | None = None
    ) -> None:
        """Count the next row as a bad one."""
        self._row += 1
        name = None if field is None else shortened(field)
        shown = None if value is None else shortened(value)
        self._bad.append(RowError(self._row, name, code, message, shown))

    def is_full(self) -> bool:
        received = len(self._rows) + len(self._bad)
        return received >= self._limits.chunk_rows or self._size >= self._limits.block_bytes

    def is_empty(self) -> bool:
        return not (self._rows or self._bad)

    def take(self, bytes_read: int) -> Chunk:
        """The rows gathered so far."""
        columns = _columns_of(self._rows, list(self._columns))
        chunk = build_chunk(columns, self._numbers, self._bad, bytes_read)
        self._start()
        return chunk

    def _problem_of_keys(self, row: dict[str, Any]) -> tuple[str, str, str] | None:
        known = self._rule.known
        if known is not None and not row.keys() <= known:
            field = next(name for name in row if name not in known)
            return field, "unknown_column", self._rule.unknown_detail(field)
        if row.keys() <= self._columns.keys():
            return None
        if ROW in row:
            return ROW, "unknown_column", f"The field name '{ROW}' is reserved."
        if len(row.keys() | self._columns.keys()) > self._limits.columns:
            field = next(name for name in row if name not in self._columns)
            message = f"More than {self._limits.columns:,} different fields."
            return field, "too_many_columns", message
        return None


def _columns_of(
    rows: list[dict[str, str | None]], names: list[str]
) -> dict[str, Sequence[str | None]]:
    """The rows' values by column; absent ones as None."""
    if len(names) > 1 and all(len(row) == len(names) for row in rows):
        return dict(zip(names, zip(*map(itemgetter(*names), rows), strict=True), strict=True))
    return {name: [row.get(name) for row in rows] for name in names}


def _convert(row: dict[str, Any], has_escapes: bool) -> tuple[str, str, str] | None:
    """Make every value text or None, in place; or field, code and message of what cannot be."""
    is_plain = _TEXTS.issuperset(map(type, row.values()))
    for name, value in () if is_plain else row.items():
        if type(value) is not str and value is not None:
            converted = _converted(value)
            if converted is None:
                return name, *_refusal(value)
            row[name] = converted
    if "" in row.values():
        row |= {name: None for name, value in row.items() if value == ""}
    return _text_problem(row) if has_escapes else None


def _converted(value: object) -> str | None:
    """The text of a boolean or of a list of scalars (`;` between); None for anything else."""
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is str:
        return value
    if type(value) is not list:
        return None
    items = [item for item in value if item is not None]
    texts = [None if type(item) is list else _converted(item) for item in items]
    return None if None in texts else ";".join(filter(None, texts))


def _refusal(value: object) -> tuple[str, str]:
    values = value if type(value) is list else [value]
    if any(isinstance(item, _Constant) for item in values):
        return "invalid_number", "NaN and Infinity are no numbers."
    return "nested_value", "A field holds one value, or a list of plain values."


def _text_problem(row: dict[str, str | None]) -> tuple[str, str, str] | None:
    """Text that PostgreSQL cannot hold: only escapes can bring it into a body that is UTF-8."""
    for name, value in row.items():
        for part in (name, value or ""):
            if "\0" in part:
                return name, "nul_byte", "Text must not hold NUL characters."
            if has_surrogate(part):
                return name, "invalid_text", "Text must not hold lone surrogates."
    return None
