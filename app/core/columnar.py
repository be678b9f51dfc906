"""Tables as Parquet and as an Arrow IPC stream: typed columns, `meta` in the file's own metadata.

Types are those of the columns' kinds, not of the values that one answer happens to hold: an empty
answer has the types of a full one. Numbers are float64: an exact decimal amount becomes the
nearest one. The columnar library loads on first use; call these in a thread.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from io import BytesIO
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import to_json

from app.core.arrow_schema import add_metadata
from app.core.rows import Kind, Meta, Table, typed_columns

if TYPE_CHECKING:
    import polars as pl

META_KEY: Final = "payband.meta"
"""Under it stands the whole of `meta`, as JSON."""


def render_parquet(table: Table) -> bytes:
    """A Parquet file, compressed with Zstandard."""
    buffer = BytesIO()
    build_frame(table).write_parquet(buffer, metadata=_described(table.meta))
    return buffer.getvalue()


def render_arrow(table: Table) -> bytes:
    """An Arrow IPC stream, with the types that every reader knows (no string views)."""
    from polars import CompatLevel

    buffer = BytesIO()
    build_frame(table).write_ipc_stream(buffer, compat_level=CompatLevel.oldest())
    return add_metadata(buffer.getvalue(), _described(table.meta))


def build_frame(table: Table) -> "pl.DataFrame":
    """The table as columns; what a column's kind cannot hold raises ValueError or TypeError."""
    import polars as pl

    types = _types()
    series = []
    for column, kind, values in typed_columns(table):
        is_plain = set(map(type, values)) <= _PLAIN.get(kind, _NOTHING)
        held = values if is_plain else list(map(_CONVERTED[kind], values))
        series.append(pl.Series(column, held, dtype=types[kind]))
    return pl.DataFrame(series)


def _described(meta: Meta) -> dict[str, str]:
    return {META_KEY: to_json(meta, inf_nan_mode="null").decode()}


def _types() -> Mapping[Kind, Any]:
    import polars as pl

    return {
        Kind.TEXT: pl.String,
        Kind.WHOLE: pl.Int64,
        Kind.NUMBER: pl.Float64,
        Kind.TRUTH: pl.Boolean,
        Kind.DATE: pl.Date,
        Kind.MOMENT: pl.Datetime("us", "UTC"),
        Kind.TEXTS: pl.List(pl.String),
    }


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return value.isoformat() if isinstance(value, date) else to_json(value).decode()


def _whole(value: Any) -> int | None:
    if value is None:
        return None
    if value != int(value):
        raise ValueError("a column of whole numbers holds a fraction")
    return int(value)


def _number(value: Any) -> float | None:
    """As in JSON, what is not finite is null."""
    number = None if value is None else float(value)
    return number if number is not None and isfinite(number) else None


def _date(value: Any) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else value


def _moment(value: Any) -> datetime | None:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return None if moment is None else moment.astimezone(UTC)


def _texts(value: Any) -> list[str] | None:
    return None if value is None else [str(part) for part in value]


def _truth(value: Any) -> bool | None:
    return None if value is None else bool(value)


_CONVERTED: Final[Mapping[Kind, Callable[[Any], Any]]] = {
    Kind.TEXT: _text,
    Kind.WHOLE: _whole,
    Kind.NUMBER: _number,
    Kind.TRUTH: _truth,
    Kind.DATE: _date,
    Kind.MOMENT: _moment,
    Kind.TEXTS: _texts,
}

_NOTHING: Final[frozenset[type]] = frozenset({type(None)})
_PLAIN: Final[Mapping[Kind, frozenset[type]]] = {
    kind: _NOTHING | {held} for kind, held in ((Kind.TEXT, str), (Kind.WHOLE, int))
}
"""What a column of that kind may hold as it is."""
