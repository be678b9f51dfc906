"""Lines: what is left of a published node when its published parts are subtracted.

Along each dimension, the parts of a node are the nearest published nodes below it; hidden nodes
with published parts of their own are therefore subtracted as far as they are known, and records
stated at the node itself are part of what is left. The rest must be empty or meet the minimum.
With several releases, node and parts may describe different populations: the rest is then every
version that is in one of them only.
"""

import numpy as np

from app.domain.disclosure import Facts, Why, is_safe, meets_minimum
from app.releases.facts import group_facts
from app.releases.knowledge import Decision
from app.releases.universe import Flags, Ids, Ints

# Each pass withdraws at least one node wherever it finds something; more than the nodes of a
# chain can never be needed, so this only bounds the loop.
PASSES = 10_000


def close_lines(decision: Decision) -> int:
    """Withdraw nodes until every line is safe; returns how many. Looks only at dirty nodes."""
    withdrawn = 0
    for _ in range(PASSES):
        dirty, decision.dirty = decision.dirty, np.zeros_like(decision.dirty)
        if not dirty.any():
            break
        for _, chain in decision.universe.chains():
            for depth in range(len(chain) - 1):
                found = _unsafe_in(decision, chain, depth, dirty)
                decision.withdraw(found, Why.PART_OF_A_LINE)
                withdrawn += len(found)
    return withdrawn


def _unsafe_in(decision: Decision, chain: tuple[int, ...], depth: int, dirty: Flags) -> Ints:
    """Node ids to withdraw for the lines of one projection along one dimension."""
    universe = decision.universe
    parent = universe.node_of[chain[depth]]
    cells = np.flatnonzero((parent >= 0) & (dirty & (decision.base > 0))[parent])
    if not len(cells):
        return cells
    found = []
    for base in _readings(decision):
        part = _nearest_part(universe.node_of, chain[depth + 1 :], base, cells)
        found.append(_repair(decision, base, chain[depth], part, cells))
    return np.unique(np.concatenate(found))


def _readings(decision: Decision) -> list[Ids]:
    """Bases of the parts: nodes shown once and hidden now may be subtracted, or not."""
    once = (decision.base == 0) & (decision.latest > 0)
    if not once.any():
        return [decision.base]
    return [decision.base, np.where(once, decision.latest, decision.base)]


def _nearest_part(node_of: list[Ids], finer: tuple[int, ...], base: Ids, cells: Ints) -> Ids:
    part: Ids = np.full(len(cells), -1, dtype=np.int32)
    for p in finer:
        node = node_of[p][cells]
        part = np.where((part < 0) & (node >= 0) & (base[node] > 0), node, part)
    return part


def _repair(decision: Decision, base: Ids, projection: int, part: Ids, cells: Ints) -> Ints:
    """What to withdraw so that what is left of each parent is larger."""
    universe, policy = decision.universe, decision.policy
    parent = universe.node_of[projection][cells]
    lines = np.arange(universe.starts[projection], universe.starts[projection + 1])
    local = parent - lines[0]
    known = part >= 0
    in_parent = _alive(decision, cells, decision.base[parent])
    in_part = _alive(decision, cells, base[part]) & known
    # Only lines that this release adds something to, and that have published parts.
    new = decision.fresh[lines] | _any(local, known & decision.fresh[part], len(lines))
    open_lines = new & _any(local, known, len(lines))
    group: Ids = np.full(universe.cells, -1, dtype=np.int32)
    left = (in_parent ^ in_part) & open_lines[local]
    group[cells[left]] = local[left]
    rest = group_facts(universe.rows, group, len(lines), changes=True)
    unsafe = open_lines & ~is_safe(rest, policy)
    if not unsafe.any():
        return np.zeros(0, dtype=np.int64)
    choice = unsafe[local] & known & decision.fresh[part]
    cheapest = _cheapest(decision, rest, local[choice], part[choice], len(lines))
    # With no part left to withdraw, the node itself is not published.
    chosen = np.where(cheapest >= 0, cheapest, lines)[unsafe]
    return chosen[decision.fresh[chosen]]


def _alive(decision: Decision, cells: Ints, release: Ids) -> Flags:
    universe = decision.universe
    return (universe.first[cells] <= release) & (release <= universe.last[cells])


def _any(group: Ints, flags: Flags, groups: int) -> Flags:
    return np.bincount(group[flags], minlength=groups) > 0


def _cheapest(decision: Decision, rest: Facts, line: Ints, part: Ids, lines: int) -> Ints:
    """For each line the part with the fewest records that makes the rest safe on its own, else the
    smallest part at all; -1 where there is none. Judged by bounds, which can only overstate."""
    pairs = np.unique(np.stack([line, part.astype(np.int64)]), axis=1)
    line, candidate = pairs
    gain = Facts(*(column[candidate] for column in decision.gain))
    enough = meets_minimum(
        _joined(Facts(*(column[line] for column in rest)), gain), decision.policy
    )
    order = np.lexsort((candidate, gain.records, ~enough, line))
    chosen: Ints = np.full(lines, -1, dtype=np.int64)
    chosen[line[order][::-1]] = candidate[order][::-1]
    return chosen


def _joined(a: Facts, b: Facts) -> Facts:
    """Facts of a union of disjoint groups at worst: all employers shared."""
    return Facts(a.records + b.records, np.maximum(a.employers, b.employers), a.largest + b.largest)
