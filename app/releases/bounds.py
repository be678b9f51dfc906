"""The audit by intervals: what do the rounded counts say about the nodes that are hidden?

Every node starts with what its published count allows, or with 'none or any number'; the lines
then narrow parents and parts until nothing changes. A hidden node that ends up as narrow as a
published count would be is as good as published.
"""

import numpy as np

from app.domain.disclosure import meets_minimum, rounded
from app.releases.knowledge import Decision
from app.releases.universe import Flags, Ids, Ints

ANY = 1 << 30
SWEEPS = 60


def node_bounds(decision: Decision) -> tuple[Ints, Ints]:
    """Lowest and highest count of every node at this release that its rounded counts allow."""
    universe, policy = decision.universe, decision.policy
    low = np.zeros(universe.nodes, dtype=np.int64)
    high = np.full(universe.nodes, ANY, dtype=np.int64)
    shown = decision.base == decision.now
    counts = rounded(decision.facts.records[shown], policy.count_step)
    low[shown] = np.maximum(counts - policy.count_step // 2, policy.min_records)
    high[shown] = counts + (policy.count_step - 1) // 2
    lines = list(zip(universe.parents, universe.whole, strict=True))
    for _ in range(SWEEPS):
        before = (low.copy(), high.copy())
        for above, whole in lines:
            _narrow(above, whole, low, high)
        if (low == before[0]).all() and (high == before[1]).all():
            break
    return low, high


def _narrow(above: Ids, whole: Flags, low: Ints, high: Ints) -> None:
    """One line along one dimension, in place."""
    parts = np.flatnonzero(above >= 0)
    parent = above[parts]
    lows = _sums(parent, low[parts], len(low))
    np.maximum(low, lows, out=low)
    high[parts] = np.minimum(high[parts], high[parent] - lows[parent] + low[parts])
    highs = _sums(parent, high[parts], len(low))
    bounded = whole & (highs < ANY)
    high[bounded] = np.minimum(high, highs)[bounded]
    beside = np.where(bounded[parent], low[parent] - highs[parent] + high[parts], 0)
    low[parts] = np.maximum(low[parts], beside)


def _sums(parent: Ids, values: Ints, nodes: int) -> Ints:
    # Exact: far below 2^53.
    return np.bincount(parent, weights=values, minlength=nodes).astype(np.int64)


def pinned_nodes(decision: Decision) -> Flags:
    """Hidden nodes with records whose count the bounds give away: as well as a published one where
    the node misses the minimum, exactly where it is hidden for the sake of others."""
    low, high = node_bounds(decision)
    hidden = (decision.base == 0) & (decision.facts.records > 0)
    failing = ~meets_minimum(decision.facts, decision.policy)
    allowed = np.where(failing, decision.policy.count_step - 1, 1)
    pinned: Flags = hidden & (high - low < allowed)
    return pinned
