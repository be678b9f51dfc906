"""Tallies of rollups, together with the entries that are not in them yet.

Of roles the exact one; of places with buckets instead of amounts, while counts, sums and sums of
squares stay exact. This module loads numpy: import it where it is used, not when the service
starts.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from app.cells.reading import Entries
from app.cells.rollup_reading import Rollups
from app.cells.rollups import GRAINS, SPANS
from app.cells.settling import settle
from app.cells.strings import NO_DAY, buckets_of
from app.cells.summing import LOW
from app.domain.dates import Window
from app.domain.vocabulary import PRECISIONS
from app.statistics.axes import Axes, axes_of, dense, period_ids
from app.statistics.entries import Mask
from app.statistics.figures_cells import Chosen, by_source, choose
from app.statistics.filters import regions_under
from app.statistics.grouping import Grouping
from app.statistics.statement import Question
from app.statistics.tallies import (
    Floats,
    Ints,
    Made,
    Needs,
    Pairs,
    Ranked,
    Squares,
    Tally,
    order_pairs,
    rank_buckets,
    tally_counted,
)

_ENTRIES: Final = ("count", "pending", "one_sided", "out_of_bounds")
_ADDED: Final = ("ranged", "rate_pending", "one_sided", "out_of_bounds", "precision")


@dataclass(frozen=True, slots=True)
class _Heads:
    """The heads that match and can be placed; `mask` says which of all they are (None: all)."""

    heads: npt.NDArray[Any]
    codes: Ints
    mask: Mask | None
    made: Made

    def pairs(self, rollups: Rollups) -> tuple[Ints, Ints]:
        """Values and counts of their pairs."""
        values, counts = rollups.rollup.values, rollups.rollup.counts
        if self.mask is None:
            return values, counts
        kept = np.repeat(self.mask, rollups.rollup.heads["pairs"])
        return values[kept], counts[kept]


@dataclass(frozen=True, slots=True)
class Base:
    """What rollups add to a question, in the order in which it is counted.

    `codes` and `heads` are those of the heads that match. `days` (since 1970-01-01) are the periods
    that codes may be of. `distinct`: codes are places among these, because there may be too many.
    """

    grain: int
    axes: Axes
    days: Ints
    heads: npt.NDArray[Any]
    codes: Ints
    pairs: Pairs
    made: Made

    def reaches(self, days: Ints) -> bool:
        """Whether entries of those days have a code, too."""
        if not len(days):
            return True
        return bool(
            len(self.days) and self.days.min() <= days.min() and days.max() <= self.days.max()
        )

    @property
    def size(self) -> int:
        """Bytes that its arrays take."""
        arrays = (self.heads, self.codes, self.pairs.keys, self.pairs.counts)
        return sum(array.nbytes for array in arrays)


def build_base(
    question: Question, grouping: Grouping, rollups: Rollups, days: Ints, needs: Needs
) -> Base:
    """What does not change until rollups do; `days` are those of entries that may come."""
    days = np.concatenate((rollups.rows["period"], days))
    axes = axes_of(grouping, question.catalogue, days)
    heads = _chosen_heads(question, grouping, rollups, axes)
    nothing = np.zeros(0, np.int64)
    pairs = Pairs(nothing, nothing)
    if needs.amounts:
        values, counts = heads.pairs(rollups)
        narrow = np.uint32 if axes.codes < 2**32 else np.int64
        of_pairs = np.repeat(heads.codes.astype(narrow), heads.heads["pairs"])
        pairs = order_pairs(of_pairs, values, counts)
    return Base(rollups.grain, axes, days, heads.heads, heads.codes, pairs, heads.made)


def tally_base(
    question: Question, grouping: Grouping, base: Base, unmerged: Entries, needs: Needs
) -> Tally:
    """Rollups and the entries that are in none of them yet, counted by group.

    Of the grain of places, amounts are those that stand for their buckets.
    """
    entries = choose(question, grouping, settle(unmerged), base.axes)
    made = _together(base.made, entries.made)
    if needs.amounts and base.grain == GRAINS["role"]:
        pairs = base.pairs.including(entries.codes, entries.amounts, _whole(entries.signs))
        return tally_counted(pairs, needs, made)
    return _summed(base, entries, needs, made)


def _whole(signs: npt.NDArray[Any]) -> Ints:
    return signs.astype(np.int64)


def _chosen_heads(question: Question, grouping: Grouping, rollups: Rollups, axes: Axes) -> _Heads:
    heads, rows = rollups.rollup.heads, rollups.rows
    match = _matching(question, heads)
    placed = _placed_rows(question.filters.window, grouping.coarsest, rollups)
    unplaced = heads[_and(np.repeat(~placed, rows["heads"]), match)]
    mask = _and(np.repeat(placed, rows["heads"]), match)
    codes = _codes(axes, rollups)
    sources = rollups.spread("source_id")
    everything = bool(mask.all())
    if not everything:
        heads, codes, sources = heads[mask], codes[mask], sources[mask]
    newest = int(heads["newest"].max(initial=NO_DAY))
    made = Made(
        ranged=int(heads["ranged"].sum()),
        rate_pending=int(heads["pending"].sum()),
        one_sided=int(heads["one_sided"].sum()),
        out_of_bounds=int(heads["out_of_bounds"].sum()),
        precision=sum(int(unplaced[name].sum()) for name in _ENTRIES),
        newest=None if newest == NO_DAY else newest,
        by_source=by_source(sources, heads["count"].astype(np.int64)),
    )
    return _Heads(heads, codes, None if everything else mask, made)


def _matching(question: Question, heads: npt.NDArray[Any]) -> Mask | None:
    """Which heads match the filters that rows do not decide; None: all."""
    filters, catalogue = question.filters, question.catalogue
    mask: Mask | None = None
    if filters.level:
        levels = [catalogue.levels.get(code).id for code in filters.level]
        mask = np.isin(heads["level"], levels)
    wanted = regions_under(catalogue, filters.region)
    unwanted = regions_under(catalogue, filters.exclude_region, "exclude_region")
    if filters.region:
        mask = _and(np.isin(heads["region"], list(wanted - unwanted)), mask)
    elif filters.exclude_region:
        mask = _and(~np.isin(heads["region"], list(unwanted)), mask)
    return mask


def _and(mask: Mask, other: Mask | None) -> Mask:
    return mask if other is None else mask & other


def _placed_rows(window: Window, coarsest: int | None, rollups: Rollups) -> Mask:
    """Which rows hold what the window and the grouping can place: all but some whole years."""
    yearly = rollups.rows["span"] == SPANS["yearly"]
    if coarsest is not None and coarsest < PRECISIONS["year"]:
        return np.asarray(~yearly, np.bool_)
    first = rollups.rows["period"].astype("datetime64[D]")
    last = (first.astype("datetime64[Y]") + 1).astype("datetime64[D]") - 1
    cut = np.zeros(len(first), np.bool_)
    if window.first is not None:
        cut |= first < np.datetime64(window.first)
    if window.last is not None:
        cut |= last > np.datetime64(window.last)
    return np.asarray(~(yearly & cut), np.bool_)


def _codes(axes: Axes, rollups: Rollups) -> Ints:
    rows, heads = rollups.rows, rollups.rollup.heads
    ids = {"role": rows["role_id"], "source": rows["source_id"], "pay_kind": rows["pay_kind"]}
    by_row = axes.combine({**ids, **period_ids(axes, rows["period"])})
    spread = np.repeat(np.broadcast_to(by_row, rows["heads"].shape), rows["heads"])
    by_head = axes.combine({"region": heads["region"], "level": heads["level"]})
    return np.asarray(spread + by_head, np.int64)


def _together(merged: Made, unmerged: Made) -> Made:
    """Both. The newest day is in doubt where the last record of rollups may have been withdrawn."""
    sources = merged.by_source.keys() | unmerged.by_source.keys()
    days = [made.newest for made in (merged, unmerged) if made.newest is not None]
    newest = max(days, default=None)
    taken = unmerged.withdrawn
    in_doubt = newest is not None and newest != unmerged.newest and taken == newest
    return Made(
        **{name: getattr(merged, name) + getattr(unmerged, name) for name in _ADDED},
        newest=newest,
        by_source={
            id: merged.by_source.get(id, 0) + unmerged.by_source.get(id, 0) for id in sources
        },
        in_doubt=in_doubt,
    )


def _summed(base: Base, entries: Chosen, needs: Needs, made: Made) -> Tally:
    """Counts and sums from heads; amounts, where they are needed, from buckets."""
    codes, which = dense(np.concatenate((base.codes, entries.codes)), base.axes.codes)
    sums = _sums(base.heads, entries, which, len(codes))
    filled = np.flatnonzero(sums["count"] > 0)
    counts, totals = sums["count"][filled], sums["total"][filled]
    variances: Floats | None = None
    ranked: Ranked | None = None
    if needs.variances:
        squares = Squares(sums["squares_high"][filled], sums["squares_low"][filled])
        variances = squares.variances(counts, totals)
    if needs.amounts:
        buckets = buckets_of(entries.amounts)
        ranked = rank_buckets(base.pairs.including(entries.codes, buckets, _whole(entries.signs)))
    return Tally(codes[filled], counts, totals, variances, ranked, made)


def _sums(heads: npt.NDArray[Any], entries: Chosen, which: Ints, groups: int) -> dict[str, Ints]:
    amounts = entries.amounts.astype(np.int64)
    squares = amounts * amounts
    of_entries = {
        "count": entries.signs,
        "total": amounts * entries.signs,
        "squares_high": (squares >> LOW) * entries.signs,
        "squares_low": (squares & ((1 << LOW) - 1)) * entries.signs,
    }
    # Sums stay below 2**53, so that floating point has them exactly.
    return {
        name: np.bincount(which, np.concatenate((heads[name], values)), groups).astype(np.int64)
        for name, values in of_entries.items()
    }
