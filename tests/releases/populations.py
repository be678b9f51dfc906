"""Small confidential populations with everything that makes groups easy to tell apart."""

import numpy as np
import polars as pl

from app.domain.disclosure import Policy
from app.releases.lattice import History, RegionTree, ReleaseResult, compute_release

SCHEMA = {
    "record": pl.Int64, "role": pl.Int32, "region": pl.Int32, "level": pl.Int32,
    "source": pl.Int32, "year": pl.Int32, "quarter": pl.Int32, "employer": pl.Int64,
    "amount": pl.Int32, "first": pl.Int32, "last": pl.Int32,
}  # fmt: skip
# Two countries; the first has two subdivisions, one of them with two metro areas.
TREE = RegionTree({1: 0, 2: 0, 11: 1, 12: 1, 111: 11, 112: 11})
REGIONS = (111, 112, 11, 12, 1, 2, 0)
PERIODS = ((2024, 20241), (2024, 20242), (2024, 0), (2025, 20251), (0, 20261))


def first_population(seed: int, *, sources: int = 1) -> pl.DataFrame:
    """Some 30 to 250 records: skewed employers, tiny regions, one-person levels, ties,
    year-precision records."""
    random = np.random.default_rng(seed)
    size = int(random.integers(30, 250))
    return _rows(random, size, np.arange(size), sources, release=1)


def _rows(
    random: np.random.Generator, size: int, ids: np.ndarray, sources: int, release: int
) -> pl.DataFrame:
    skew = random.uniform(0.3, 2.0)
    period = _chosen(random, len(PERIODS), size, 0.5)
    levels, roles = int(random.integers(1, 4)), int(random.integers(1, 4))
    level = _chosen(random, levels, size, 1.5)
    ties = random.random(size) < random.choice([0.0, 0.3, 0.8])
    pay = np.exp(random.normal(11.2, random.choice([0.05, 0.2, 0.4]), size)).astype(int)
    return pl.DataFrame(
        {
            "record": ids,
            "role": 1 + _chosen(random, roles, size, 0.7),
            "region": np.array(REGIONS)[
                random.permutation(len(REGIONS))[_chosen(random, len(REGIONS), size, skew)]
            ],
            "level": level,
            "source": 1 + _chosen(random, sources, size, 0.7),
            "year": np.array([y for y, _ in PERIODS])[period],
            "quarter": np.array([q for _, q in PERIODS])[period],
            "employer": _chosen(random, int(random.integers(6, 40)), size, random.uniform(0, 1.2)),
            "amount": np.where(ties, 70_000 + 5_000 * level, pay),
            "first": np.full(size, release),
            "last": np.full(size, release),
        },
        schema=SCHEMA,
    )


def _chosen(random: np.random.Generator, kinds: int, size: int, skew: float) -> np.ndarray:
    weight = 1 / np.arange(1, kinds + 1) ** skew
    return random.choice(kinds, size, p=weight / weight.sum())


def next_population(population: pl.DataFrame, release: int, seed: int) -> pl.DataFrame:
    """The versions of a further release: a few, or many, are removed, changed and added. Of the
    changed ones half are paid otherwise, elsewhere employed; the others only move between nodes."""
    random = np.random.default_rng(seed)
    share = random.choice([0.01, 0.05, 0.3])
    alive = (population["last"] == release - 1).to_numpy()
    fate = random.random(len(population))
    stays = alive & (fate > share)
    changed = alive & (fate < share / 2)
    kept = population.with_columns(
        pl.Series("last", np.where(stays, release, population["last"]), dtype=pl.Int32)
    )
    moves = pl.col("record") % 2 == 0
    new_versions = population.filter(pl.Series(changed)).with_columns(
        pl.when(moves).then("amount").otherwise(pl.col("amount") + 3_000).alias("amount"),
        pl.when(moves).then("employer").otherwise((pl.col("employer") + 1) % 7).alias("employer"),
        pl.when(moves).then((pl.col("level") + 1) % 3).otherwise("level").alias("level"),
        pl.lit(release, dtype=pl.Int32).alias("first"),
        pl.lit(release, dtype=pl.Int32).alias("last"),
    )
    added = int(random.integers(0, max(2, int(share * alive.sum()))))
    start = int(population["record"].to_numpy().max()) + 1
    sources = population["source"].n_unique()
    new = _rows(random, added, np.arange(start, start + added), sources, release)
    return pl.concat([kept, new_versions, new])


def sequence(
    seed: int, *, releases: int, sources: int = 1, policy: Policy
) -> tuple[pl.DataFrame, list[ReleaseResult]]:
    """A population with its versions, and releases of it in sequence."""
    population = first_population(seed, sources=sources)
    results: list[ReleaseResult] = []
    shown: list[pl.DataFrame] = []
    for number in range(1, releases + 1):
        if number > 1:
            population = next_population(population, number, seed * 100 + number)
        history = History(number, pl.concat(shown) if shown else None)
        result = compute_release(population, history, TREE, policy, scope=None)
        results.append(result)
        shown.append(result.nodes.with_columns(pl.lit(number, dtype=pl.Int32).alias("release")))
    return population, results
