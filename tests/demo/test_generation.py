"""The synthetic data: what it promises, on made-up exchange rates."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from app.demo.openings import generate_openings
from app.demo.salaries import generate_salaries
from app.demo.world import MONTHS, REGIONS, ROLES, bands
from app.ingest.fields import FIELDS
from app.rates.pricing import EPOCH, RateTable, build_rate_table, price

TODAY = date(2026, 11, 22)
NEWEST = date(2026, 10, 30)


def table(base: str) -> RateTable:
    days = np.arange(19_000, (NEWEST - EPOCH).days + 1)
    local = sorted({region.currency for region in REGIONS} - {"EUR"})
    quotes = {code: (days, np.full(len(days), 1.0 + place)) for place, code in enumerate(local)}
    return build_rate_table(base, quotes)


@pytest.fixture(scope="module")
def salaries() -> pl.DataFrame:
    return generate_salaries(TODAY, table("USD"), table("USD"))


@pytest.fixture(scope="module")
def openings() -> pl.DataFrame:
    return generate_openings(TODAY)


def priced(salaries: pl.DataFrame) -> pl.DataFrame:
    day = pl.col("observed_on")
    frame = salaries.with_columns(
        amount_min=pl.coalesce("amount", "amount_min"),
        amount_max=pl.coalesce("amount", "amount_max"),
        observed_on=pl.when(day.str.len_chars() == 7)
        .then(day + "-01")
        .otherwise(day)
        .str.to_date(),
    )
    return price(frame, table("USD"))


def test_the_same_day_gives_the_same_records(salaries: pl.DataFrame) -> None:
    assert generate_salaries(TODAY, table("USD"), table("USD")).equals(salaries)


def test_only_fields_of_records(salaries: pl.DataFrame, openings: pl.DataFrame) -> None:
    assert set(salaries.columns) <= set(FIELDS["salary"])
    assert set(openings.columns) <= set(FIELDS["demand"])
    assert salaries["external_id"].is_unique().all()
    assert openings["external_id"].is_unique().all()


def test_it_is_as_large_as_said(salaries: pl.DataFrame, openings: pl.DataFrame) -> None:
    assert 20_000 <= salaries.height <= 60_000
    assert 5_000 <= openings.height <= 15_000
    assert salaries["role"].n_unique() == len(ROLES)
    assert salaries["region"].n_unique() == len(REGIONS)


def test_nothing_is_pending_or_out_of_bounds(salaries: pl.DataFrame) -> None:
    frame = priced(salaries)
    assert not frame["rate_pending"].any()
    assert not frame["out_of_bounds"].any()
    assert frame["annual_amount"].null_count() == 0


@pytest.mark.parametrize("base", ["EUR", "CHF"])
def test_nothing_is_pending_in_another_base_currency(base: str) -> None:
    frame = generate_salaries(TODAY, table("USD"), table(base))
    assert frame.height > 20_000
    assert frame.filter(pl.col("observed_on") > str(NEWEST)).is_empty()


def test_the_guides_role_pays_inside_the_guides_bands(salaries: pl.DataFrame) -> None:
    """The middle half of each level's records, in the United States, lies in its band."""
    chosen = priced(salaries).filter(
        pl.col("role") == "django-developer",
        pl.col("region").str.starts_with("US"),
        pl.col("pay_kind").ne_missing("total"),
    )
    for band in bands():
        amounts = chosen.filter(pl.col("level") == band.level)["annual_amount"]
        p25, p75 = amounts.quantile(0.25, "linear"), amounts.quantile(0.75, "linear")
        assert p25 is not None
        assert p75 is not None
        assert band.low <= p25 < p75 <= band.high, band.level


def test_the_guides_regions_pay_most(salaries: pl.DataFrame) -> None:
    medians = (
        priced(salaries)
        .filter(pl.col("region").str.starts_with("US-"), pl.col("level") == "senior")
        .group_by("region")
        .agg(pl.col("annual_amount").median())
        .sort("annual_amount", descending=True)
    )
    assert set(medians["region"][:3]) == {"US-CA-SFO", "US-NY-NYC", "US-WA-SEA"}


def test_pay_grows(salaries: pl.DataFrame) -> None:
    by_year = (
        priced(salaries)
        .filter(pl.col("currency") == "USD")
        .group_by(pl.col("observed_on").dt.year())
        .agg(pl.col("annual_amount").median())
        .sort("observed_on")
    )
    assert by_year["annual_amount"].is_sorted()


def test_dates_are_the_last_36_months(salaries: pl.DataFrame, openings: pl.DataFrame) -> None:
    assert min(salaries["observed_on"]) >= "2023-11"
    assert max(salaries["observed_on"]) <= str(TODAY)
    months = openings.filter(pl.col("measure") == "new")["observed_on"].unique().sort()
    assert months.len() == MONTHS
    assert (months[0], months[-1]) == ("2023-11", "2026-10")
    stocks = openings.filter(pl.col("measure") == "open")["observed_on"]
    assert stocks.max() == "2026-10-31"


def test_the_shapes_that_records_have(salaries: pl.DataFrame) -> None:
    """Points and ranges, hours and months, part time, titles: each door of the rules is used."""
    assert {"year", "month", "hour"} == set(salaries["pay_period"])
    assert salaries["amount_min"].is_not_null().mean() == pytest.approx(0.3, abs=0.02)
    assert (salaries["amount"].is_null() == salaries["amount_min"].is_not_null()).all()
    assert set(salaries["fte"].drop_nulls()) == {0.5, 0.6, 0.8}
    assert salaries.filter(pl.col("title") == "Lead Django Developer").height > 0
    assert salaries["employer"].n_unique() > 300
