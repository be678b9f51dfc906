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
    Ranked,
    Squares,
    Tally,
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


def tally_rollups(
    question: Question, grouping: Grouping, rollups: Rollups, unmerged: Entries, needs: Needs
) -> tuple[Axes, Tally]:
    """Rollups and the entries that are in none of them yet, counted by group.

    Of the grain of places, amounts are those that stand for their buckets.
    """
    unmerged = settle(unmerged)
    days = np.concatenate((rollups.rows["period"], unmerged.rows["month"]))
    axes = axes_of(grouping, question.catalogue, days)
    entries = choose(question, grouping, unmerged, axes)
    heads = _chosen_heads(question, grouping, rollups, axes)
    codes, which = dense(np.concatenate((heads.codes, entries.codes)), axes.codes)
    made = _together(heads.made, entries.made)
    if needs.amounts and rollups.grain == GRAINS["role"]:
        tally = _exact(rollups, heads, entries, which, needs, made)
    else:
        tally = _summed(rollups, heads, entries, which, needs, made)
    return axes, tally.named(codes)


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


def _exact(
    rollups: Rollups, heads: _Heads, entries: Chosen, which: Ints, needs: Needs, made: Made
) -> Tally:
    amounts, counts = heads.pairs(rollups)
    of_pairs = np.repeat(which[: len(heads.codes)], heads.heads["pairs"])
    return tally_counted(
        _joined(of_pairs, which[len(heads.codes) :]),
        _joined(amounts, entries.amounts),
        _joined(counts, entries.signs),
        needs,
        made,
    )


def _summed(
    rollups: Rollups, heads: _Heads, entries: Chosen, which: Ints, needs: Needs, made: Made
) -> Tally:
    """Counts and sums from heads; amounts, where they are needed, from buckets."""
    groups = int(which.max(initial=-1)) + 1
    sums = _sums(heads.heads, entries, which, groups)
    filled = np.flatnonzero(sums["count"] > 0)
    counts, totals = sums["count"][filled], sums["total"][filled]
    variances: Floats | None = None
    ranked: Ranked | None = None
    if needs.variances:
        squares = Squares(sums["squares_high"][filled], sums["squares_low"][filled])
        variances = squares.variances(counts, totals)
    if needs.amounts:
        ranked = _ranked(rollups, heads, entries, which)
    return Tally(filled, counts, totals, variances, ranked, made)


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


def _ranked(rollups: Rollups, heads: _Heads, entries: Chosen, which: Ints) -> Ranked:
    """The amounts of all groups that have any, as those of their buckets."""
    values, counts = heads.pairs(rollups)
    of_heads, own = which[: len(heads.codes)], which[len(heads.codes) :]
    return rank_buckets(
        _joined(np.repeat(of_heads.astype(np.uint32), heads.heads["pairs"]), own),
        _joined(values, buckets_of(entries.amounts)),
        _joined(counts, entries.signs),
    )


def _joined(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.concatenate((first, second)) if len(second) else first
