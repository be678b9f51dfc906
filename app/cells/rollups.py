"""Rollups: cells added up, as arrays and as the byte strings of salary_rollups.

This module loads numpy: import it where it is used, not when the service starts.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from app.cells.strings import HEAD, PLACE_PAIR, ROLE_PAIR

GRAINS: Final = {"role": 1, "places": 2}
SPANS: Final = {"month": 1, "quarter": 2, "year": 3, "yearly": 4}
_MOST: Final = 255
"""The largest step and the largest count of one pair of the grain of places."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rollup:
    """Cells with their pairs; the pairs of a cell follow each other, in the order of the heads.

    `values` are whole amounts, or numbers of buckets, ascending within a cell (one may occur more
    than once); `counts` how many amounts each pair has.
    """

    heads: npt.NDArray[Any]
    values: Ints
    counts: Ints

    @property
    def cell(self) -> Ints:
        """The index of each pair's head."""
        return np.repeat(np.arange(len(self.heads)), self.heads["pairs"])


def pack_rollup(grain: int, rollup: Rollup) -> tuple[bytes, bytes]:
    """The strings `heads` and `pairs`. Values ascend within a cell and differ."""
    if grain == GRAINS["places"]:
        return _pack_places(rollup)
    pairs = np.empty(len(rollup.values), ROLE_PAIR)
    pairs["amount"], pairs["count"] = rollup.values, rollup.counts
    return rollup.heads.tobytes(), pairs.tobytes()


def unpack_rollup(grain: int, heads: bytes, pairs: bytes) -> Rollup:
    """The rollup of those strings, or of several rollups' strings, each put end to end.

    Raises ValueError if the pairs are not as many as the heads say.
    """
    found = np.frombuffer(heads, HEAD)
    written = np.frombuffer(pairs, ROLE_PAIR if grain == GRAINS["role"] else PLACE_PAIR)
    if found["pairs"].sum() != len(written):
        raise ValueError("the heads tell of other pairs")
    if grain == GRAINS["places"]:
        return _unpack_places(found, written)
    return Rollup(found, written["amount"].astype(np.int64), written["count"].astype(np.int64))


def _pack_places(rollup: Rollup) -> tuple[bytes, bytes]:
    sizes = rollup.heads["pairs"].astype(np.int64)
    starts = (np.cumsum(sizes) - sizes)[sizes > 0]
    heads = rollup.heads.copy()
    heads["first"] = 0
    heads["first"][sizes > 0] = rollup.values[starts]
    steps = np.diff(rollup.values, prepend=0)
    steps[starts] = 0
    steps, counts, written = _split(steps, rollup.counts)
    heads["pairs"] = np.diff(_bounds(written)[_bounds(sizes)])
    pairs = np.empty(len(steps), PLACE_PAIR)
    pairs["step"], pairs["count"] = steps, counts
    return heads.tobytes(), pairs.tobytes()


def _bounds(sizes: Ints) -> Ints:
    """Where each cell begins, and where the last one ends."""
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes)))


def _split(steps: Ints, counts: Ints) -> tuple[Ints, Ints, Ints]:
    """Steps and counts of a byte each, and how many of them each pair became."""
    written = np.ones(len(steps), np.int64)
    large = (steps > _MOST) | (counts > _MOST)
    if not large.any():
        return steps, counts, written
    few_steps, few_counts, written[large] = _split_large(steps[large], counts[large])
    place = np.repeat(large, written)
    steps, counts = np.repeat(steps, written), np.repeat(counts, written)
    steps[place], counts[place] = few_steps, few_counts
    return steps, counts, written


def _split_large(steps: Ints, counts: Ints) -> tuple[Ints, Ints, Ints]:
    before = np.maximum(steps - 1, 0) // _MOST
    after = np.maximum(counts - 1, 0) // _MOST
    written = before + 1 + after
    main = np.cumsum(written) - 1 - after
    small_steps, small_counts = np.zeros((2, int(written.sum())), np.int64)
    place = np.arange(len(small_steps)) - np.repeat(main, written)
    small_steps[place < 0] = _MOST
    small_steps[main] = steps - before * _MOST
    small_counts[place >= 0] = _MOST
    small_counts[main + after] = counts - after * _MOST
    return small_steps, small_counts, written


def _unpack_places(heads: npt.NDArray[Any], pairs: npt.NDArray[Any]) -> Rollup:
    sizes = heads["pairs"].astype(np.int64)
    counts = pairs["count"].astype(np.int64)
    values = pairs["step"].astype(np.int64)
    if len(values):
        # Each cell's first step is made to lead there from the last bucket of the cell before, so
        # that one running sum, in place, gives all buckets: new memory would cost more than it.
        starts = (np.cumsum(sizes) - sizes)[sizes > 0]
        first = heads["first"][sizes > 0].astype(np.int64)
        last = first + np.add.reduceat(values, starts)
        values[starts] += first - np.concatenate((np.zeros(1, np.int64), last[:-1]))
        np.cumsum(values, out=values)
    if pairs["count"].all():
        return Rollup(heads, values, counts)
    kept = counts > 0
    heads, fillers = heads.copy(), np.flatnonzero(~kept)
    heads["pairs"] -= np.diff(np.searchsorted(fillers, _bounds(sizes)))
    return Rollup(heads, values[kept], counts[kept])
