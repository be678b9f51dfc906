"""Nobody proves from releases what they must not tell; and the attackers are no dummies."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.disclosure import Policy
from app.releases import computation
from app.releases.knowledge import Decision
from app.releases.lattice import History, compute_release
from app.releases.lines import close_lines
from tests.releases.attacker import Algebra, Attacker, Target
from tests.releases.populations import TREE, first_population, next_population, sequence

POLICY = Policy()
EXACT = Policy(count_step=1, money_step=1)
TARGETS = 8
shapes = st.tuples(st.integers(0, 10**6), st.sampled_from([(1, 1), (1, 2), (2, 1), (3, 1)]))


def attacker(seed: int, releases: int, sources: int, policy: Policy = POLICY) -> Attacker:
    population, results = sequence(seed, releases=releases, sources=sources, policy=policy)
    return Attacker(population, [result.nodes for result in results], TREE, policy)


def some(attack: Attacker, seed: int) -> list[Target]:
    """Of the hidden nodes that miss the minimum before the others, a few at random."""
    found = list(attack.targets())
    order = np.random.default_rng(seed).permutation(len(found))
    return sorted((found[i] for i in order), key=lambda t: not attack.fails(t.cells))[:TARGETS]


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(shapes, st.sampled_from([POLICY, EXACT]))
def test_linear_programs_prove_nothing(shape: tuple[int, tuple[int, int]], policy: Policy) -> None:
    """Not even of figures that are not rounded: those of `POLICY` alone hide too much to prove
    anything even where nothing else does."""
    seed, (releases, sources) = shape
    attack = attacker(seed, releases, sources, policy)
    if attack.figures:
        assert attack.findings(some(attack, seed)) == []


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(shapes)
def test_exact_counts_would_determine_nothing(shape: tuple[int, tuple[int, int]]) -> None:
    """No hidden node, and no set of one or two cells, that misses the minimum."""
    seed, (releases, sources) = shape
    attack = attacker(seed, releases, sources)
    if attack.figures:
        assert not [cells.sum() for cells in Algebra(attack).findings(members=2)]


@pytest.mark.parametrize("seed", [306, 2037])
def test_two_cells_are_not_determined_together(seed: int) -> None:
    """Found by trying all pairs: one of which one cell meets the minimum alone, and one whose
    values were as large as those of many sums."""
    assert not Algebra(attacker(seed, 1, 1)).findings(members=2)


def test_three_cells_are_not_determined_together() -> None:
    """Found by trying all sets of three: the audit looked at pairs only."""
    attack = attacker(412, 1, 1)
    assert not Algebra(attack).findings(members=3)


def nothing(_: Decision) -> None:
    """Protects nothing: only the minimum hides."""


@pytest.mark.parametrize("protection", [nothing, close_lines])
def test_the_algebra_beats_less_protection(
    protection: Callable[[Decision], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of four populations, each by its minimum and its lines alone."""
    seeds = (4, 5, 7, 15)
    assert not any(Algebra(attacker(seed, 1, 1)).findings(members=1) for seed in seeds[:2])
    monkeypatch.setattr(computation, "protect", protection)
    assert all(Algebra(attacker(seed, 1, 1)).findings(members=1) for seed in seeds)


def test_linear_programs_beat_the_minimum_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts, pay and totals: each kind of proof is one that the attacker can find."""

    def findings() -> set[str]:
        attack = attacker(1, 1, 1, EXACT)
        return {finding.what for finding in attack.findings(some(attack, 1))}

    assert findings() == set()
    monkeypatch.setattr(computation, "protect", nothing)
    assert findings() == {"count", "pay", "total"}


def test_releases_that_forget_the_earlier_ones_are_beaten() -> None:
    """Every release made as if it were the first: what changed in between is a difference."""
    assert any(_beaten_when_forgetful(seed) for seed in range(1, 9))


def _beaten_when_forgetful(seed: int) -> bool:
    population = first_population(seed)
    first = compute_release(population, History(), TREE, POLICY, scope=None).nodes
    population = next_population(population, 2, seed * 100 + 2)
    one = pl.lit(1, dtype=pl.Int32)
    afresh = population.filter(pl.col("last") == 2).with_columns(first=one, last=one)
    second = compute_release(afresh, History(), TREE, POLICY, scope=None).nodes
    shown = [first, second.with_columns(base=pl.lit(2, dtype=pl.Int32))]
    return bool(Algebra(Attacker(population, shown, TREE, POLICY)).findings(members=1))


def test_the_attacker_knows_only_what_is_published() -> None:
    """The truth always satisfies the attacker's constraints: otherwise proofs would be empty."""
    population, results = sequence(11, releases=2, policy=POLICY)
    attack = Attacker(population, [result.nodes for result in results], TREE, POLICY)
    rows, limits = attack.count_rows()
    counts = np.array([len(amounts) for amounts in attack.amounts], dtype=float)
    assert (rows @ counts <= limits + 1e-9).all()
    sums = np.array([sum(amounts) for amounts in attack.amounts], dtype=float)
    rows, limits = attack.sum_rows()
    assert (rows @ np.concatenate([counts, sums]) <= limits + 1e-6).all()
    rows, limits = attack.pay_rows(60_000, 80_000)
    bins = np.array([
        [sum(a < 60_000 for a in amounts), sum(60_000 <= a <= 80_000 for a in amounts),
         sum(a > 80_000 for a in amounts)] for amounts in attack.amounts
    ], dtype=float).T  # fmt: skip
    assert (rows @ bins.ravel() <= limits + 1e-6).all()
    assert pl.concat([result.nodes for result in results])["count"].min() == 5
