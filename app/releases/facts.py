"""Facts of groups of rows: counted exactly, never from bounds."""

import numpy as np
import numpy.typing as npt

from app.domain.disclosure import Facts
from app.releases.universe import Flags, Ids, Ints, Rows, Universe


def group_facts(rows: Rows, group: Ids, groups: int, *, changes: bool = False) -> Facts:
    """Facts of groups of cells. `group`: per cell, 0 to groups - 1, or -1 for none.

    A record with several versions in a group counts once; with versions of two employers it counts
    for each of them. Where the groups are `changes`, what is in one of two populations only, a
    record that is in both with the same amount counts for nothing: it did not change a figure.
    O(rows log rows).
    """
    member = group[rows.cell]
    chosen = np.flatnonzero(member >= 0)
    if changes:
        chosen = _changed(rows, member, chosen)
    member = member[chosen]
    records = np.bincount(member, minlength=groups)
    employer = rows.employer[chosen]
    twins = np.flatnonzero(rows.twin[chosen])
    if len(twins):
        record = rows.record[chosen[twins]]
        records -= np.bincount(member[twins][_repeats(member[twins], record)], minlength=groups)
        again = twins[_repeats(member[twins], record, employer[twins])]
        member, employer = np.delete(member, again), np.delete(employer, again)
    return Facts(records, *_employers(member, employer, groups))


def _employers(member: Ids, employer: Ids, groups: int) -> tuple[Ints, Ints]:
    """Distinct employers of each group, and the rows of its largest."""
    span = int(employer.max(initial=0)) + 1
    keys = np.sort(member.astype(np.int64) * span + employer)
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    owner = keys[starts] // span
    sizes = np.diff(starts, append=len(keys))
    largest = np.zeros(groups, dtype=np.int64)
    if len(owner):
        firsts = np.flatnonzero(np.diff(owner, prepend=-1))
        largest[owner[firsts]] = np.maximum.reduceat(sizes, firsts)
    return np.bincount(owner, minlength=groups), largest


def _changed(rows: Rows, member: Ids, chosen: Ints) -> Ints:
    """The rows without those that have an equal amount on the other side of the same group."""
    twins = np.flatnonzero(rows.twin[chosen])
    columns = (member[chosen[twins]], rows.record[chosen[twins]], rows.amount[chosen[twins]])
    order = np.lexsort(columns)
    same = np.ones(max(len(order) - 1, 0), dtype=bool)
    for column in columns:
        same &= np.diff(column[order]) == 0
    both = np.zeros(len(order), dtype=bool)
    both[order[1:]] |= same
    both[order[:-1]] |= same
    return np.delete(chosen, twins[both])


def _repeats(*columns: Ids) -> Flags:
    """True for every row whose values were seen in an earlier one."""
    order = np.lexsort(columns)
    same = np.ones(max(len(order) - 1, 0), dtype=bool)
    for column in columns:
        same &= np.diff(column[order]) == 0
    repeated: Flags = np.zeros(len(order), dtype=bool)
    repeated[order[1:]] = same
    return repeated


def node_facts(
    universe: Universe, counted: Flags, nodes: Flags | None = None, *, changes: bool = False
) -> Facts:
    """Facts of every node, over the cells `counted`; of the others (not in `nodes`) zeros.

    `changes` as in `group_facts`.
    """
    rows = universe.rows.of_cells(counted)
    facts = [
        group_facts(
            rows,
            _local(universe, p, counted, nodes),
            universe.starts[p + 1] - universe.starts[p],
            changes=changes,
        )
        for p in range(len(universe.projections))
    ]
    return Facts(*(np.concatenate(column) for column in zip(*facts, strict=True)))


def _local(universe: Universe, p: int, counted: Flags, nodes: Flags | None) -> Ids:
    node = universe.node_of[p]
    chosen = counted & (node >= 0)
    if nodes is not None:
        chosen &= nodes[node]
    return np.where(chosen, node - universe.starts[p], -1).astype(np.int32)


def cell_counts(universe: Universe) -> Ints:
    """Versions in each cell."""
    return np.bincount(universe.rows.cell, minlength=universe.cells)


def moments(
    universe: Universe, counted: Flags, nodes: Flags, quantiles: tuple[int, ...]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean, shape (nodes,), and percentiles by linear interpolation, shape (nodes, quantiles), of
    the amounts of the nodes flagged, over the cells `counted`; NaN elsewhere.

    Percentiles as PostgreSQL's `percentile_cont` (type 7 of Hyndman and Fan, 1996).
    """
    rows = universe.rows
    means = np.full(universe.nodes, np.nan)
    percentiles = np.full((universe.nodes, len(quantiles)), np.nan)
    order = np.argsort(rows.amount, kind="stable")
    cell, amount = rows.cell[order], rows.amount[order]
    for p in range(len(universe.projections)):
        member = _local(universe, p, counted, nodes)[cell]
        chosen = np.flatnonzero(member >= 0)
        # Rows are in order of amount: sorting by node and position orders them inside the nodes.
        keys = np.sort(member[chosen].astype(np.int64) * len(cell) + chosen)
        node, position = np.divmod(keys, len(cell)) if len(cell) else (keys, keys)
        starts = np.flatnonzero(np.diff(node, prepend=-1))
        sizes = np.diff(starts, append=len(node))
        values = amount[position]
        ids = node[starts] + universe.starts[p]
        if len(ids):
            means[ids] = np.add.reduceat(values, starts) / sizes
        for column, quantile in enumerate(quantiles):
            percentiles[ids, column] = _interpolated(values, starts, sizes, quantile / 100)
    return means, percentiles


def _interpolated(
    values: Ints, starts: Ints, sizes: Ints, fraction: float
) -> npt.NDArray[np.float64]:
    place = fraction * (sizes - 1)
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, sizes - 1)
    low, high = values[starts + below], values[starts + above]
    result: npt.NDArray[np.float64] = low + (place - below) * (high - low)
    return result
