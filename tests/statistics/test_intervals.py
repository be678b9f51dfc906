"""The interval of the median covers what it promises: computed exactly, and tried."""

import csv
from collections import defaultdict
from math import comb, sqrt
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from app.core.database import Database
from app.statistics.measures import median_interval_sql
from tests.support.importing import data_file

RANKS = text(
    "SELECT f.bounds FROM generate_series(6, 500) AS n CROSS JOIN LATERAL"
    f" (SELECT {median_interval_sql('n', 'x::float8')} AS bounds FROM generate_series(1, n) AS x)"
    " AS f ORDER BY n"
)
"""The bounds of the values 1 to n are their ranks."""

INTERVALS = text(
    "SELECT f.bounds FROM (SELECT (place - 1) / :size AS sample, count(*), array_agg(x) AS amounts"
    " FROM unnest(CAST(:drawn AS float8[])) WITH ORDINALITY AS v (x, place) GROUP BY 1) AS g"
    f" CROSS JOIN LATERAL (SELECT {median_interval_sql('g.count', 'x')} AS bounds"
    " FROM unnest(g.amounts) AS x) AS f"
)
"""An interval for every `size` values in a row."""

SAMPLES = 2_000
TRIED = (6, 11, 50, 200)
TIED = (20, 118)


def exact_coverage(n: int, rank: int) -> float:
    """How often x(rank) to x(n + 1 - rank) holds the median of a continuous population.

    It misses where fewer than `rank` of n values lie below the median, or above: Bin(n, 1/2).
    """
    return 1 - 2 * sum(comb(n, k) for k in range(rank)) / float(2**n)


async def covered(database: Database, drawn: Any, median: float) -> float:
    """The share of the samples, the rows of `drawn`, whose interval holds the median."""
    asked = {"size": drawn.shape[1], "drawn": drawn.ravel().tolist()}
    async with database.read() as session:
        bounds = np.array((await session.scalars(INTERVALS, asked)).all())
    assert bounds.shape == (len(drawn), 2)
    return float(np.mean((bounds[:, 0] <= median) & (median <= bounds[:, 1])))


async def test_the_exact_coverage_is_95_percent_and_hardly_more(database: Database) -> None:
    async with database.read() as session:
        bounds = (await session.scalars(RANKS)).all()
    assert len(bounds) == 495
    for n, (low, high) in enumerate(bounds, start=6):
        assert low + high == n + 1
        coverage = exact_coverage(n, int(low))
        assert coverage >= 0.95, n
        assert exact_coverage(n, int(low) + 1) < 0.95, f"{n}: a narrower interval would do"
        if n >= 50:
            assert coverage <= 0.975, n


@pytest.mark.parametrize("size", TRIED)
async def test_samples_of_a_continuous_population_are_covered_as_computed(
    database: Database, size: int
) -> None:
    drawn = np.random.default_rng(size).lognormal(11.3, 0.5, (SAMPLES, size))
    async with database.read() as session:
        ranks = (await session.scalars(RANKS)).all()
    expected = exact_coverage(size, int(ranks[size - 6][0]))
    deviation = sqrt(expected * (1 - expected) / SAMPLES)
    found = await covered(database, drawn, float(np.exp(11.3)))
    assert found == pytest.approx(expected, abs=4 * deviation)


@pytest.mark.slow
async def test_samples_of_real_salaries_with_their_ties_are_covered_more_often(
    database: Database,
) -> None:
    """Where many earn the median itself, an interval that only touches it holds it as well."""
    async with database.read() as session:
        ranks = [int(low) for low, _ in (await session.scalars(RANKS)).all()]
    for level, salaries in real_salaries().items():
        median = float(np.median(salaries))
        exact = {n: tied_coverage(salaries, median, n, ranks[n - 6]) for n in range(6, 501, 7)}
        # docs/methodology.md gives the range.
        assert min(exact.values()) >= 0.951, level
        assert max(exact.values()) <= 0.994, level
        for size in TIED:
            expected = exact[size]
            drawn = np.random.default_rng(size).choice(salaries, (SAMPLES, size))
            deviation = sqrt(expected * (1 - expected) / SAMPLES)
            seen = await covered(database, drawn, median)
            assert seen == pytest.approx(expected, abs=4 * deviation), (level, size)


def tied_coverage(values: Any, median: float, n: int, rank: int) -> float:
    """As `exact_coverage`, of a population with ties, drawn from with replacement."""
    up_to, below = float(np.mean(values <= median)), float(np.mean(values < median))
    above_it = sum(comb(n, k) * up_to**k * (1 - up_to) ** (n - k) for k in range(rank))
    below_it = sum(
        comb(n, k) * below**k * (1 - below) ** (n - k) for k in range(n + 1 - rank, n + 1)
    )
    return 1 - above_it - below_it


def real_salaries() -> dict[str, Any]:
    """Salaries in dollars in the United States by level."""
    found = defaultdict(list)
    with data_file("ai_jobs_salaries.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["salary_currency"] == "USD" and row["company_location"] == "US":
                found[row["experience_level"]].append(float(row["salary"]))
    return {level: np.array(salaries) for level, salaries in found.items()}
