"""Entries added up to rollups, and rollups to those of longer spans.

This module loads numpy: import it where it is used, not when the service starts.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from app.cells.rollups import GRAINS, Ints, Rollup
from app.cells.strings import (
    DAY,
    HEAD,
    NO_DAY,
    ONE_SIDED,
    OUT_OF_BOUNDS,
    PENDING,
    PENDING_ONE_SIDED,
    RANGED,
    buckets_of,
)

LOW: Final = 24
"""Bits of `squares_low`."""
SUMS: Final = (
    *("count", "total", "squares_high", "squares_low", "ranged"),
    *("pending", "one_sided", "out_of_bounds"),
)
"""What the heads of several rollups add up in."""


def sum_entries(
    grain: int, amounts: npt.NDArray[Any], regions: npt.NDArray[Any] | None, month: int
) -> Rollup:
    """The rollup of entries of one month (its first day, in days since 1970-01-01).

    `amounts` holds AMOUNTS, none of them withdrawn; `regions` are not needed for roles.
    """
    place = amounts["level"].astype(np.int64)
    if grain == GRAINS["places"] and regions is not None:
        place |= regions.astype(np.int64) << 16
    places, cell = np.unique(place, return_inverse=True)
    amount = amounts["amount"].astype(np.int64)
    heads = _heads(places, cell, amount)
    has = amount > 0
    cell, amount, day = cell[has], amount[has], amounts["day"][has]
    _sum_amounts(heads, cell, amount)
    heads["ranged"] = np.bincount(cell[day & RANGED > 0], minlength=len(places))
    newest = np.zeros(len(places), np.int64)
    np.maximum.at(newest, cell, (day & DAY).astype(np.int64))
    heads["newest"] = np.where(newest > 0, month + newest - 1, NO_DAY)
    values = amount if grain == GRAINS["role"] else buckets_of(amount)
    return _with_pairs(heads, cell, values, np.ones(len(values), np.int64))


def add_rollups(rollups: Sequence[Rollup]) -> Rollup:
    """One rollup of all that several hold."""
    if len(rollups) == 1:
        return rollups[0]
    heads = np.concatenate([rollup.heads for rollup in rollups])
    place = (heads["region"].astype(np.int64) << 16) | heads["level"]
    places, cells = np.unique(place, return_inverse=True)
    added = _empty_heads(places)
    for name in SUMS:
        sums = np.zeros(len(places), np.int64)
        np.add.at(sums, cells, heads[name].astype(np.int64))
        added[name] = sums
    _carry(added)
    newest = np.full(len(places), NO_DAY, np.int64)
    np.maximum.at(newest, cells, heads["newest"].astype(np.int64))
    added["newest"] = newest
    cell = np.repeat(cells, heads["pairs"])
    values = np.concatenate([rollup.values for rollup in rollups])
    return _with_pairs(added, cell, values, np.concatenate([rollup.counts for rollup in rollups]))


def entries_of(rollup: Rollup) -> int:
    """How many entries a rollup adds up."""
    names = ("count", "pending", "one_sided", "out_of_bounds")
    return sum(int(rollup.heads[name].sum()) for name in names)


def _empty_heads(places: Ints) -> npt.NDArray[Any]:
    heads = np.zeros(len(places), HEAD)
    heads["region"], heads["level"] = places >> 16, places & 0xFFFF
    return heads


def _heads(places: Ints, cell: Ints, amount: Ints) -> npt.NDArray[Any]:
    heads = _empty_heads(places)
    for name, codes in (
        ("pending", (PENDING, PENDING_ONE_SIDED)),
        ("one_sided", (ONE_SIDED,)),
        ("out_of_bounds", (OUT_OF_BOUNDS,)),
    ):
        heads[name] = np.bincount(cell[np.isin(amount, codes)], minlength=len(places))
    return heads


def _sum_amounts(heads: npt.NDArray[Any], cell: Ints, amount: Ints) -> None:
    """Counts and sums. Those of `bincount` are floats, and exact: all stay below 2**53."""
    squares, size = amount * amount, len(heads)
    heads["count"] = np.bincount(cell, minlength=size)
    for name, weights in (
        ("total", amount),
        ("squares_high", squares >> LOW),
        ("squares_low", squares & ((1 << LOW) - 1)),
    ):
        heads[name] = np.bincount(cell, weights, size)
    _carry(heads)


def _carry(heads: npt.NDArray[Any]) -> None:
    """One way to write each sum of squares, so that equal rollups are equal strings."""
    low = heads["squares_low"].astype(np.int64)
    heads["squares_high"] += low >> LOW
    heads["squares_low"] = low & ((1 << LOW) - 1)


def _with_pairs(heads: npt.NDArray[Any], cell: Ints, values: Ints, counts: Ints) -> Rollup:
    """The rollup with pairs in order, each value of a cell once."""
    codes = (cell.astype(np.int64) << 32) | values
    if (counts == 1).all():
        codes, totals = np.unique(codes, return_counts=True)
    else:
        order = np.argsort(codes)
        codes = codes[order]
        starts = np.flatnonzero(np.diff(codes, prepend=-1))
        codes, totals = codes[starts], np.add.reduceat(counts[order], starts)
    heads["pairs"] = np.bincount(codes >> 32, minlength=len(heads))
    return Rollup(heads, codes & 0xFFFFFFFF, totals.astype(np.int64))
