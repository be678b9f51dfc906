"""Tallies of entries: the exact figures of whatever cells carry.

This module loads numpy: import it where it is used, not when the service starts.
"""

from dataclasses import dataclass
from typing import Any, Final, TypedDict

import numpy as np
import numpy.typing as npt

from app.cells.reading import DamagedCells, Entries
from app.cells.settling import settle
from app.cells.strings import (
    DAY,
    MONTHLY,
    ONE_SIDED,
    OUT_OF_BOUNDS,
    PENDING,
    PENDING_ONE_SIDED,
    RANGED,
    WITHDRAWN,
)
from app.statistics.axes import MOST_CODES, Axes, axes_of, dense, period_ids
from app.statistics.entries import Mask, matching, placed
from app.statistics.grouping import Grouping
from app.statistics.statement import Question
from app.statistics.tallies import Ints, Made, Needs, Tally, tally_paid, tally_whole

_OF_ROWS: Final = {"role": "role_id", "source": "source_id", "pay_kind": "pay_kind"}
_OF_AMOUNTS: Final = frozenset({"level", "employment_type", "work_mode"})
_OF_PLACES: Final = frozenset({"region", "industry"})


@dataclass(frozen=True, slots=True)
class Chosen:
    """The entries that have an amount, match and can be placed: codes, amounts and signs."""

    codes: Ints
    amounts: npt.NDArray[Any]
    signs: Ints
    made: Made


def needs_places(grouping: Grouping) -> bool:
    """Whether a grouping needs the string `places`."""
    return not _OF_PLACES.isdisjoint(grouping.names)


def tally_entries(
    question: Question, grouping: Grouping, entries: Entries, needs: Needs
) -> tuple[Axes, Tally]:
    """All entries that the question reaches, counted by group.

    Raises DamagedCells where something is withdrawn that was never written.
    """
    entries = settle(entries)
    if (entries.amounts["day"] & WITHDRAWN).any():
        roles = entries.spread("role_id")[entries.signs < 0]
        raise DamagedCells(frozenset(np.unique(roles).tolist()))
    axes = axes_of(grouping, question.catalogue, entries.rows["month"])
    found = choose(question, grouping, entries, axes)
    codes, distinct = found.codes, None
    if axes.codes >= MOST_CODES:
        distinct, codes = dense(codes, axes.codes)
    if question.native:
        tally = tally_paid(codes, found.amounts, needs, found.made)
    else:
        tally = tally_whole(codes, found.amounts, needs, found.made)
    return axes, tally if distinct is None else tally.named(distinct)


def choose(question: Question, grouping: Grouping, entries: Entries, axes: Axes) -> Chosen:
    """The entries that figures are made of, and counts of those that enter none."""
    amounts, days = entries.amounts["amount"].astype(np.int32), entries.amounts["day"]
    match = matching(question, entries)
    where = placed(question.filters.window, grouping.coarsest, entries)
    has_amount = amounts >= 0 if entries.paid is None else ~np.isnan(entries.paid)
    used = _both(has_amount, match, where)
    signs = entries.signs if (days & WITHDRAWN).any() else None
    counted = _signed(used, signs)
    made = Made(
        ranged=int(_signed(used & (days & RANGED > 0), signs).sum()),
        newest=_last_day(entries, used if signs is None else used & (signs > 0)),
        withdrawn=None if signs is None else _last_day(entries, used & (signs < 0)),
        by_source=_by_source(entries, counted),
        precision=_unplaced(entries, signs, match, where),
        **_undefined(question, amounts, signs, _both(~has_amount, match, where)),
    )
    values = amounts if entries.paid is None else entries.paid
    codes = codes_of(axes, entries)
    if not used.all():
        codes, values, counted = codes[used], values[used], counted[used]
    return Chosen(codes, values, counted, made)


def _signed(mask: Mask, signs: Ints | None) -> npt.NDArray[Any]:
    """1 for each entry of a mask, -1 where it withdraws; 0 for the others."""
    return mask.view(np.int8) if signs is None else mask * signs


def _by_source(entries: Entries, counted: npt.NDArray[Any]) -> dict[int, int]:
    rows, starts = _filled_rows(entries)
    if not len(rows):
        return {}
    sums = np.add.reduceat(counted, starts, dtype=np.int64)
    return by_source(entries.rows["source_id"][rows], sums)


def _filled_rows(entries: Entries) -> tuple[Ints, Ints]:
    """The rows that have entries, and where these begin."""
    rows = np.flatnonzero(entries.rows["entries"])
    sizes = entries.rows["entries"][rows]
    return rows, np.cumsum(sizes) - sizes


def _last_day(entries: Entries, mask: Mask) -> int | None:
    """The newest day of the entries of a mask, in days since 1970-01-01."""
    rows, starts = _filled_rows(entries)
    if not len(rows):
        return None
    days = np.where(mask, entries.amounts["day"] & DAY, 0)
    last = np.maximum.reduceat(days, starts).astype(np.int64)
    found = entries.rows["month"][rows][last > 0] + last[last > 0] - 1
    return int(found.max()) if len(found) else None


def codes_of(axes: Axes, entries: Entries) -> Ints:
    """The code of each entry's group."""
    rows, amounts, places = entries.rows, entries.amounts, entries.places
    ids = {name: rows[column] for name, column in _OF_ROWS.items()}
    by_row = axes.combine({**ids, **period_ids(axes, rows["month"])})
    own: dict[str, Ints] = {
        "level": amounts["level"],
        "employment_type": amounts["kinds"] >> 4,
        "work_mode": amounts["kinds"] & 15,
    }
    if places is not None:
        own |= {"region": places["region"], "industry": places["industry"]}
    codes = axes.combine(own)
    if not isinstance(by_row, int):
        codes = codes + np.repeat(by_row, rows["entries"])
    return np.zeros(len(entries), np.int64) if isinstance(codes, int) else codes


def by_source(source_ids: Ints, counts: Ints) -> dict[int, int]:
    """Counts added up by source."""
    found: dict[int, int] = {}
    for id in np.unique(source_ids).tolist():
        found[id] = int(counts[source_ids == id].sum())
    return found


class _Undefined(TypedDict, total=False):
    rate_pending: int
    one_sided: int
    out_of_bounds: int


def _both(first: Mask, *others: Mask | None) -> Mask:
    for mask in others:
        if mask is not None:
            first = first & mask
    return first


def _undefined(
    question: Question, amounts: npt.NDArray[Any], signs: Ints | None, mask: Mask
) -> "_Undefined":
    """Why entries of `mask` have no amount. What was paid needs no rate."""
    if not mask.any():
        return {}
    found, counted = amounts[mask], _signed(mask, signs)[mask]

    def count(*reasons: int) -> int:
        return int(counted[np.isin(found, reasons)].sum())

    if question.native:
        sided = count(ONE_SIDED, PENDING_ONE_SIDED)
        return {"one_sided": sided, "out_of_bounds": int(counted.sum()) - sided}
    return {
        "rate_pending": count(PENDING, PENDING_ONE_SIDED),
        "one_sided": count(ONE_SIDED),
        "out_of_bounds": count(OUT_OF_BOUNDS),
    }


def _unplaced(entries: Entries, signs: Ints | None, match: Mask | None, where: Mask | None) -> int:
    """How many entries match but cannot be placed. A day outside of the window is not one."""
    if where is None:
        return 0
    coarse = (entries.amounts["day"] & MONTHLY > 0) | (entries.spread("yearly") != 0)
    return int(_signed(_both(~where & coarse, match), signs).sum())
