"""Everything that was ever in a population, as cells and the nodes of the lattice over them.

A cell holds the versions of records with one role, stated region, level, source, period and one
interval of releases in which they were alive. The release interval makes sequences a part of the
lattice: what a node held at any release is a set of cells. A projection chooses a depth for each
dimension (0 is `all`); within one, every cell is in at most one node.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from app.releases.lattice import ALL, WHOLE_TIME, RegionTree

if TYPE_CHECKING:
    import polars as pl

Ints = npt.NDArray[np.int64]
Ids = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]
Depths = tuple[int, ...]

DIMENSIONS = ("source", "role", "region", "level", "period")
# Up to here a table with one place per possible key is faster than sorting the keys.
DENSE_KEYS = 1 << 25


@dataclass(frozen=True)
class Axis:
    """One dimension: `codes[depth][cell]` (-1: the cell has no member there) and the members'
    names, `members[depth][code]`."""

    codes: tuple[Ids, ...]
    members: tuple[Ints, ...]

    @property
    def depth(self) -> int:
        return len(self.codes) - 1


@dataclass(frozen=True)
class Rows:
    """The versions, sorted by cell: `cell`, `employer` (0 to employers - 1), `amount`, `record` (0
    to records - 1) and `twin`: whether the record has further versions."""

    cell: Ids
    employer: Ids
    amount: Ints
    record: Ids
    twin: Flags

    def of_cells(self, cells: Flags) -> "Rows":
        """The rows of the cells flagged; itself where these are all."""
        if cells.all():
            return self
        chosen = np.flatnonzero(cells[self.cell])
        return Rows(
            self.cell[chosen],
            self.employer[chosen],
            self.amount[chosen],
            self.record[chosen],
            self.twin[chosen],
        )


class Universe:
    """Cells, rows and nodes. Node ids run over all projections; `node_of[p][cell]` is -1 where a
    projection has no node for a cell."""

    def __init__(self, rows: Rows, axes: Sequence[Axis], first: Ids, last: Ids) -> None:
        self.rows, self.axes = rows, tuple(axes)
        self.first, self.last = first, last
        self.projections: tuple[Depths, ...] = tuple(
            product(*(range(axis.depth + 1) for axis in axes))
        )
        self.index = {depths: p for p, depths in enumerate(self.projections)}
        self._number_nodes()

    @property
    def cells(self) -> int:
        return len(self.first)

    def _number_nodes(self) -> None:
        self.node_of: list[Ids] = []
        starts, samples = [0], []
        for depths in self.projections:
            ids, sample = _numbered(
                [axis.codes[k] for axis, k in zip(self.axes, depths, strict=True)],
                [len(axis.members[k]) for axis, k in zip(self.axes, depths, strict=True)],
            )
            self.node_of.append(np.where(ids >= 0, ids + starts[-1], -1).astype(np.int32))
            starts.append(starts[-1] + len(sample))
            samples.append(sample)
        self.starts = starts
        self.nodes = starts[-1]
        self.sample: Ids = np.concatenate(samples).astype(np.int32)  # one cell of each node
        self.projection_of: Ids = np.repeat(
            np.arange(len(self.projections), dtype=np.int32), np.diff(starts)
        )

    @cached_property
    def keys(self) -> npt.NDArray[np.int64]:
        """Shape (nodes, 5): the members that name each node, in the order of `DIMENSIONS`."""
        keys = np.empty((self.nodes, len(self.axes)), dtype=np.int64)
        for p, depths in enumerate(self.projections):
            part = slice(self.starts[p], self.starts[p + 1])
            for d, (axis, k) in enumerate(zip(self.axes, depths, strict=True)):
                keys[part, d] = axis.members[k][axis.codes[k][self.sample[part]]]
        return keys

    @cached_property
    def parents(self) -> npt.NDArray[np.int32]:
        """Shape (5, nodes): the next coarser node along each dimension, -1 at the top."""
        parents = np.full((len(self.axes), self.nodes), -1, dtype=np.int32)
        for p, depths in enumerate(self.projections):
            part = slice(self.starts[p], self.starts[p + 1])
            for d in range(len(self.axes)):
                # The finest one above: a quarter of the open year has no year above it.
                for k in range(depths[d]):
                    above = self.node_of[self.index[_at(depths, d, k)]][self.sample[part]]
                    parents[d, part] = np.where(above >= 0, above, parents[d, part])
        return parents

    @cached_property
    def whole(self) -> list[Flags]:
        """Per dimension and node: whether the node's parts hold all of its cells (no remainder)."""
        whole = [np.zeros(self.nodes, dtype=bool) for _ in self.axes]
        for d, chain in self.chains():
            parted = np.zeros(self.cells, dtype=bool)
            for p in reversed(chain):
                node = self.node_of[p]
                whole[d][node[node >= 0]] = True
                whole[d][node[(node >= 0) & ~parted]] = False
                parted |= node >= 0
        return whole

    def alive(self, release: int | Ids) -> Flags:
        """Per cell: whether its versions were in the population of that release (0: of none)."""
        return (self.first <= release) & (release <= self.last)

    def chains(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Every dimension with the projections that differ in its depth only, coarse to fine."""
        for d, axis in enumerate(self.axes):
            for depths in self.projections:
                if depths[d] == 0 and axis.depth > 0:
                    chain = (self.index[_at(depths, d, k)] for k in range(axis.depth + 1))
                    yield d, tuple(chain)


def _at(depths: Depths, dimension: int, depth: int) -> Depths:
    return (*depths[:dimension], depth, *depths[dimension + 1 :])


def _numbered(codes: Sequence[Ids], sizes: Sequence[int]) -> tuple[Ids, Ids]:
    """Ids 0.. of the combinations of codes (-1 where a code is), and one position of each."""
    keys: Ints = np.zeros(len(codes[0]), dtype=np.int64)
    missing = np.zeros(len(keys), dtype=bool)
    space = 1
    for code, size in zip(codes, sizes, strict=True):
        keys = keys * size + code
        missing |= code < 0
        space *= size
    present = np.flatnonzero(~missing)
    ids: Ids = np.full(len(keys), -1, dtype=np.int32)
    if space <= DENSE_KEYS:
        first_seen = np.full(space, -1, dtype=np.int32)
        first_seen[keys[present[::-1]]] = present[::-1]
        used = first_seen >= 0
        numbers = np.cumsum(used, dtype=np.int32) - 1
        ids[present] = numbers[keys[present]]
        return ids, first_seen[used]
    _, sample, inverse = np.unique(keys[present], return_index=True, return_inverse=True)
    ids[present] = inverse
    return ids, present[sample].astype(np.int32)


def build_universe(population: "pl.DataFrame", tree: RegionTree, *, by_source: bool) -> Universe:
    """Number cells, employers, records and nodes. Without `by_source` the dimension has only the
    depth of the sources themselves: for a series with one, whose total is the same set."""
    columns = {
        name: population[name].to_numpy().astype(np.int64)
        for name in ("role", "region", "level", "source", "year", "quarter", "first", "last")
    }
    cell, sample = _cells(columns)
    order = np.argsort(cell, kind="stable")
    at = {name: values[sample] for name, values in columns.items()}
    axes = (
        _source_axis(at["source"], by_source=by_source),
        _flat_axis(at["role"]),
        _region_axis(at["region"], tree),
        _flat_axis(at["level"]),
        _period_axis(at["year"], at["quarter"]),
    )
    first, last = at["first"].astype(np.int32), at["last"].astype(np.int32)
    return Universe(_rows(population, cell, order), axes, first, last)


def _cells(columns: dict[str, Ints]) -> tuple[Ids, Ids]:
    coded = [np.unique(values, return_inverse=True) for values in columns.values()]
    return _numbered(
        [inverse.astype(np.int32) for _, inverse in coded], [len(values) for values, _ in coded]
    )


def _rows(population: "pl.DataFrame", cell: Ids, order: Ints) -> Rows:
    def coded(name: str) -> Ids:
        _, codes = np.unique(population[name].to_numpy(), return_inverse=True)
        return codes.astype(np.int32)

    record = coded("record")
    return Rows(
        cell=cell[order],
        employer=coded("employer")[order],
        amount=population["amount"].to_numpy().astype(np.int64)[order],
        record=record[order],
        twin=(np.bincount(record)[record] > 1)[order] if len(record) else record > 0,
    )


def _whole(length: int, name: int) -> tuple[Ids, Ints]:
    return np.zeros(length, dtype=np.int32), np.array([name], dtype=np.int64)


def _coded(values: Ints, present: Flags) -> tuple[Ids, Ints]:
    codes: Ids = np.full(len(values), -1, dtype=np.int32)
    members, inverse = np.unique(values[present], return_inverse=True)
    codes[present] = inverse
    return codes, members


def _axis(*levels: tuple[Ids, Ints]) -> Axis:
    return Axis(tuple(codes for codes, _ in levels), tuple(members for _, members in levels))


def _flat_axis(values: Ints) -> Axis:
    return _axis(_whole(len(values), ALL), _coded(values, np.ones(len(values), dtype=bool)))


def _source_axis(values: Ints, *, by_source: bool) -> Axis:
    if by_source:
        return _flat_axis(values)
    return _axis(_coded(values, np.ones(len(values), dtype=bool)))


def _region_axis(values: Ints, tree: RegionTree) -> Axis:
    stated, inverse = np.unique(values, return_inverse=True)
    paths = [tree.path(int(region)) for region in stated]
    deepest = max((len(path) for path in paths), default=0)
    levels = [_whole(len(values), ALL)]
    for depth in range(deepest):
        member = np.array([path[depth] if depth < len(path) else -1 for path in paths])
        at = member[inverse].astype(np.int64)
        levels.append(_coded(at, at >= 0))
    return _axis(*levels)


def _period_axis(year: Ints, quarter: Ints) -> Axis:
    return _axis(
        _whole(len(year), WHOLE_TIME), _coded(year, year > 0), _coded(quarter, quarter > 0)
    )
