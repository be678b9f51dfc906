"""What the audit by linear algebra looks at, and what is withdrawn where it finds something."""

from collections.abc import Iterator

import numpy as np

from app.domain.disclosure import Why, is_safe
from app.releases import kernel
from app.releases.facts import group_facts, node_facts
from app.releases.kernel import System, Vector
from app.releases.knowledge import Decision
from app.releases.substitution import known_atoms
from app.releases.universe import Flags, Ids, Ints

# How much larger the nodes may be, with every round, that are withdrawn for a finding.
GROWTH = 6


class Audit:
    """Targets that do not change while nodes are withdrawn: what must never be determined."""

    def __init__(self, decision: Decision) -> None:
        self.decision = decision
        universe = decision.universe
        # Facts that fail at this release or fell under the minimum at the one before it.
        moments = [decision.now] if decision.now == 1 else [decision.now - 1, decision.now]
        self.targets = {}
        for moment in moments:
            alive = universe.alive(moment)
            facts = decision.facts if moment == decision.now else node_facts(universe, alive)
            self.targets[moment] = ~is_safe(facts, decision.policy)
        self.targets[decision.now] |= self._small_changes()
        # Withdrawing determines nothing new: only what one round found can be found by the next.
        self.suspects = np.ones(universe.nodes, dtype=bool)

    def _small_changes(self) -> Flags:
        """Nodes that differ too little from what is known of them for their present figures to
        become known."""
        decision, universe = self.decision, self.decision.universe
        small = np.zeros(universe.nodes, dtype=bool)
        nodes, bases = decision.known.pairs
        for base in decision.known.bases:
            published = np.zeros(universe.nodes, dtype=bool)
            published[nodes[bases == base]] = True
            difference = universe.alive(base) ^ universe.alive(decision.now)
            facts = node_facts(universe, difference, published, changes=True)
            small |= published & ~is_safe(facts, decision.policy)
        return small

    def withdraw_determined(self, attempt: int) -> int:
        """One round: finds what is determined, withdraws nodes for each; returns how many."""
        universe, decision = self.decision.universe, self.decision
        system = kernel.build_system(universe, kernel.published_pairs(decision))
        facts = group_facts(universe.rows, system.atom_of, system.atoms)
        failing = ~is_safe(facts, decision.policy)
        vectors = kernel.kernel_vectors(system, attempt) if kernel.is_solvable(system) else []
        if vectors and all(vector.error.max(initial=0) <= kernel.EXACT for vector in vectors):
            nodes, found = self._by_algebra(system, vectors, failing, attempt)
        else:
            nodes, found = self._by_substitution(system, failing, attempt)
        self.suspects = nodes
        # Where a round is cheap, the first one takes as little as it can.
        step = attempt - int(kernel.is_solvable(system))
        chosen = self._remedy(np.flatnonzero(nodes), _cells(system, found), step)
        decision.withdraw(chosen, Why.AUDIT)
        return len(chosen)

    def _by_algebra(
        self, system: System, vectors: list[Vector], failing: Flags, attempt: int
    ) -> tuple[Flags, list[tuple[int, ...]]]:
        """Nodes and groups of failing atoms that two random kernel vectors agree on."""
        nodes, atoms = self.suspects, failing
        groups = kernel.zero_groups(vectors[0])
        for number, vector in enumerate(vectors[:2]):
            nodes = nodes & self._nodes(system, vector, kernel.VECTORS * attempt + number)
            atoms = atoms & (np.abs(vector.values) <= vector.error)
        groups = _still_zero(groups, vectors[1])
        return nodes, [(int(atom),) for atom in np.flatnonzero(atoms)] + self._failing(
            system, groups
        )

    def _by_substitution(
        self, system: System, failing: Flags, attempt: int
    ) -> tuple[Flags, list[tuple[int, ...]]]:
        """Nodes and failing atoms that substitution gives."""
        known = known_atoms(system)
        unknown = np.random.default_rng(attempt).standard_normal(system.atoms)
        vector = Vector(np.where(known, 0.0, unknown), np.full(system.atoms, kernel.TOLERANCE))
        nodes = self.suspects & self._nodes(system, vector, attempt)
        return nodes, [(int(atom),) for atom in np.flatnonzero(known & failing)]

    def _remedy(self, nodes: Ints, cells: Ints, step: int) -> Ints:
        """Fresh nodes to withdraw so that these nodes, and the groups with these cells, are
        determined no more: the cheapest beside them and above them; and larger and larger ones
        that hold them, so that the nodes that most people ask for go last."""
        held = np.concatenate([self.decision.universe.sample[nodes].astype(np.int64), cells])
        records = self.decision.facts.records
        largest = self.decision.policy.min_records * GROWTH**step
        limit = min(largest, int(records.max(initial=0)) // 4)
        above = [self._above(held), self._all_above(held, limit)]
        chosen = np.concatenate([*above, *self.beside(nodes)])
        return np.unique(chosen[chosen >= 0])

    def _all_above(self, cells: Ints, limit: int) -> Ints:
        """The fresh nodes of at most `limit` records that hold one of the cells."""
        decision = self.decision
        holders = np.stack([node_of[cells] for node_of in decision.universe.node_of])
        above = np.unique(holders[holders >= 0]).astype(np.int64)
        chosen: Ints = above[decision.fresh[above] & (decision.facts.records[above] <= limit)]
        return chosen

    def _nodes(self, system: System, vector: Vector, seed: int) -> Flags:
        """Target nodes that are determined, at any of the moments."""
        universe = self.decision.universe
        values = kernel.cell_values(system, vector.values, seed + 1000)
        error = vector.error[system.atom_of]
        found = np.zeros(universe.nodes, dtype=bool)
        for moment, targets in self.targets.items():
            alive = universe.alive(moment)
            found |= targets & kernel.zero_nodes(universe, values, error, alive)
        return found

    def _failing(self, system: System, groups: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
        """The groups of atoms that miss the minimum together."""
        rows, policy = self.decision.universe.rows, self.decision.policy
        failing = []
        for group in groups:
            inside = np.isin(system.atom_of, group)
            facts = group_facts(rows.of_cells(inside), np.where(inside, 0, -1).astype(np.int32), 1)
            if not is_safe(facts, policy)[0]:
                failing.append(group)
        return failing

    def nearest(self, nodes: Ints) -> Ints:
        """For each node, the smallest fresh node beside it in a line or above it; -1 for none."""
        best = self._above(self.decision.universe.sample[nodes].astype(np.int64))
        for beside in self.beside(nodes):
            best = self._smaller(best, beside)
        return best

    def beside(self, nodes: Ints) -> Iterator[Ints]:
        """Per dimension, for each node the smallest fresh node beside it in a line; -1 for none."""
        decision = self.decision
        for above in decision.universe.parents:
            parent = above[nodes]
            line = (parent >= 0) & (decision.base[parent] > 0)
            yield np.where(line, self._smallest_part(above)[parent], -1)

    def _smallest_part(self, above: Ids) -> Ints:
        """Per node, its smallest fresh part along one dimension; -1 for none."""
        decision = self.decision
        fresh = np.flatnonzero(decision.fresh & (above >= 0))
        order = fresh[np.argsort(-decision.facts.records[fresh], kind="stable")]
        smallest: Ints = np.full(decision.universe.nodes, -1, dtype=np.int64)
        smallest[above[order]] = order
        return smallest

    def _above(self, cells: Ints) -> Ints:
        """For each cell the smallest fresh node that holds it; -1 for none."""
        decision, universe = self.decision, self.decision.universe
        best: Ints = np.full(len(cells), -1, dtype=np.int64)
        for node_of in universe.node_of:
            node = node_of[cells].astype(np.int64)
            best = self._smaller(best, np.where((node >= 0) & decision.fresh[node], node, -1))
        return best

    def _smaller(self, a: Ints, b: Ints) -> Ints:
        """Of two nodes the one with fewer records; -1 loses."""
        records = self.decision.facts.records
        take_b = (b >= 0) & ((a < 0) | (records[b] < records[a]))
        return np.where(take_b, b, a)


def _still_zero(groups: list[tuple[int, ...]], vector: Vector) -> list[tuple[int, ...]]:
    return [group for group in groups if abs(vector.values[list(group)].sum()) <= kernel.TOLERANCE]


def _cells(system: System, groups: list[tuple[int, ...]]) -> Ints:
    """A cell of the first atom of each group."""
    sample = np.zeros(system.atoms, dtype=np.int64)
    sample[system.atom_of] = np.arange(len(system.atom_of))
    return np.unique(sample[[group[0] for group in groups]])
