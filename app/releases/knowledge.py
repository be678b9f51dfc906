"""What is known from earlier releases, and what this one may therefore add."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from app.domain.disclosure import Facts, Policy, Why, is_safe, meets_minimum, why_hidden
from app.releases.facts import node_facts
from app.releases.lattice import KEY, WHOLE_TIME, History
from app.releases.universe import Flags, Ids, Ints, Universe

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Known:
    """Figures of earlier releases, on the nodes of a universe. `pairs`: (node, base) of everything
    ever published, two arrays. Per node: `previous`, the base of the figures the last release
    showed (0: none), and `decided`, the release that last hid it (0: none did)."""

    pairs: tuple[Ids, Ids]
    previous: Ids
    decided: Ids

    @property
    def bases(self) -> list[int]:
        return [int(base) for base in np.unique(self.pairs[1])]

    def latest(self, nodes: int) -> Ids:
        """Per node, the newest base ever published (0: none)."""
        latest: Ids = np.zeros(nodes, dtype=np.int32)
        np.maximum.at(latest, self.pairs[0], self.pairs[1])
        return latest


def find_known(universe: Universe, history: History) -> Known:
    """Place the history on the lattice. Nodes that are not in it any more are left out."""
    previous: Ids = np.zeros(universe.nodes, dtype=np.int32)
    shown_last = np.zeros(universe.nodes, dtype=np.int64)
    node, release, base = _placed(universe, history.shown)
    np.maximum.at(shown_last, node, release)
    now = release == history.number - 1
    previous[node[now]] = base[now]
    pairs = np.unique(np.stack([node, base]), axis=1).astype(np.int32)
    decided = np.where(shown_last > 0, shown_last + 1, _first_decided(universe, history))
    decided = np.where((previous > 0) | (decided >= history.number), 0, decided)
    return Known((pairs[0], pairs[1]), previous, decided.astype(np.int32))


def _placed(universe: Universe, shown: "pl.DataFrame | None") -> tuple[Ints, Ints, Ints]:
    import polars as pl

    if shown is None or not len(shown):
        nothing = np.zeros(0, dtype=np.int64)
        return nothing, nothing, nothing
    nodes = pl.DataFrame(universe.keys, schema=list(KEY)).with_row_index("node")
    placed = shown.select(
        *(pl.col(name).cast(pl.Int64) for name in (*KEY, "release", "base"))
    ).join(nodes, on=list(KEY), how="inner")
    return (
        placed["node"].to_numpy().astype(np.int64),
        placed["release"].to_numpy(),
        placed["base"].to_numpy(),
    )


def _first_decided(universe: Universe, history: History) -> Ints:
    """The first earlier release that could have shown each node: its source was in scope and its
    period closed. `history.number` where there was none."""
    first: Ints = np.full(universe.nodes, history.number, dtype=np.int64)
    for release in range(history.number - 1, 0, -1):
        scope = history.scopes[release - 1] if len(history.scopes) >= release else None
        closed = history.closed[release - 1] if len(history.closed) >= release else None
        first[in_scope(universe, scope) & _was_closed(universe, closed)] = release
    return first


def in_scope(universe: Universe, scope: frozenset[int] | None) -> Flags:
    """Per node: whether a release of that scope decides it."""
    source = universe.keys[:, KEY.index("source")]
    if scope is None:
        return np.ones(universe.nodes, dtype=bool)
    return np.isin(source, sorted(scope))


def _was_closed(universe: Universe, closed: int | None) -> Flags:
    period = universe.keys[:, KEY.index("period")]
    last_quarter = np.where((period > WHOLE_TIME) & (period < 10_000), period * 10 + 4, period)
    if closed is None:
        return np.ones(universe.nodes, dtype=bool)
    return last_quarter <= closed


class Decision:
    """The state of every node while the audits work; they only ever take away.

    `base`: the release whose figures of the node stand (0: hidden). `fresh`: they are of this one.
    `gain`: facts of what becomes unknown when a fresh node is not published after all. `dirty`:
    nodes whose lines must be looked at again. `why`: of nodes not published, a `Why` or ''.
    """

    def __init__(
        self, universe: Universe, known: Known, policy: Policy, now: int, decidable: Flags
    ) -> None:
        self.universe, self.known, self.policy, self.now = universe, known, policy, now
        self.decidable = decidable
        self.facts = node_facts(universe, universe.alive(now))
        self.base = known.previous.copy()
        self.latest = known.latest(universe.nodes)
        self.fresh = np.zeros(universe.nodes, dtype=bool)
        self.dirty = np.ones(universe.nodes, dtype=bool)
        self.gain = Facts(*(column.copy() for column in self.facts))
        self.why = why_hidden(self.facts, policy)

    def propose(self, alike: Flags) -> None:
        """Publish every node that may be: it meets the minimum, and so does what changed."""
        presentable = meets_minimum(self.facts, self.policy) & ~alike
        changed, allowed = self._changes()
        self.why[alike & (self.why == "")] = Why.TOO_ALIKE
        self.fresh = presentable & allowed & self.decidable
        self.why[presentable & ~self.decidable] = Why.OUT_OF_SCOPE
        self.why[presentable & self.decidable & ~allowed] = Why.CHANGE_TOO_SMALL
        # What fails now disappears only where enough changed to tell nothing about anybody.
        gone = ~presentable & allowed & changed & self.decidable & (self.known.previous > 0)
        self.base[gone] = 0
        self.base[self.fresh] = self.now

    def _changes(self) -> tuple[Flags, Flags]:
        """Per node: whether anything changed since it was last shown or hidden, and whether the
        changes since all that is known of it allow to show it, or to stop."""
        known, universe = self.known, self.universe
        changed = (known.previous == 0) & (known.decided == 0)
        allowed = np.ones(universe.nodes, dtype=bool)
        for base in sorted({*known.bases, *map(int, np.unique(known.decided[known.decided > 0]))}):
            published = np.zeros(universe.nodes, dtype=bool)
            published[known.pairs[0][known.pairs[1] == base]] = True
            current = (known.previous == base) | (known.decided == base)
            difference = universe.alive(base) ^ universe.alive(self.now)
            facts = node_facts(universe, difference, published | current, changes=True)
            allowed &= ~published | is_safe(facts, self.policy)
            allowed &= ~current | meets_minimum(facts, self.policy)
            changed |= current & (facts.records > 0)
            updated = known.previous == base
            for column, values in zip(self.gain, facts, strict=True):
                column[updated] = values[updated]
        return changed, allowed

    def withdraw(self, nodes: Ints, why: Why) -> None:
        """Do not publish these nodes (ids) now: earlier figures stand, or they stay hidden."""
        nodes = nodes[self.fresh[nodes]]
        self.fresh[nodes] = False
        self.base[nodes] = self.known.previous[nodes]
        self.why[nodes] = why.value
        self.dirty[nodes] = True
        for above in self.universe.parents:
            step = nodes
            while len(step):
                step = above[step]
                step = step[step >= 0]
                self.dirty[step] = True
