"""Figures adjusted by price indices, over HTTP; what is expected is worked out by hand."""

from datetime import date
from typing import Any

import httpx
import numpy as np
import pytest

from app.core.database import Database
from app.rates.index_loading import import_indices
from app.rates.index_profiles import get_index_profile
from tests.statistics.conftest import Ask
from tests.statistics.naive import figures
from tests.support.builders import Row, add_records, salary

TODAY = date(2026, 11, 22)
PARITIES = b"""GeoFIPS,GeoName,Description,2021,2022,2023
"00000","United States","RPPs: All items ",100,100,100
"06000","California","RPPs: All items ",110,112,125
"28000","Mississippi","RPPs: All items ",90,88,80
"""
# The months of 2023 with an index have the mean 210; March has none.
PRICES = b"""Date,Index,Inflation
2023-01-01,200,
2023-02-01,210,
2023-04-01,220,
2024-01-01,252,
2024-02-01,294,
"""


@pytest.fixture
async def indices(database: Database) -> None:
    for profile, content in (("bea_rpp_state", PARITIES), ("us_cpi", PRICES)):
        await import_indices(database, content, get_index_profile(profile), TODAY)


def rows_by(answer: dict[str, Any], name: str) -> dict[Any, tuple[Any, ...]]:
    """Count, mean and status of each row by a column."""
    return {row[name]: (row["count"], row["mean"], row["status"]) for row in answer["data"]}


@pytest.mark.usefixtures("indices")
async def test_parity_is_that_of_the_nearest_region(ask: Ask, database: Database) -> None:
    places = ("US", "US-CA", "US-CA-SFO", "US-MS", "US-PR", "DE", "unspecified")
    await add_records(database, *(salary(100_000, region=place) for place in places))
    answer = await ask(adjust="price_parity", group_by="region")
    assert rows_by(answer, "region") == {
        "US": (1, 100_000, "ok"),
        "US-CA": (1, 80_000, "ok"),
        "US-CA-SFO": (1, 80_000, "ok"),
        "US-MS": (1, 125_000, "ok"),
        # Not one of the states that the country's index is an average of.
        "US-PR": (0, None, "no_index"),
        "DE": (0, None, "no_index"),
        "unspecified": (0, None, "no_index"),
    }
    assert answer["meta"]["coverage"]["no_index"] == 3
    assert (answer["meta"]["records"], answer["meta"]["groups"]) == (4, 7)
    (used,) = answer["meta"]["adjust"]
    assert (used["kind"], used["year"]) == ("price_parity", 2023)
    assert [source["name"] for source in used["sources"]] == [
        "US Bureau of Economic Analysis, Regional Price Parities by State"
    ]


async def test_a_country_whose_parts_have_no_index_lends_them_its_own(
    ask: Ask, database: Database
) -> None:
    national = b'GeoFIPS,Description,2023\n"00000","RPPs: All items ",50\n'
    await import_indices(database, national, get_index_profile("bea_rpp_state"), TODAY)
    await add_records(database, salary(100_000, region="US-CA-SFO"))
    answer = await ask(adjust="price_parity", group_by="region")
    assert rows_by(answer, "region") == {"US-CA-SFO": (1, 200_000, "ok")}


@pytest.mark.usefixtures("indices")
async def test_a_row_without_an_index_has_no_figures_and_others_stand(
    ask: Ask, database: Database
) -> None:
    await add_records(
        database,
        *(salary(100_000, region="US-CA", level="senior") for _ in range(7)),
        salary(50_000, region="DE", level="senior"),
        salary(50_000, region="DE", level="entry"),
        salary(rate_pending=True, region="FR", level="entry"),
        salary(None, low=10_000, high=None, region="FR", level="entry"),
    )
    answer = await ask(
        adjust="price_parity", group_by="region,level", measures="count,mean,p50,p50_low,employers"
    )
    empty = [row for row in answer["data"] if row["status"] == "no_index"]
    assert [row["region"] for row in empty] == ["DE", "DE"], "those left out before show no row"
    for row in empty:
        assert (row["count"], row["mean"], row["p50"], row["p50_low"]) == (0, None, None, None)
    by_level = await ask(adjust="price_parity", group_by="level", sort="-p50")
    # Rows without figures come last in any order.
    assert list(rows_by(by_level, "level").items()) == [
        ("senior", (7, 80_000, "ok")),
        ("entry", (0, None, "no_index")),
    ]
    coverage = by_level["meta"]["coverage"]
    assert (coverage["no_index"], coverage["rate_pending"], coverage["one_sided"]) == (2, 1, 1)
    nothing = await ask(adjust="price_parity", region="DE", group_by="none")
    assert rows_by(nothing, "status") == {"no_index": (0, None, "no_index")}


YEARS = [
    ({}, 2023, 80_000),
    ({"to": "2030-12"}, 2023, 80_000),
    ({"to": "2022-01"}, 2022, 100_000 / 1.12),
    ({"from": "2020-01", "to": "2021-12-31"}, 2021, 100_000 / 1.10),
]


@pytest.mark.usefixtures("indices")
async def test_parity_is_of_the_newest_year_that_began_by_the_end_of_the_window(
    ask: Ask, database: Database
) -> None:
    dates = ("2020-05-01", "2021-06-01")
    await add_records(database, *(salary(100_000, region="US-CA", on=on) for on in dates))
    for window, year, mean in YEARS:
        answer = await ask(adjust="price_parity", group_by="region", **window)
        assert answer["data"][0]["mean"] == pytest.approx(mean)
        assert answer["meta"]["adjust"][0]["year"] == year


@pytest.mark.usefixtures("indices")
async def test_prices_are_those_of_the_month_or_year_of_the_record(
    ask: Ask, database: Database
) -> None:
    of_months = {
        "2023-01": 100_000 * 252 / 200,
        "2023-02-28": 100_000 * 252 / 210,
        "2023-03-15": None,
        "2023-04-01": 100_000 * 252 / 220,
        "2024-01-31": 100_000,
        "2024-03": None,
    }
    of_years = {"2023": 100_000 * 252 / 210, "2024": 100_000 * 252 / 273, "2022": None}
    dates = (*of_months, *of_years)
    await add_records(database, *(salary(100_000, region="US-CA-SFO", on=on) for on in dates))
    answer = await ask(adjust="cpi:2024-01", group_by="month")
    assert rows_by(answer, "month") == {
        on[:7]: (0, None, "no_index") if mean is None else (1, pytest.approx(mean), "ok")
        for on, mean in of_months.items()
    }
    whole = await ask(adjust="cpi:2024-01", group_by="none", measures="count,mean")
    known = [mean for mean in (of_months | of_years).values() if mean is not None]
    assert rows_by(whole, "status") == {"ok": (6, pytest.approx(sum(known) / 6), "ok")}
    assert whole["meta"]["coverage"]["no_index"] == 3
    (used,) = whole["meta"]["adjust"]
    assert (used["kind"], used["to"]) == ("cpi", "2024-01")
    assert used["sources"][0]["licence"] == "PDDL"


@pytest.mark.usefixtures("indices")
async def test_prices_are_for_regions_of_the_country_of_the_index(
    ask: Ask, database: Database
) -> None:
    places = ("US", "US-PR", "US-CA-SFO", "DE", "DE-BE", "unspecified")
    await add_records(database, *(salary(100_000, region=at, on="2023-01") for at in places))
    answer = await ask(adjust="cpi:2024-02", group_by="region", region_kind="country")
    assert rows_by(answer, "region") == {
        "US": (3, 147_000, "ok"),
        "DE": (0, None, "no_index"),
        "unspecified": (0, None, "no_index"),
    }


def random_records() -> list[Row]:
    rng = np.random.default_rng(5)
    return [
        salary(
            None,
            low=int(low),
            high=int(low + rng.integers(0, 40_000)),
            region=str(rng.choice(["US", "US-CA", "US-CA-SFO", "US-MS", "DE"])),
            level=str(rng.choice(["entry", "senior"])),
            on=str(rng.choice(["2023-01", "2023-02-11", "2023-03-01", "2023", "2024-02-29"])),
            employer=int(rng.integers(0, 20)),
        )
        for low in rng.integers(30_000, 200_000, 240)
    ]


PARITY_OF = {"US": 1.0, "US-CA": 1.25, "US-CA-SFO": 1.25, "US-MS": 0.8}
PRICE_OF = {"2023-01-01": 200, "2023-02-11": 210, "2023": 210, "2024-02-29": 294}


def adjusted(record: Row, amount: float, words: str) -> float | None:
    """The amount of a record by hand; None without an index."""
    on = record["observed_on"].isoformat()
    if record["precision"] == 3:
        on = on[:4]
    if "price_parity" in words:
        if record["region"] not in PARITY_OF:
            return None
        amount /= PARITY_OF[record["region"]]
    if "cpi" in words:
        if on not in PRICE_OF or not record["region"].startswith("US"):
            return None
        amount *= 294 / PRICE_OF[on]
    return amount


COLUMNS = {"mid": "annual_amount", "low": "annual_low", "high": "annual_high"}
MEASURES = "count,mean,stddev,rse,p50_low,p50_high,quality,employers,p1,p33.3,p50,p99"


@pytest.mark.usefixtures("indices")
async def test_every_measure_is_of_adjusted_amounts(ask: Ask, database: Database) -> None:
    records = random_records()
    await add_records(database, *records)
    for words in ("price_parity", "cpi:2024-02", "cpi:2024-02,price_parity"):
        for bound, column in COLUMNS.items():
            asked = {"adjust": words, "bound": bound, "pay_period": "month", "measures": MEASURES}
            answer = await ask(**asked, group_by="level")
            left_out = 0
            for row in answer["data"]:
                of_level = [record for record in records if record["level"] == row["level"]]
                amounts = [adjusted(record, record[column], words) for record in of_level]
                left_out += amounts.count(None)
                assert_equal(row, of_level, amounts)
            assert answer["meta"]["coverage"]["no_index"] == left_out > 0


def assert_equal(row: Row, records: list[Row], amounts: list[float | None]) -> None:
    """That a row has the figures of those amounts, per month, that are known."""
    known = [amount / 12 for amount in amounts if amount is not None]
    for name, value in figures(known, ["p1", "p33.3", "p50", "p99"]).items():
        wanted = value if isinstance(value, str) else pytest.approx(value, rel=1e-9, abs=1e-5)
        assert row[name] == wanted, name
    pairs = zip(records, amounts, strict=True)
    employers = {record["employer_key"] for record, amount in pairs if amount is not None}
    assert row["employers"] == len(employers)


@pytest.mark.usefixtures("indices")
async def test_adjusting_goes_with_currencies_and_pay_as_it_was_paid(
    ask: Ask, database: Database
) -> None:
    paid = {"amount_min": 5_000, "amount_max": 5_000, "currency": "EUR", "pay_period": "month"}
    await add_records(database, salary(66_000, region="US-CA", on="2023-01", paid=paid))
    asked = {"adjust": "price_parity,cpi:2024-01", "group_by": "none", "measures": "p50"}
    real = 252 / 200 / 1.25
    answer = await ask(**asked)
    assert answer["data"][0]["p50"] == pytest.approx(66_000 * real)
    in_yen = await ask(**asked, currency="JPY", pay_period="hour", to="2023-06")
    rate = in_yen["meta"]["exchange_rate"]
    assert in_yen["data"][0]["p50"] == pytest.approx(66_000 * real * rate / 2080)
    native = await ask(**asked, paid_in="EUR", currency="EUR", pay_period="month")
    assert native["data"][0]["p50"] == pytest.approx(5_000 * real)
    assert native["meta"]["unconverted"] is True


@pytest.mark.usefixtures("indices")
async def test_the_answer_says_what_was_asked_and_used(ask: Ask, database: Database) -> None:
    await add_records(database, salary(region="US-CA", on="2023-01"))
    answer = await ask(adjust="cpi:2024-01,price_parity")
    # In one order, whatever was written: equal questions are equal.
    assert answer["meta"]["query"]["adjust"] == ["price_parity", "cpi:2024-01"]
    assert [used["kind"] for used in answer["meta"]["adjust"]] == ["price_parity", "cpi"]
    plain = await ask()
    assert (plain["meta"]["query"]["adjust"], plain["meta"]["adjust"]) == ([], [])
    assert plain["meta"]["coverage"]["no_index"] == 0


@pytest.mark.usefixtures("indices")
async def test_a_file_has_the_row_without_an_index_too(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(database, salary(region="DE"), salary(100_000, region="US-CA"))
    asked = {"adjust": "price_parity", "group_by": "region", "measures": "count,p50"}
    answer = await client.get("/v1/salaries/statistics", params={**asked, "format": "csv"})
    header, *rows = [line.split(",") for line in answer.text.splitlines()]
    assert header[-3:] == ["count", "p50", "status"]
    assert rows[0][-3:] == ["0", "", "no_index"]
    assert (float(rows[1][-2]), rows[1][-1]) == (80_000, "ok")


REFUSED = [
    ("", "empty_value", "adjust"),
    ("cpi", "invalid_adjust", "cpi:YYYY-MM"),
    ("cpi:", "invalid_adjust", "cpi:YYYY-MM"),
    ("cpi:2024-13", "invalid_adjust", "cpi:YYYY-MM"),
    ("cpi:2024-1", "invalid_adjust", "cpi:YYYY-MM"),
    ("cpi:2024-01-01", "invalid_adjust", "cpi:YYYY-MM"),
    ("cpi:0000-01", "invalid_adjust", "cpi:YYYY-MM"),
    ("price_parity:2023", "invalid_adjust", "it is written price_parity"),
    ("price_parity,price_parity", "invalid_adjust", "once"),
    ("cpi:2024-01,cpi:2024-02", "invalid_adjust", "once"),
    ("parity", "unknown_adjust", "price_parity"),
    ("CPI:2024-01", "unknown_adjust", "cpi"),
    ("price_parity,", "empty_value", "adjust"),
    ("cpi:1800-01", "no_index", "2023-01 to 2024-02"),
    ("cpi:2023-03", "no_index", "2023-01 to 2024-02"),
    ("cpi:9999-12", "no_index", "2023-01 to 2024-02"),
    ("cpi:2024-01'; --", "invalid_adjust", "cpi:YYYY-MM"),
]


@pytest.mark.usefixtures("indices")
async def test_what_cannot_be_adjusted_says_why(refuse: Ask) -> None:
    for adjust, code, said in REFUSED:
        problem = await refuse(adjust=adjust)
        assert problem["parameter"] == "adjust", adjust
        assert (problem["code"], said in problem["detail"]) == (code, True), (adjust, problem)
    early = await refuse(adjust="price_parity", to="2020-12")
    assert (early["code"], "2021 to 2023" in early["detail"]) == ("no_index", True)


async def test_without_a_table_the_command_that_loads_one_is_named(refuse: Ask) -> None:
    for adjust, kind in (("price_parity", "parity"), ("cpi:2024-01", "cpi")):
        problem = await refuse(adjust=adjust)
        assert problem["code"] == "no_index_table"
        assert f"payband rates import FILE --kind {kind}" in problem["detail"]


async def test_a_release_is_not_adjusted(refuse: Ask) -> None:
    problem = await refuse(adjust="price_parity", population="released")
    assert (problem["code"], problem["parameter"]) == ("not_in_release", "adjust")
