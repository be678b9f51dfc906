"""Salary rows for benchmarks: any number, the same ones every time, in flat memory."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

SEED: Final = 7
EMPLOYERS: Final = 20_000
DAYS: Final = 36 * 30
SLICE: Final = 250_000
CURRENCIES: Final = ("USD", "EUR", "GBP", "INR")
CURRENCY_SHARES: Final = (0.70, 0.15, 0.10, 0.05)
PER_DOLLAR: Final = (1.0, 0.92, 0.79, 84.0)


@dataclass(frozen=True, slots=True)
class Codes:
    """What rows may name; `newest` is the last day they may be of."""

    source: str
    roles: tuple[str, ...]
    regions: tuple[str, ...]
    levels: tuple[str, ...]
    industries: tuple[str, ...]
    newest: date


def write_salaries(path: Path, rows: int, codes: Codes) -> None:
    """Write `rows` salary records as CSV with a header and unique external ids.

    A file of fewer rows is a prefix of one of more, up to whole slices of 250,000.
    """
    with path.open("wb") as file:
        for start in range(0, rows, SLICE):
            frame = salaries(start, min(SLICE, rows - start), codes)
            frame.write_csv(file, include_header=start == 0)


def salaries(start: int, count: int, codes: Codes) -> pl.DataFrame:
    """Rows `start` to `start + count`, from a stream of random numbers of their own."""
    rng = np.random.default_rng([SEED, start])
    level = rng.choice(len(codes.levels), count, p=_zipf(len(codes.levels), 0.5))
    currency = rng.choice(len(CURRENCIES), count, p=CURRENCY_SHARES)
    dollars = 60_000 * 1.25**level * np.exp(0.3 * rng.standard_normal(count))
    amounts = np.round(dollars * np.array(PER_DOLLAR)[currency], -2).astype(np.int64)
    days = np.datetime64(codes.newest, "D") - rng.integers(0, DAYS, count)
    employers = rng.choice(EMPLOYERS, count, p=_zipf(EMPLOYERS, 1.0))
    return pl.DataFrame(
        {
            "source": pl.repeat(codes.source, count, eager=True),
            "external_id": _numbered("b", np.arange(start, start + count)),
            "role": _drawn(rng, codes.roles, count),
            "level": pl.Series(codes.levels).gather(level),
            "region": _drawn(rng, codes.regions, count),
            "industry": _drawn(rng, codes.industries, count),
            "employer": _numbered("Employer ", employers),
            "employment_type": _drawn(rng, ("full_time", "contract", "part_time"), count),
            "work_mode": _drawn(rng, ("remote", "hybrid", "onsite"), count),
            "pay_kind": _drawn(rng, ("base", "total"), count),
            "amount": amounts,
            "currency": pl.Series(CURRENCIES).gather(currency),
            "pay_period": pl.repeat("year", count, eager=True),
            "observed_on": days,
        }
    )


def _drawn(rng: np.random.Generator, words: tuple[str, ...], count: int) -> pl.Series:
    return pl.Series(words).gather(rng.choice(len(words), count, p=_zipf(len(words), 1.0)))


def _numbered(prefix: str, numbers: npt.NDArray[np.int64]) -> pl.Series:
    return prefix + pl.Series(numbers).cast(pl.String)


def _zipf(count: int, exponent: float) -> npt.NDArray[np.float64]:
    weights: npt.NDArray[np.float64] = 1 / np.arange(1, count + 1) ** exponent
    weights /= weights.sum()
    return weights
