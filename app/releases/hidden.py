"""Hidden nodes as an administrator reads them: codes in place of ids."""

from typing import TYPE_CHECKING, Any, Final

from app.domain.closed_periods import QUARTERS_FROM, WHOLE_TIME
from app.releases.lattice import ALL
from app.taxonomies.catalogue import Catalogue, Dimension

if TYPE_CHECKING:
    import polars as pl

ALL_WORD: Final = "all"


def describe_hidden(
    hidden: "pl.DataFrame", catalogue: Catalogue, limit: int
) -> list[dict[str, Any]]:
    """The `limit` largest hidden nodes: codes of each dimension, `period`, `records`, `employers`,
    `largest_share`, `why`."""
    order = ["records", "source", "role", "region", "level", "period"]
    largest = hidden.sort(order, descending=[True, *[False] * 5]).head(limit)
    return [_described(row, catalogue) for row in largest.to_dicts()]


def _described(row: dict[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    return {
        "source": _code(catalogue.sources, row["source"]),
        "role": _code(catalogue.roles, row["role"]),
        "region": _code(catalogue.regions, row["region"]),
        "level": _code(catalogue.levels, row["level"]),
        "period": period_word(row["period"]),
        "records": row["records"],
        "employers": row["employers"],
        "largest_share": round(row["largest_share"], 3),
        "why": row["why"],
    }


def _code(dimension: Dimension[Any], member: int) -> str:
    if member == ALL:
        return ALL_WORD
    entry = dimension.by_id.get(member)
    return f"#{member}" if entry is None else str(entry.code)


def period_word(period: int) -> str:
    """`all`, `2025` or `2025-Q1`."""
    if period == WHOLE_TIME:
        return ALL_WORD
    if period < QUARTERS_FROM:
        return str(period)
    return f"{period // 10}-Q{period % 10}"
