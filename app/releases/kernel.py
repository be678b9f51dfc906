"""The audit by linear algebra: which hidden groups do all published counts together determine?

The attacker is taken to know which cells hold anything, and every published count exactly. A group
of cells H can then be computed if and only if its indicator is a combination of the indicators of
published nodes, that is, if every vector over the cells that sums to zero over each published node
also sums to zero over H. One random vector of that kernel (a random vector minus its projection
onto the row space, by conjugate gradients) therefore tests all groups at once: for a group that is
not determined the sum is zero with probability 0. A second vector confirms what the first finds.

Cells in the same published nodes cannot be told apart; they are one atom, found by adding a random
64-bit number for each published node. A group that splits an atom is not determined.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from app.releases.knowledge import Decision
from app.releases.universe import Flags, Ids, Ints, Universe

Floats = npt.NDArray[np.float64]
# Sums of kernel vectors below this (per root of the number of atoms) count as zero.
TOLERANCE = 1e-6
SOLVED = 1e-9
# Matrix entries up to which systems are solved, and conjugate gradient steps at most.
SOLVABLE = 100_000
STEPS = 2500
EXACT = 1e-5
VECTORS = 2
TINY = 1e-300
NEIGHBOURS = 8
GROUPED = 300


class Sums:
    """A matrix of zeros and ones, applied by adding whole columns of rows sorted by length: four
    times as fast as `bincount`, without another library."""

    def __init__(self, row: Ids, column: Ids, rows: int) -> None:
        order = np.argsort(row, kind="stable")
        self.lengths: Ints = np.bincount(row, minlength=rows).astype(np.int64)
        starts = np.cumsum(self.lengths) - self.lengths
        self.rows = np.argsort(-self.lengths, kind="stable")
        lengths, starts = self.lengths[self.rows], starts[self.rows]
        ordered = column[order].astype(np.int64)
        self.columns = []
        for place in range(int(lengths[0]) if rows else 0):
            longer = int(np.searchsorted(-lengths, -place, side="left"))
            self.columns.append(ordered[starts[:longer] + place])

    def __call__(self, values: Floats) -> Floats:
        total = np.zeros((len(self.rows), values.shape[1]))
        for column in self.columns:
            total[: len(column)] += np.take(values, column, axis=0)
        result = np.empty_like(total)
        result[self.rows] = total
        return result


@dataclass(frozen=True)
class System:
    """Published nodes as sums of atoms: `sums` of values per atom over every published pair, and
    its transpose `spread`. `atom_of` per cell; `atom`, `equation`: the matrix' entries."""

    atom_of: Ids
    atoms: int
    atom: Ids
    equation: Ids
    equations: int
    sums: Sums
    spread: Sums


class Vector(NamedTuple):
    """Values per atom that sum to zero over every published pair, otherwise random; `error`: how
    far from zero the sums that hold an atom may still be."""

    values: Floats
    error: Floats


def published_pairs(decision: Decision) -> tuple[Ids, Ids]:
    """(node, base) of everything known once this release is out."""
    fresh = np.flatnonzero(decision.fresh).astype(np.int32)
    nodes = np.concatenate([decision.known.pairs[0], fresh])
    return nodes, np.concatenate([decision.known.pairs[1], np.full_like(fresh, decision.now)])


def build_system(universe: Universe, pairs: tuple[Ids, Ids]) -> System:
    """Number the published (node, base) pairs and collapse cells to atoms."""
    names = np.random.default_rng(7).integers(1, 2**63, len(pairs[0]), dtype=np.uint64)
    signature = np.zeros(universe.cells, dtype=np.uint64)
    for equation in _memberships(universe, pairs):
        inside = equation >= 0
        signature[inside] += names[equation[inside]]
    _, sample, atom_of = np.unique(signature, return_index=True, return_inverse=True)
    # In the order of their cells, which puts atoms of the same nodes close to each other.
    order = np.argsort(sample)
    sample, atom_of = sample[order], np.argsort(order)[atom_of]
    atom, equation = _reduced(universe, pairs, sample)
    atoms, equations = len(sample), len(pairs[0])
    return System(
        atom_of.astype(np.int32),
        atoms,
        atom,
        equation,
        equations,
        sums=Sums(equation, atom, equations),
        spread=Sums(atom, equation, atoms),
    )


def _reduced(universe: Universe, pairs: tuple[Ids, Ids], sample: Ints) -> tuple[Ids, Ids]:
    """Entries (atom, pair) of equations with the same combinations as the published nodes, but
    short ones: from each node its published parts along one dimension are subtracted, the one
    that leaves least. (Each step subtracts finer rows from a coarser one, so it can be undone.)
    """
    shortest: Ids = np.full(len(pairs[0]), universe.cells + 1, dtype=np.int32)
    along: Ids = np.full(len(pairs[0]), -1, dtype=np.int32)
    for line, rest in _rests(universe, pairs, sample):
        owners = np.unique(rest.owner)
        size = np.bincount(rest.pair, minlength=len(pairs[0]))[owners]
        better = owners[size < shortest[owners]]
        shortest[better], along[better] = size[size < shortest[owners]], line
    entries = [
        (rest.atom[chosen], rest.pair[chosen])
        for line, rest in _rests(universe, pairs, sample)
        for chosen in [along[rest.pair] == line]
    ]
    atoms, equations = zip(*entries, strict=True) if entries else ((), ())
    nothing = np.zeros(0, dtype=np.int32)
    return (
        np.concatenate([nothing, *atoms]).astype(np.int32),
        np.concatenate([nothing, *equations]).astype(np.int32),
    )


class _Rest(NamedTuple):
    """Atoms left in published pairs along one line; `owner`: of every atom the line has."""

    atom: Ints
    pair: Ids
    owner: Ids


def _rests(universe: Universe, pairs: tuple[Ids, Ids], sample: Ints) -> Iterator[tuple[int, _Rest]]:
    line = 0
    for base in np.unique(pairs[1]):
        of_base = np.flatnonzero(pairs[1] == base)
        number: Ids = np.full(universe.nodes + 1, -1, dtype=np.int32)
        number[pairs[0][of_base]] = of_base
        alive = sample[universe.alive(int(base))[sample]]
        atoms = np.flatnonzero(universe.alive(int(base))[sample])
        for _, chain in universe.chains():
            published = [number[universe.node_of[p][alive]] for p in chain]
            below = np.zeros(len(alive), dtype=bool)
            for pair in reversed(published):
                inside = pair >= 0
                left = inside & ~below
                yield line, _Rest(atoms[left], pair[left], pair[inside])
                line += 1
                below |= inside


def _memberships(universe: Universe, pairs: tuple[Ids, Ids]) -> "list[Ids]":
    """Per projection and base, the number of the pair that holds each cell, -1 where none does."""
    found = []
    for base in np.unique(pairs[1]):
        number: Ids = np.full(universe.nodes + 1, -1, dtype=np.int32)
        of_base = np.flatnonzero(pairs[1] == base)
        number[pairs[0][of_base]] = of_base
        alive = universe.alive(int(base))
        used = np.unique(universe.projection_of[pairs[0][of_base]])
        found += [np.where(alive, number[universe.node_of[p]], -1) for p in used]
    return found


def is_solvable(system: System) -> bool:
    """Whether a system is small enough to be solved."""
    return len(system.atom) <= SOLVABLE


def kernel_vectors(system: System, seed: int) -> list[Vector]:
    """Random vectors less their projection onto the row space; standard normal before that.

    Solved side by side, which costs little more than one alone.
    """
    start = np.random.default_rng(seed).standard_normal((system.atoms, VECTORS))
    values = start - system.spread(_solve(system, system.sums(start)))
    missed = np.abs(system.sums(values))
    vectors = []
    for column in range(VECTORS):
        far = missed[:, column]
        typical = float(np.sqrt(np.mean(far**2))) if len(far) else 0.0
        error = np.full(system.atoms, TOLERANCE + 4 * typical)
        np.maximum.at(error, system.atom, 2 * far[system.equation])
        vectors.append(Vector(np.ascontiguousarray(values[:, column]), error))
    return vectors


def _solve(system: System, right: Floats) -> Floats:
    """Least squares solutions y of A A' y = right, one per column, by conjugate gradients scaled by
    node size.

    What is not solved after `STEPS` raises `Vector.error`.
    """
    size = np.maximum(system.sums.lengths, 1)[:, None]
    solution = np.zeros_like(right)
    rest = right.copy()
    direction = rest / size
    strength = _products(rest, direction)
    target = SOLVED**2 * strength
    for _ in range(STEPS):
        if (strength <= target).all():
            break
        image = system.sums(system.spread(direction))
        # A column that is solved already stands still: nothing is divided by zero.
        step = strength / np.maximum(_products(direction, image), TINY)
        solution += step * direction
        rest -= step * image
        scaled = rest / size
        strength, before = _products(rest, scaled), strength
        direction *= strength / np.maximum(before, TINY)
        direction += scaled
    return solution


def _products(a: Floats, b: Floats) -> Floats:
    """Inner products, column by column."""
    products: Floats = np.einsum("ij,ij->j", a, b)
    return products


def cell_values(system: System, values: Floats, seed: int) -> Floats:
    """Kernel values per cell: an atom's value, spread over its cells at random. What adds up to
    zero inside an atom is in the kernel too, so groups that split atoms come out as not zero."""
    noise = np.random.default_rng(seed).standard_normal(len(system.atom_of))
    cells = np.bincount(system.atom_of, minlength=system.atoms)
    mean = np.bincount(system.atom_of, weights=noise, minlength=system.atoms) / cells
    return noise - mean[system.atom_of] + (values / cells)[system.atom_of]


def zero_nodes(universe: Universe, values: Floats, error: Floats, counted: Flags) -> Flags:
    """Per node: whether the values of its cells that are `counted` add up to zero, as nearly as
    `error` (per cell) lets one see."""
    weighted = np.where(counted, values, 0.0)
    zero = np.zeros(universe.nodes, dtype=bool)
    for p, node in enumerate(universe.node_of):
        start, size = universe.starts[p], universe.starts[p + 1] - universe.starts[p]
        local = np.where(node >= 0, node - start, size)
        total = np.bincount(local, weights=weighted, minlength=size + 1)[:size]
        cells = np.bincount(local, weights=counted, minlength=size + 1)[:size]
        near = error[universe.sample[start : start + size]]
        zero[start : start + size] = (np.abs(total) <= near) & (cells > 0)
    return zero


def zero_groups(vector: Vector) -> list[tuple[int, ...]]:
    """Groups of two to four atoms (of two on larger lattices) whose values cancel: those close to
    each other in size among the sums of one and two. Only atoms whose values are exact: otherwise
    there would be groups by chance."""
    values = vector.values
    exact = np.flatnonzero((vector.error <= EXACT) & (np.abs(values) > TOLERANCE))
    singles = np.stack([exact, exact], axis=1)
    groups = _cancelling(values[exact], singles)
    if len(exact) <= GROUPED:
        one, other = (exact[index] for index in np.triu_indices(len(exact), 1))
        pair_sums = values[one] + values[other]
        free = np.abs(pair_sums) > TOLERANCE
        sums = np.concatenate([values[exact], pair_sums[free]])
        pairs = np.stack([one, other], axis=1)[free]
        groups |= _cancelling(sums, np.concatenate([singles, pairs]))
    return sorted(groups)


def _cancelling(sums: Floats, members: Ints) -> set[tuple[int, ...]]:
    """The members of every two sums that cancel, among neighbours in size."""
    order = np.argsort(np.abs(sums), kind="stable")
    groups: set[tuple[int, ...]] = set()
    for apart in range(1, NEIGHBOURS + 1):
        near, far = order[:-apart], order[apart:]
        cancels = np.abs(sums[near] + sums[far]) <= TOLERANCE
        found = np.concatenate([members[near[cancels]], members[far[cancels]]], axis=1)
        groups.update(tuple(sorted(set(group))) for group in found.tolist())
    return groups
