"""GET /v1/salaries/trend: periods, changes and growth on small examples, by hand."""

from datetime import date
from typing import Any

import httpx
import pytest

from app.core.database import Database
from app.rates.index_loading import import_indices
from app.rates.index_profiles import get_index_profile
from tests.support.asking import ask, refuse
from tests.support.builders import Row, add_records, add_sources, salary

TREND = "/v1/salaries/trend"
Refusals = list[tuple[dict[str, str], str, str | None]]


def euros(amount: int, dollars: int, **values: Any) -> Row:
    """A record paid in euros, and what it is in dollars."""
    paid = {"amount_min": amount, "amount_max": amount, "currency": "EUR"}
    return salary(dollars, paid=paid, **values)


def column(answer: dict[str, Any], name: str, key: str = "month") -> dict[Any, Any]:
    """One column of a single series by period."""
    return {row[key]: row[name] for row in answer["data"]}


async def test_periods_are_dense_and_changes_are_of_what_stands_directly_before(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(
        database,
        salary(100_000, on="2024-01-31"),
        salary(110_000, on="2024-02"),
        salary(99_000, on="2024-04-01"),
        salary(120_000, on="2025-01"),
    )
    answer = await ask(client, TREND, interval="month", measures="count,p50")
    months = [f"2024-{month:02}" for month in range(1, 13)] + ["2025-01"]
    assert [row["month"] for row in answer["data"]] == months
    assert list(answer["data"][0]) == [
        "month",
        "count",
        "p50",
        "change_previous",
        "change_year",
        "growth_adjusted",
        "growth_cells",
        "status",
    ]
    previous = dict.fromkeys(months) | {"2024-02": 0.1}
    assert column(answer, "change_previous") == previous
    assert column(answer, "change_year") == dict.fromkeys(months) | {"2025-01": 0.2}
    filled = {"2024-01", "2024-02", "2024-04", "2025-01"}
    for row in answer["data"]:
        there = row["month"] in filled
        assert (row["status"], row["count"]) == (("ok", 1) if there else ("empty", 0))
        assert (row["p50"] is not None) == there
    meta = answer["meta"]
    assert meta["periods"] == {"first": "2024-01", "last": "2025-01", "count": 13, "cut": []}
    assert (meta["groups"], meta["records"], meta["truncated"]) == (1, 4, False)
    assert meta["query"]["interval"] == "month"
    assert meta["query"]["change_of"] == "p50"


async def test_a_window_decides_the_periods_and_the_year_before_it_the_first_changes(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(
        database,
        salary(80_000, on="2023-12"),
        salary(100_000, on="2024-11"),
        salary(90_000, on="2024-12"),
        salary(100_000, on="2025-12"),
        salary(500_000, on="2026-02"),
    )
    asked = {"from": "2024-12", "to": "2026-01", "measures": "p50"}
    answer = await ask(client, TREND, **asked)
    rows = {row["month"]: row for row in answer["data"]}
    assert list(rows)[:: len(rows) - 1] == ["2024-12", "2026-01"]
    assert len(rows) == 14
    assert rows["2024-12"]["change_previous"] == -0.1
    assert rows["2024-12"]["change_year"] == 0.125
    assert rows["2025-12"]["change_year"] == pytest.approx(100 / 90 - 1, abs=1e-6)
    assert rows["2026-01"]["status"] == "empty"
    assert answer["meta"]["records"] == 2
    yearly = await ask(client, TREND, from_="2025", to="2026", interval="year")
    assert column(yearly, "change_year", "year") == {2025: 0.052632, 2026: 4.0}
    assert column(yearly, "change_previous", "year") == {2025: 0.052632, 2026: 4.0}


async def test_a_window_that_cuts_a_period_compares_the_same_part_of_the_year_before(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(
        database,
        salary(10_000, on="2024-03-10"),
        salary(100_000, on="2024-03-20"),
        salary(50_000, on="2025-03-10"),
        salary(110_000, on="2025-03-20"),
        salary(120_000, on="2025-04-20"),
        salary(900_000, on="2025-04-25"),
    )
    answer = await ask(client, TREND, from_="2025-03-15", to="2025-04-22")
    rows = {row["month"]: row for row in answer["data"]}
    assert (rows["2025-03"]["p50"], rows["2025-03"]["change_year"]) == (110_000, 0.1)
    # Both are cut, and not alike.
    assert (rows["2025-04"]["p50"], rows["2025-04"]["change_previous"]) == (120_000, None)
    assert answer["meta"]["periods"]["cut"] == ["2025-03", "2025-04"]


async def test_nothing_is_compared_with_a_part_of_a_period(
    client: httpx.AsyncClient, database: Database
) -> None:
    days = [
        f"{year}-{month:02}-{day}"
        for year in (2023, 2024)
        for month in (3, 4, 5)
        for day in (10, 20)
    ]
    await add_records(database, *(salary(on=day) for day in days))
    asked = {"from_": "2024-03-15", "to": "2025-05-12", "measures": "count", "change_of": "count"}
    monthly = await ask(client, TREND, interval="month", **asked)
    previous = column(monthly, "change_previous")
    assert column(monthly, "count") | {"2024-03": 1, "2024-04": 2} == column(monthly, "count")
    assert (previous["2024-03"], previous["2024-04"], previous["2024-05"]) == (None, None, 0.0)
    a_year = column(monthly, "change_year")
    assert (a_year["2024-03"], a_year["2024-04"]) == (0.0, 0.0)
    assert (a_year["2025-03"], a_year["2025-04"], a_year["2025-05"]) == (None, None, None)
    yearly = await ask(client, TREND, interval="year", **asked)
    # The same days of both years, and then a year that `to` cuts.
    for name in ("change_previous", "change_year"):
        assert column(yearly, name, "year") == {2024: 0.0, 2025: None}
    # A period that is cut at both sides has no equal in the year before, which is read whole.
    both = await ask(client, TREND, **asked | {"interval": "month", "to": "2024-03-25"})
    assert column(both, "change_year") == {"2024-03": None}


async def test_growth_compares_like_with_like_in_the_currency_that_was_paid(
    client: httpx.AsyncClient, database: Database
) -> None:
    """Cells by hand: US senior 100 -> 106 (6 %), US entry 50 -> 51 (2 %), DE senior 60 -> 66 (10 %)
    while the euro falls; US mid has 4 records in 2024. More entry than senior pay in 2025: the
    median falls by half, while pay in no cell fell."""

    def cell(year: str, number: int, amount: int, level: str = "senior") -> list[Row]:
        return [
            salary(amount + step, level=level, on=year) for step in range(-number + 1, number, 2)
        ]

    await add_records(
        database,
        *cell("2024", 7, 100_000),
        *cell("2025", 5, 106_000),
        *cell("2024", 5, 50_000, "entry"),
        *cell("2025", 25, 51_000, "entry"),
        *cell("2024", 4, 80_000, "mid"),
        *cell("2025", 9, 160_000, "mid"),
        *(euros(60_000, 66_000, region="DE", on="2024") for _ in range(5)),
        *(euros(66_000, 55_000, region="DE", on="2025") for _ in range(5)),
        # 2026: US senior 106 -> 103.88 (-2 %), DE senior 66 -> 68.64 (4 %): the median is 1 %.
        *cell("2026", 6, 103_880),
        *(euros(68_640, 90_000, region="DE", on="2026") for _ in range(6)),
    )
    answer = await ask(client, TREND, interval="year", measures="count,p50")
    rows = {row["year"]: row for row in answer["data"]}
    assert rows[2025]["change_year"] < -0.2
    assert (rows[2024]["growth_adjusted"], rows[2024]["growth_cells"]) == (None, 0)
    assert (rows[2025]["growth_adjusted"], rows[2025]["growth_cells"]) == (0.06, 3)
    assert (rows[2026]["growth_adjusted"], rows[2026]["growth_cells"]) == (0.035, 2)
    assert answer["meta"]["fx_in_change"] is True
    grouped = await ask(client, TREND, interval="year", group_by="level,region", from_="2026")
    found = {
        (row["level"], row["region"]): (row["growth_adjusted"], row["growth_cells"])
        for row in grouped["data"]
    }
    # The averages reach before the window: (6 % - 2 %) / 2 and (10 % + 4 %) / 2.
    assert found == {("senior", "DE"): (0.07, 1), ("senior", "US"): (0.02, 1)}


async def test_exchange_rates_are_told_only_where_some_pay_was_converted(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(
        database,
        salary(100_000, on="2025-01"),
        salary(100_000, on="2025-02"),
        euros(50_000, 60_000, on="2023-06", region="DE"),
        salary(1, rate_pending=True, paid={"currency": "EUR"}, on="2025-02"),
    )

    async def told(**parameters: Any) -> Any:
        return (await ask(client, TREND, **parameters))["meta"]["fx_in_change"]

    assert await told() is True
    assert await told(currency="EUR") is True
    assert await told(region="US") is False
    assert await told(paid_in="USD", currency="GBP") is False
    assert await told(paid_in="EUR", currency="EUR") is False
    assert await told(paid_in="EUR") is True
    assert await told(from_="2025") is False
    assert await told(from_="2024-06") is True  # in the year before, which changes compare with
    assert await told(from_="2024-07") is False


async def test_dates_that_are_too_coarse_are_counted_and_choose_the_interval(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(
        database,
        *(salary(90_000, on="2024") for _ in range(3)),
        salary(80_000, on="2024-02"),
        salary(70_000, on="2024-05-06"),
    )
    monthly = await ask(client, TREND, interval="month", measures="count")
    assert sum(column(monthly, "count").values()) == 2
    assert monthly["meta"]["coverage"]["precision"] == 3
    quarterly = await ask(client, TREND, interval="quarter", measures="count")
    assert column(quarterly, "count", "quarter") == {"2024-Q1": 1, "2024-Q2": 1}
    chosen = await ask(client, TREND, measures="count")
    assert chosen["meta"]["query"]["interval"] == "year"
    assert column(chosen, "count", "year") == {2024: 5}
    assert chosen["meta"]["coverage"]["precision"] == 0
    await add_records(database, salary(80_000, on="2024-03"))
    assert (await ask(client, TREND))["meta"]["query"]["interval"] == "month"


async def test_series_share_their_periods_and_the_largest_are_kept(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(
        database,
        salary(level="entry", on="2025-01"),
        *(salary(level="senior", on="2025-02") for _ in range(2)),
        *(salary(level="unspecified", on="2025-03", region="DE") for _ in range(3)),
    )
    answer = await ask(client, TREND, group_by="level", measures="count")
    assert [(row["level"], row["month"], row["count"]) for row in answer["data"]] == [
        (level, f"2025-0{month}", number if month == place else 0)
        for place, (level, number) in enumerate(
            (("entry", 1), ("senior", 2), ("unspecified", 3)), 1
        )
        for month in (1, 2, 3)
    ]
    empty = answer["data"][1]
    assert (empty["status"], empty["level_name"], empty["level_rank"]) == (
        "empty",
        answer["data"][0]["level_name"],
        answer["data"][0]["level_rank"],
    )
    cut = await ask(client, TREND, group_by="level", measures="mean", series=2)
    assert {row["level"] for row in cut["data"]} == {"senior", "unspecified"}
    assert (cut["meta"]["groups"], cut["meta"]["truncated"]) == (3, True)
    lifted = await ask(client, TREND, group_by="region", region_kind="country", series=1)
    # As many records as in the US: the grouping's order decides.
    assert [row["region"] for row in lifted["data"]] == ["DE", "DE", "DE"]


async def test_changes_of_any_figure(client: httpx.AsyncClient, database: Database) -> None:
    await add_records(
        database,
        *(salary(amount, on="2025-01") for amount in (10_000, 20_000, 60_000)),
        *(salary(amount, on="2025-02") for amount in (10_000, 20_000, 90_000, 120_000)),
    )

    async def changes(**parameters: Any) -> Any:
        answer = await ask(client, TREND, measures="employers", **parameters)
        assert "p50" not in answer["data"][0]
        return answer["data"][1]["change_previous"]

    assert await changes() == 1.75
    assert await changes(change_of="mean") == 1.0
    assert await changes(change_of="count") == 0.333333
    assert await changes(change_of="p33.3", currency="GBP", pay_period="hour") is not None
    assert await changes(change_of="employers") is None  # nothing before it: 0


async def test_adjusted_pay_has_adjusted_changes_and_growth(
    client: httpx.AsyncClient, database: Database
) -> None:
    """Prices rise by 26 % in the year, pay in the US by 33.56 %: 6 % more in real terms."""
    prices = b"Date,Index,Inflation\n2023-01-01,200,\n2024-01-01,252,\n"
    await import_indices(database, prices, get_index_profile("us_cpi"), date(2026, 11, 22))
    await add_records(
        database,
        *(salary(100_000, on="2023-01") for _ in range(5)),
        *(salary(133_560, on="2024-01") for _ in range(5)),
        salary(90_000, on="2023-02"),  # a month without an index
    )
    answer = await ask(client, TREND, adjust="cpi:2024-01", measures="count,p50")
    rows = {row["month"]: row for row in answer["data"]}
    assert (rows["2023-01"]["p50"], rows["2024-01"]["p50"]) == (126_000, 133_560)
    assert rows["2024-01"]["change_year"] == 0.06
    assert (rows["2024-01"]["growth_adjusted"], rows["2024-01"]["growth_cells"]) == (0.06, 1)
    lost = rows["2023-02"]
    assert (lost["status"], lost["count"], lost["p50"]) == ("no_index", 0, None)
    assert lost["change_previous"] is None
    assert answer["meta"]["coverage"]["no_index"] == 1


async def test_without_data(client: httpx.AsyncClient, database: Database) -> None:
    assert (await ask(client, TREND))["data"] == []
    assert (await ask(client, TREND, from_="2025"))["data"] == []
    answer = await ask(client, TREND, from_="2025-01", to="2025-03")
    assert [(row["month"], row["status"]) for row in answer["data"]] == [
        ("2025-01", "empty"),
        ("2025-02", "empty"),
        ("2025-03", "empty"),
    ]
    assert (await ask(client, TREND, from_="2025", to="2025", group_by="role"))["data"] == []
    await add_records(database, salary(on="2024-05"))
    answer = await ask(client, TREND, level="entry")
    assert answer["data"] == []
    assert answer["meta"]["periods"] == {"first": None, "last": None, "count": 0, "cut": []}
    assert answer["meta"]["fx_in_change"] is False
    assert answer["meta"]["nearest"]["changed"] == {"level": None}


async def test_confidential_records_are_in_no_figure_of_a_trend(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_sources(database, secret={"confidential": True})
    await add_records(
        database,
        salary(50_000, on="2025-02"),
        *(euros(1, 987_654, source="secret", on=on) for on in ("2024-01", "2025-01") * 6),
    )
    answer = await ask(client, TREND)
    assert [row["month"] for row in answer["data"]] == ["2025-02"]
    assert answer["meta"]["fx_in_change"] is False
    problem = await refuse(client, TREND, source="secret")
    assert problem["code"] == "confidential_source"


REFUSED: Refusals = [
    ({"interval": "week"}, "unknown_interval", "interval"),
    ({"interval": ""}, "empty_value", "interval"),
    ({"group_by": "role,region,level,industry,source"}, "invalid_grouping", "group_by"),
    ({"group_by": "role,region,level,industry"}, "invalid_grouping", "group_by"),
    ({"group_by": "role,month"}, "invalid_grouping", "group_by"),
    ({"group_by": "role,role"}, "invalid_grouping", "group_by"),
    ({"group_by": "rolle"}, "unknown_group_by", "group_by"),
    ({"region_kind": "country"}, "invalid_grouping", "region_kind"),
    ({"measures": "p100"}, "unknown_measure", "measures"),
    ({"change_of": "median"}, "unknown_measure", "change_of"),
    ({"change_of": "quality"}, "invalid_measure", "change_of"),
    ({"from": "2025-02", "to": "2025-01"}, "invalid_window", None),
    ({"from": "1900-01", "to": "2199-12"}, "too_many_periods", "interval"),
    ({"series": "0"}, "invalid_value", None),
    ({"level": "senoir"}, "unknown_level", "level"),
]


async def test_what_cannot_be_answered_is_refused(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(database, salary())
    for parameters, code, parameter in REFUSED:
        problem = await refuse(client, TREND, **parameters)
        found = problem["code"], problem.get("parameter")
        assert found == (code, parameter), (parameters, problem)


async def test_too_many_rows_are_refused_with_their_number(
    client: httpx.AsyncClient, database: Database
) -> None:
    regions = [f"US-A{letter}" for letter in "KLRZ"] + [f"US-M{letter}" for letter in "ADEINOST"]
    regions += [f"US-C{letter}" for letter in "AOT"] + ["US-DE", "US-FL"]
    await add_records(database, *(salary(region=region, on="2025-01") for region in regions))
    asked = {"group_by": "region", "from": "1966", "to": "2015-12", "interval": "month"}
    assert (await ask(client, TREND, **asked))["data"] == []
    problem = await refuse(client, TREND, **{**asked, "from": "1976", "to": "2025-12"})
    assert (problem["code"], problem["rows"]) == ("too_many_rows", 17 * 600)
    assert "series=16" in problem["detail"]
    answer = await ask(client, TREND, series=16, **{**asked, "from": "1976", "to": "2025-12"})
    assert len(answer["data"]) == 16 * 600


async def test_the_nearest_question_may_have_records_of_a_year_only(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(database, salary(on="2023", region="DE"), salary(on="2024", region="DE"))
    answer = await ask(client, TREND, region="FR", from_="2023", to="2024")
    assert answer["meta"]["query"]["interval"] == "month"
    assert answer["meta"]["nearest"]["changed"] == {"region": None}
    assert answer["meta"]["nearest"]["records"] == 2
    monthly = await ask(client, TREND, region="FR", from_="2023", to="2024", interval="month")
    assert monthly["meta"]["nearest"] is None
