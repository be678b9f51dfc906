"""Synthetic salary records: the same ones for the same day and rates, whoever makes them."""

from datetime import date
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from app.demo.world import (
    ANNUAL_GROWTH,
    EMPLOYERS,
    GUIDE_ROLE,
    INDUSTRIES,
    MONTHS,
    REGIONS,
    ROLES,
    SALARIES,
    SEED,
    bands,
    guide_titles,
)
from app.domain.money import PERIODS_PER_YEAR

if TYPE_CHECKING:
    from app.rates.pricing import RateTable

Choice = npt.NDArray[np.intp]
Numbers = npt.NDArray[np.float64]

DAYS: Final = round(MONTHS * 365.25 / 12)
COVERED: Final = 0.8
"""How much of a level's band the middle half of its records fills.

So much that its ends, rounded outward to 5,000, are the band again: the guide regenerates itself.
"""
QUARTILE: Final = 0.6745
"""Standard deviations from the median to a quartile of a normal distribution."""


def generate_salaries(today: date, dollars: "RateTable", base: "RateTable") -> pl.DataFrame:
    """Some `SALARIES` rows with the fields of a salary record, all of the source `demo`.

    `dollars` turns the drawn dollars into the currency paid; rows that `base` could not price
    are left out, so that nothing of the demo data is pending.
    """
    rng = np.random.default_rng(SEED)
    columns = _drawn(rng, today)
    frame = pl.DataFrame(columns).with_columns(
        *dollars.columns(pl.Series(columns["currency"]), pl.Series(columns["day"]))
    )
    known, _ = base.columns(frame["currency"], frame["day"])
    priced = frame.filter(
        ((pl.col("currency") == "USD") | pl.col("rate").is_not_null())
        & ((pl.col("currency") == base.base) | known.is_not_null())
    )
    return _as_stated(priced, rng)


def _drawn(rng: np.random.Generator, today: date) -> dict[str, Any]:
    """What is drawn independently of exchange rates, as columns; `dollars` a year, full-time."""
    role = _choose(rng, [role.share for role in ROLES])
    region = _choose(rng, [region.share for region in REGIONS])
    levels = bands()
    level = _choose(rng, [band.share for band in levels])
    employer = _choose(rng, 1 / np.arange(1, EMPLOYERS + 1) ** 0.8)
    age = np.floor(DAYS * rng.random(SALARIES) ** 1.15).astype(np.int64)
    day = np.datetime64(today, "D") - age
    industry = employer % len(INDUSTRIES)
    return {
        "external_id": [f"demo-{row:06d}" for row in range(1, SALARIES + 1)],
        "title": _titles(rng, role, [levels[place].level for place in level]),
        "role": [ROLES[place].code for place in role],
        "level": [levels[place].level for place in level],
        "region": [REGIONS[place].code for place in region],
        "industry": [INDUSTRIES[place] for place in industry],
        "employer": [f"Synthetic Employer {place + 1:03d}" for place in employer],
        "work_mode": rng.choice(["remote", "hybrid", "onsite"], SALARIES, p=[0.42, 0.35, 0.23]),
        "pay_kind": rng.choice(["base", "", "total"], SALARIES, p=[0.85, 0.10, 0.05]),
        "employment_type": rng.choice(
            ["full_time", "contract", "part_time"], SALARIES, p=[0.90, 0.07, 0.03]
        ),
        "currency": [REGIONS[place].currency for place in region],
        "pay_period": [REGIONS[place].pay_period for place in region],
        "dollars": _dollars(rng, role, region, level, age),
        "day": day,
    }


def _choose(rng: np.random.Generator, weights: "list[float] | Numbers") -> Choice:
    shares = np.asarray(weights, dtype=np.float64)
    return rng.choice(len(shares), SALARIES, p=shares / shares.sum())


def _titles(rng: np.random.Generator, role: Choice, levels: list[str]) -> list[str | None]:
    """Titles as the guide writes them, for its role; records of other roles state none."""
    known = guide_titles()
    drawn = rng.random(SALARIES)
    return [
        known[level][int(share * len(known[level]))]
        if ROLES[place].code == GUIDE_ROLE and level in known
        else None
        for place, level, share in zip(role, levels, drawn, strict=True)
    ]


def _dollars(
    rng: np.random.Generator, role: Choice, region: Choice, level: Choice, age: Choice
) -> Numbers:
    """Log-normal pay whose middle half, over the United States and all months, lies in the band."""
    levels = bands()
    low = np.log([band.low for band in levels])
    high = np.log([band.high for band in levels])
    places = np.log([item.pay for item in REGIONS])
    weights = np.array([item.share * item.code.startswith("US") for item in REGIONS], np.float64)
    centre = np.average(places, weights=weights)
    growth = np.log1p(ANNUAL_GROWTH) * (DAYS / 2 - age) / 365.25
    spread = np.average((places - centre) ** 2, weights=weights) + growth.var()
    wanted = COVERED * (high - low) / 2 / QUARTILE
    own = np.sqrt(np.maximum(wanted**2 - spread, 0.03**2))
    middle = (low + high) / 2
    pay = np.log([item.pay for item in ROLES])
    noise = rng.standard_normal(SALARIES) * own[level]
    drawn: Numbers = np.exp(middle[level] + pay[role] + places[region] - centre + growth + noise)
    return drawn


def _as_stated(frame: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """The records as their employers would state them: local money, rounded, some as ranges."""
    rows = frame.height
    hourly = (pl.col("employment_type") == "contract") & (pl.col("currency") == "USD")
    part_time = pl.col("employment_type") == "part_time"
    frame = frame.with_columns(
        pay_period=pl.when(hourly).then(pl.lit("hour")).otherwise("pay_period"),
        fte=pl.when(part_time).then(pl.Series(rng.choice([0.5, 0.6, 0.8], rows))),
        half_width=pl.Series(rng.choice([0.0, 0.04, 0.08], rows, p=[0.7, 0.15, 0.15])),
        by_month=pl.Series(rng.random(rows) < 0.2),
    )
    total = pl.when(pl.col("pay_kind") == "total").then(1.12).otherwise(1.0)
    periods = pl.col("pay_period").replace_strict(dict(PERIODS_PER_YEAR), return_dtype=pl.Float64)
    paid = pl.col("dollars") * total * pl.col("fte").fill_null(1) / pl.col("rate").fill_null(1)
    amount, half = paid / periods, pl.col("half_width")
    return frame.select(
        pl.lit("demo").alias("source"),
        *("external_id", "title", "role", "level", "region", "industry", "employer"),
        *("employment_type", "work_mode", pl.col("pay_kind").replace("", None)),
        _rounded(pl.when(half == 0).then(amount)).alias("amount"),
        _rounded(pl.when(half > 0).then(amount * (1 - half))).alias("amount_min"),
        _rounded(pl.when(half > 0).then(amount * (1 + half))).alias("amount_max"),
        *("currency", "pay_period", "fte"),
        pl.when("by_month")
        .then(pl.col("day").dt.strftime("%Y-%m"))
        .otherwise(pl.col("day").dt.strftime("%Y-%m-%d"))
        .alias("observed_on"),
    )


def _rounded(amount: pl.Expr) -> pl.Expr:
    """Three significant digits, as stated pay has them."""
    return amount.round_sig_figs(3)
