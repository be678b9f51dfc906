"""A release, step by step: facts, the minimum, lines, audits, figures."""

from collections import Counter
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from app.domain.disclosure import (
    PERCENTILES,
    Policy,
    Why,
    meets_minimum,
    rounded,
    shows_quartiles,
    shows_tails,
    too_alike,
)
from app.releases.audit import Audit
from app.releases.bounds import pinned_nodes
from app.releases.facts import moments
from app.releases.knowledge import Decision, find_known, in_scope
from app.releases.lattice import ALL, FIGURES, KEY, History, RegionTree, ReleaseResult
from app.releases.lines import close_lines
from app.releases.universe import Universe, build_universe

if TYPE_CHECKING:
    import polars as pl

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Computation:
    """What a release is computed from. `twice`: there is one source only and its nodes stand for
    those over all sources too."""

    universe: Universe
    history: History
    policy: Policy
    scope: frozenset[int] | None
    twice: bool

    @classmethod
    def of(
        cls,
        population: "pl.DataFrame",
        history: History,
        tree: RegionTree,
        policy: Policy,
        scope: frozenset[int] | None,
    ) -> "Computation":
        """Number everything. Raises ValueError for versions of later releases."""
        if len(population) and bool((population["last"] > history.number).any()):
            raise ValueError(f"the population holds releases later than {history.number}")
        twice = _has_one_source(population, history, scope)
        universe = build_universe(population, tree, by_source=not twice)
        return cls(universe, history, policy, scope, twice)

    def result(self) -> ReleaseResult:
        """Decide, then write down."""
        universe, policy = self.universe, self.policy
        known = find_known(universe, self.history)
        decision = Decision(
            universe, known, policy, self.history.number, in_scope(universe, self._scope())
        )
        eligible = meets_minimum(decision.facts, policy) & decision.decidable
        means, percentiles = moments(universe, universe.alive(decision.now), eligible, PERCENTILES)
        figures = _published(decision, means, percentiles)
        decision.propose(too_alike(figures[:, 1:], policy))
        protect(decision)
        return self._written(decision, figures)

    def _scope(self) -> frozenset[int] | None:
        return None if self.twice else self.scope

    def _written(self, decision: Decision, figures: Floats) -> ReleaseResult:
        nodes, hidden = self._nodes(decision, figures), _hidden(decision)
        if self.twice:
            nodes, hidden = _for_all_sources(nodes), _for_all_sources(hidden)
        return ReleaseResult(nodes, hidden, _summary(nodes, hidden, decision.now))

    def _nodes(self, decision: Decision, figures: Floats) -> "pl.DataFrame":
        import polars as pl

        fresh = np.flatnonzero(decision.fresh)
        steps = (self.policy.count_step, self.policy.count_step)
        frame = _keyed(decision.universe, fresh).with_columns(
            pl.lit(decision.now, dtype=pl.Int32).alias("base"),
            pl.Series("count", rounded(decision.facts.records[fresh], steps[0])),
            pl.Series("employers", rounded(decision.facts.employers[fresh], steps[1])),
            *(
                pl.Series(name, figures[fresh, i]).fill_nan(None).cast(pl.Int64)
                for i, name in enumerate(FIGURES[2:])
            ),
        )
        return pl.concat([frame, self._stale(decision)]).sort(KEY)

    def _stale(self, decision: Decision) -> "pl.DataFrame":
        """Earlier figures that stand: what the last release showed and is neither new nor gone."""
        import polars as pl

        columns = [*_key_columns(), pl.col("base").cast(pl.Int32)]
        columns += [pl.col(name).cast(pl.Int64) for name in FIGURES]
        shown = self.history.shown
        if shown is None or not len(shown):
            return pl.DataFrame(
                schema={
                    **dict.fromkeys((*KEY, "base"), pl.Int32),
                    **dict.fromkeys(FIGURES, pl.Int64),
                }
            )
        last = shown.filter(pl.col("release") == self.history.number - 1).select(columns)
        if self.twice:
            last = last.filter(pl.col("source") != ALL)
        replaced = np.flatnonzero(decision.fresh | (decision.base == 0))
        return last.join(_keyed(decision.universe, replaced), on=list(KEY), how="anti")


def protect(decision: Decision) -> None:
    """Withdraw nodes until the lines and both audits find nothing; each round withdraws some."""
    close_lines(decision)
    audit = Audit(decision)
    attempts = count(1)
    _loosen(audit)
    changed = True
    while changed:
        while audit.withdraw_determined(next(attempts)):
            close_lines(decision)
        changed = _loosen(audit) > 0


def _loosen(audit: Audit) -> int:
    """Withdraw nodes beside those that the bounds pin, twice as many in each attempt; returns how
    many."""
    total = 0
    for attempt in count():
        pinned = np.flatnonzero(pinned_nodes(audit.decision))
        withdrawn = 0
        for _ in range(2**attempt):
            # Along every dimension: one more hidden in one line seldom loosens the others.
            chosen = np.unique(np.concatenate([audit.nearest(pinned), *audit.beside(pinned)]))
            audit.decision.withdraw(chosen[chosen >= 0], Why.BOUNDS)
            withdrawn += int((chosen >= 0).sum())
        if not withdrawn:
            return total
        total += withdrawn
        close_lines(audit.decision)
    return total


def _published(decision: Decision, means: Floats, percentiles: Floats) -> Floats:
    """Shape (nodes, 6): mean and percentiles as they would be published, NaN where never."""
    step = decision.policy.money_step
    figures = np.column_stack([means, percentiles])
    figures = np.floor(figures / step + 0.5) * step
    quartiles = shows_quartiles(decision.facts, decision.policy)
    tails = shows_tails(decision.facts, decision.policy)
    figures[~quartiles[:, None] & np.array([True, False, True, False, True, False])] = np.nan
    figures[~tails[:, None] & np.array([False, True, False, False, False, True])] = np.nan
    return figures


def _keyed(universe: Universe, nodes: "npt.NDArray[np.int64]") -> "pl.DataFrame":
    import polars as pl

    return pl.DataFrame(universe.keys[nodes].astype(np.int32), schema=dict.fromkeys(KEY, pl.Int32))


def _key_columns() -> "list[pl.Expr]":
    import polars as pl

    return [pl.col(name).cast(pl.Int32) for name in KEY]


def _hidden(decision: Decision) -> "pl.DataFrame":
    import polars as pl

    facts = decision.facts
    nodes = np.flatnonzero((decision.base == 0) & (facts.records > 0))
    return _keyed(decision.universe, nodes).with_columns(
        pl.Series("records", facts.records[nodes]),
        pl.Series("employers", facts.employers[nodes]),
        pl.Series("largest_share", facts.largest[nodes] / facts.records[nodes]),
        pl.Series("why", decision.why[nodes].astype(str).tolist(), dtype=pl.String),
    )


def _for_all_sources(frame: "pl.DataFrame") -> "pl.DataFrame":
    import polars as pl

    over_all = frame.with_columns(pl.lit(ALL, dtype=pl.Int32).alias("source"))
    return pl.concat([over_all, frame])


def _summary(nodes: "pl.DataFrame", hidden: "pl.DataFrame", now: int) -> dict[str, int]:
    stale = int((nodes["base"] < now).sum())
    return {
        "shown": len(nodes),
        "stale": stale,
        "hidden": len(hidden),
        **dict(sorted(Counter(hidden["why"].to_list()).items())),
    }


def _has_one_source(
    population: "pl.DataFrame", history: History, scope: frozenset[int] | None
) -> bool:
    """Whether every release of the series was, and this one is, of one and the same source and
    of all sources: then both have the same nodes."""
    return (
        scope is None
        and all(past is None for past in history.scopes)
        and (population["source"].n_unique() == 1)
    )
