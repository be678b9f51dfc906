"""GET /v1/salaries/statistics: population, filters, shape, money, meta and refusals."""

import csv
import io
import json
from datetime import date
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.core.database import Database
from tests.statistics.conftest import Ask
from tests.support.builders import add_records, add_sources, demand, salary
from tests.support.cells import renew_cells


def counts(answer: dict[str, Any], *names: str) -> dict[Any, int]:
    """Records by the given columns."""
    return {
        tuple(row[name] for name in names) if len(names) > 1 else row[names[0]]: row["count"]
        for row in answer["data"]
    }


def coverage(**counts: float | None) -> dict[str, float | None]:
    """`meta.coverage` where nothing but `counts` was left out."""
    left_out = ("rate_pending", "one_sided", "out_of_bounds", "precision", "no_index")
    return {**dict.fromkeys(left_out, 0), **counts}


async def test_regions_are_as_recorded_and_a_filter_takes_the_tree(
    ask: Ask, database: Database
) -> None:
    await add_records(
        database,
        *(salary(region=region) for region in ("US", "US-CA", "US-CA-SFO", "US-NY", "DE")),
        salary(region="unspecified"),
    )
    assert counts(await ask(group_by="region"), "region") == {
        "DE": 1,
        "US": 1,
        "US-CA": 1,
        "US-CA-SFO": 1,
        "US-NY": 1,
        "unspecified": 1,
    }
    assert counts(await ask(group_by="region", region="US-CA"), "region") == {
        "US-CA": 1,
        "US-CA-SFO": 1,
    }
    assert (await ask(region="US", group_by="none"))["meta"]["records"] == 4
    assert (await ask(region="US", exclude_region="US-CA", group_by="none"))["meta"]["records"] == 2
    assert (await ask(exclude_region="US", group_by="none"))["meta"]["records"] == 2
    assert (await ask(region="US-CA", exclude_region="US"))["data"] == []


async def test_region_kind_lifts_and_what_lies_above_is_unspecified(
    ask: Ask, database: Database
) -> None:
    await add_records(
        database,
        *(salary(region=region) for region in ("US", "US-CA", "US-CA-SFO", "DE", "unspecified")),
    )
    lifted = {
        kind: counts(await ask(group_by="region", region_kind=kind), "region")
        for kind in ("country", "subdivision", "metro")
    }
    assert lifted["country"] == {"DE": 1, "US": 3, "unspecified": 1}
    assert lifted["subdivision"] == {"US-CA": 2, "unspecified": 3}
    assert lifted["metro"] == {"US-CA-SFO": 1, "unspecified": 4}


async def test_rows_hold_codes_and_names_in_the_grouping_s_order(
    ask: Ask, database: Database
) -> None:
    await add_records(
        database,
        salary(level="unspecified", on="2025-02-03"),
        salary(level="senior", on="2025-02"),
        salary(level="entry", on="2025-05-03"),
        salary(level="entry", on="2024-12-03"),
    )
    rows = (await ask(group_by="level,month,quarter,year"))["data"]
    assert [(row["level"], row["month"], row["quarter"], row["year"]) for row in rows] == [
        ("entry", "2024-12", "2024-Q4", 2024),
        ("entry", "2025-05", "2025-Q2", 2025),
        ("senior", "2025-02", "2025-Q1", 2025),
        ("unspecified", "2025-02", "2025-Q1", 2025),
    ]
    assert rows[0]["level_name"]
    assert rows[0]["level_rank"] < rows[2]["level_rank"]
    assert rows[0]["status"] == "ok"


async def test_every_dimension_groups_and_filters(ask: Ask, database: Database) -> None:
    await add_sources(database, second={"kind": "posted"})
    await add_records(
        database,
        salary(),
        salary(
            role="data-scientist",
            industry="fintech",
            employment_type="contract",
            work_mode="remote",
            pay_kind="unspecified",
            source="second",
            region="DE",
            level="entry",
        ),
    )
    values = {
        "role": "data-scientist",
        "region": "DE",
        "level": "entry",
        "industry": "fintech",
        "employment_type": "contract",
        "work_mode": "remote",
        "pay_kind": "unspecified",
        "source": "second",
    }
    for name, value in values.items():
        assert counts(await ask(group_by=name), name)[value] == 1
        answer = await ask(**{name: value})
        assert answer["meta"]["records"] == 1
        assert answer["meta"]["query"][name] == [value]
    assert (await ask(source_kind="posted"))["meta"]["records"] == 1
    assert (await ask(source_kind="posted,reported"))["meta"]["records"] == 2
    assert (await ask(source_kind="posted", source="survey"))["meta"]["records"] == 0
    assert (await ask(source_kind="official"))["data"] == []


async def test_base_and_total_pay_are_never_mixed_unasked(ask: Ask, database: Database) -> None:
    await add_records(
        database, *(salary(pay_kind=kind) for kind in ("base", "unspecified", "total", "total"))
    )
    answer = await ask(group_by="pay_kind")
    assert counts(answer, "pay_kind") == {"base": 1, "unspecified": 1}
    assert answer["meta"]["query"]["pay_kind"] == ["base", "unspecified"]
    assert counts(await ask(group_by="pay_kind", pay_kind="total"), "pay_kind") == {"total": 2}


async def test_confidential_records_enter_nothing(
    ask: Ask, refuse: Ask, database: Database
) -> None:
    await add_sources(database, secret={"confidential": True})
    await add_records(database, salary(50_000), salary(900_000, source="secret", on="2026-01-01"))
    answer = await ask(group_by="none", measures="count,mean,p99")
    assert answer["data"] == [{"count": 1, "mean": 50_000.0, "p99": 50_000.0, "status": "ok"}]
    assert answer["meta"]["data_as_of"] == "2025-06-15"
    assert [source["code"] for source in answer["meta"]["sources"]] == ["survey"]
    problem = await refuse(source="survey,secret")
    assert problem["code"] == "confidential_source"
    assert (await ask(source_kind="reported", group_by="source"))["meta"]["records"] == 1


async def test_a_source_that_becomes_confidential_is_gone_before_the_taxonomies_are_read_again(
    ask: Ask, database: Database
) -> None:
    await add_records(database, salary())
    assert (await ask())["meta"]["records"] == 1
    async with database.write() as session:  # without advancing the epoch
        await session.execute(text("UPDATE sources SET confidential = true WHERE code = 'survey'"))
    assert (await ask())["meta"]["records"] == 0


async def test_demo_records_leave_once_another_public_source_holds_any(
    ask: Ask, database: Database
) -> None:
    await add_sources(database, synthetic={"demo": True}, secret={"confidential": True})
    await add_records(database, salary(source="synthetic"), salary(source="secret"))
    answer = await ask()
    assert (answer["meta"]["records"], answer["meta"]["demo"]) == (1, True)
    await add_records(database, demand())
    answer = await ask()
    assert (answer["meta"]["records"], answer["meta"]["demo"]) == (0, False)
    answer = await ask(source="synthetic")
    assert (answer["meta"]["records"], answer["meta"]["demo"]) == (1, True)


async def test_bounds_of_ranges_and_what_is_left_out(ask: Ask, database: Database) -> None:
    await add_records(
        database,
        salary(low=80_000, high=100_000),
        salary(low=70_000, high=None),
        salary(low=None, high=200_000),
        salary(50_000, rate_pending=True),
        salary(low=50_000, high=None, rate_pending=True),
        salary(on="2025"),
    )
    figures = {}
    for bound in ("low", "mid", "high"):
        answer = await ask(bound=bound, to="2025-06", group_by="none", measures="count,mean")
        figures[bound] = answer["data"][0]["mean"], answer["meta"]["coverage"]
    # Of two records with a lower bound one is a range: 0.5; in the middle only the range is left.
    assert figures == {
        "low": (75_000, coverage(rate_pending=2, one_sided=1, precision=1, range_share=0.5)),
        "mid": (90_000, coverage(rate_pending=2, one_sided=2, precision=1, range_share=1.0)),
        "high": (150_000, coverage(rate_pending=2, one_sided=1, precision=1, range_share=0.5)),
    }


async def test_coverage_is_told_where_no_group_is_left(ask: Ask, database: Database) -> None:
    await add_records(database, salary(on="2025"))
    answer = await ask(group_by="month")
    assert answer["data"] == []
    assert answer["meta"]["coverage"] == coverage(precision=1, range_share=None)
    assert answer["meta"]["data_as_of"] is None
    assert answer["meta"]["sources"] == []


async def test_native_amounts_are_unconverted(ask: Ask, database: Database) -> None:
    def paid(amount: str, period: str, **more: Any) -> dict[str, Any]:
        amounts = {"amount_min": Decimal(amount), "amount_max": Decimal(amount)}
        return amounts | {"currency": "EUR", "pay_period": period, **more}

    await add_records(
        database,
        salary(1, paid=paid("5000.40", "month")),
        salary(1, paid=paid("25.5", "hour", fte=Decimal("0.5"))),
        salary(1, paid=paid("40000", "year", fte=Decimal("0.8"))),
        salary(1, rate_pending=True, paid=paid("1e12", "week")),
        salary(90_000),
    )
    answer = await ask(
        paid_in="EUR", currency="EUR", group_by="none", measures="count,p1,p50,p99,mean"
    )
    yearly = [60_004.8, 53_040, 50_000, 52e12]
    row = answer["data"][0]
    assert row["count"] == 4
    assert row["mean"] == pytest.approx(sum(yearly) / 4)
    assert row["p50"] == pytest.approx((60_004.8 + 53_040) / 2)
    assert answer["meta"]["unconverted"] is True
    assert answer["meta"]["exchange_rate"] is None
    assert answer["meta"]["coverage"]["rate_pending"] == 0


ONE_ROW = {"group_by": "none", "measures": "mean,stddev,rse,count"}


async def test_one_rate_of_the_window_s_end_converts_all_figures(
    ask: Ask, database: Database
) -> None:
    await add_records(
        database,
        salary(100_000, on="2025-03-10"),
        salary(150_000, on="2025-03-20"),
        salary(900_000, on="2025-03"),  # ends after the window
    )
    # The window ends on a Sunday: the rate is the one of the Friday before.
    quotes = await quoted(database, "2025-03-28")
    rate = quotes["GBP"] / quotes["USD"]
    answer = await ask(currency="GBP", pay_period="month", to="2025-03-30", **ONE_ROW)
    row, meta = answer["data"][0], answer["meta"]
    assert row["count"] == 2
    assert row["mean"] == pytest.approx(125_000 * rate / 12)
    assert row["stddev"] == pytest.approx(35_355.339059 * rate / 12)
    assert row["rse"] == pytest.approx(0.2)
    assert (meta["currency"], meta["pay_period"]) == ("GBP", "month")
    assert meta["exchange_rate"] == pytest.approx(rate)
    assert meta["exchange_rate_on"] == "2025-03-28"
    euros = await ask(currency="EUR", to="2025-03-30", **ONE_ROW)
    assert euros["data"][0]["mean"] == pytest.approx(125_000 / quotes["USD"])
    assert (await ask(currency="USD", **ONE_ROW))["meta"]["exchange_rate"] is None


async def quoted(database: Database, day: str) -> dict[str, float]:
    """Units for one euro on a day; rates are seeded."""
    statement = text("SELECT currency, per_eur FROM exchange_rates WHERE observed_on = :day")
    async with database.read() as session:
        rows = (await session.execute(statement, {"day": date.fromisoformat(day)})).all()
    return {currency: float(per_eur) for currency, per_eur in rows}


async def test_sorting_and_cutting(ask: Ask, database: Database) -> None:
    amounts = {"entry": 50_000, "mid": 90_000, "senior": 70_000, "unspecified": 60_000}
    await add_records(
        database,
        *(salary(amount, level=level) for level, amount in amounts.items()),
        salary(70_000, level="senior"),
    )

    async def order(**parameters: Any) -> list[str]:
        return [row["level"] for row in (await ask(group_by="level", **parameters))["data"]]

    assert await order() == ["entry", "mid", "senior", "unspecified"]
    assert await order(sort="-level") == ["senior", "mid", "entry", "unspecified"]
    assert await order(sort="-p50") == ["mid", "senior", "unspecified", "entry"]
    assert await order(sort="p33.3", measures="count", limit=1) == ["entry"]
    assert await order(sort="-count,-p50") == ["senior", "mid", "unspecified", "entry"]
    assert await order(sort="stddev") == ["senior", "entry", "mid", "unspecified"]
    answer = await ask(group_by="level", limit=3)
    meta = answer["meta"]
    assert (len(answer["data"]), meta["truncated"], meta["groups"], meta["records"]) == (
        3,
        True,
        4,
        5,
    )
    assert (await ask(group_by="level", limit=4))["meta"]["truncated"] is False


async def test_employers_are_counted_once(ask: Ask, database: Database) -> None:
    await add_records(
        database,
        *(salary(employer=employer) for employer in (1, 1, 2, None)),
        salary(low=None, employer=3),
    )
    answer = await ask(group_by="none", measures="employers,count")
    assert answer["data"] == [{"employers": 2, "count": 4, "status": "ok"}]


async def test_meta_tells_what_was_asked_and_what_was_used(ask: Ask, database: Database) -> None:
    await add_records(database, salary(on="2025-06-15"), salary(on="2025-05"))
    answer = await ask(role="django-developer,data-scientist", from_="2025-05", to="2025-06-20")
    meta = answer["meta"]
    version = meta.pop("data_version")
    assert version
    assert meta == {
        "query": {
            "role": ["data-scientist", "django-developer"],
            "pay_kind": ["base", "unspecified"],
            "from": "2025-05-01",
            "to": "2025-06-20",
            "last": None,
            "window": None,
            "group_by": ["region", "level"],
            "region_kind": None,
            "measures": [
                name for name in answer["data"][0] if not name.startswith(("re", "l", "s"))
            ],
            "bound": "mid",
            "adjust": [],
            "exact": False,
            "sort": ["region", "level"],
            "limit": 1000,
        },
        "population": "live",
        "currency": "USD",
        "pay_period": "year",
        "exchange_rate": None,
        "exchange_rate_on": None,
        "unconverted": False,
        "adjust": [],
        "method": "exact",
        "max_relative_error": 0,
        "groups": 1,
        "records": 2,
        "coverage": coverage(range_share=0.0),
        "truncated": False,
        "data_as_of": "2025-06-15",
        "sources": [
            {
                "code": "survey",
                "name": "Survey",
                "kind": "reported",
                "licence": "CC0 1.0",
                "url": None,
            }
        ],
        "demo": False,
        "nearest": None,
    }
    assert (await ask())["meta"]["query"]["window"] == "all time"


async def test_only_sources_that_are_used_are_credited(ask: Ask, database: Database) -> None:
    await add_sources(database, second={"licence": "CC BY 4.0"}, third={})
    await add_records(
        database,
        salary(source="second"),
        salary(source="third", level="entry"),
        salary(source="survey", on="2019"),
    )

    async def credited(**parameters: Any) -> list[str]:
        return [source["code"] for source in (await ask(**parameters))["meta"]["sources"]]

    assert sorted(await credited()) == ["second", "survey", "third"]
    assert await credited(level="senior", from_="2019-02") == ["second"]
    assert await credited(source="third") == ["third"]


async def test_formats_hold_the_same_rows(client: httpx.AsyncClient, database: Database) -> None:
    await add_records(database, salary(), salary(level="entry"))
    url = "/v1/salaries/statistics?measures=count,p50"
    document = (await client.get(url)).json()
    lines = await client.get(f"{url}&format=ndjson")
    table = await client.get(url, headers={"Accept": "text/csv"})
    assert [json.loads(line) for line in lines.text.splitlines()] == document["data"]
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert list(rows[0]) == list(document["data"][0])
    assert [float(row["p50"]) for row in rows] == [row["p50"] for row in document["data"]]
    assert json.loads(table.headers["Payband-Meta"])["records"] == 2
    refused = await client.get(url, headers={"Accept": "image/png"})
    assert (refused.status_code, refused.json()["code"]) == (406, "not_acceptable")


REFUSED = [
    ({"level": "senoir"}, "unknown_level", "senior"),
    ({"role": "django"}, "unknown_role", "django-developer"),
    ({"region": "USA"}, "unknown_region", "US"),
    ({"source": "nobody"}, "unknown_source", ""),
    ({"industry": "fintec"}, "unknown_industry", "fintech"),
    ({"work_mode": "romote"}, "unknown_work_mode", "remote"),
    ({"pay_kind": "bse"}, "unknown_pay_kind", "base"),
    ({"employment_type": "full-time"}, "unknown_employment_type", "full_time"),
    ({"source_kind": "post"}, "unknown_source_kind", "posted"),
    ({"paid_in": "USS"}, "unknown_currency", "USD"),
    ({"currency": "AUD/NZD"}, "unknown_currency", "AUD"),
    ({"group_by": "regions"}, "unknown_group_by", "region"),
    ({"group_by": "region,region"}, "invalid_grouping", "different"),
    ({"group_by": "role,region,level,industry,source"}, "invalid_grouping", "up to 4"),
    ({"group_by": "none,role"}, "unknown_group_by", ""),
    ({"region_kind": "state"}, "unknown_region_kind", ""),
    ({"region_kind": "metro", "group_by": "level"}, "invalid_grouping", "group_by"),
    ({"measures": "median"}, "unknown_measure", "Nearest: p50."),
    ({"measures": "average"}, "unknown_measure", "Nearest: mean."),
    ({"measures": "n"}, "unknown_measure", "Nearest: count."),
    ({"measures": "std"}, "unknown_measure", "Nearest: stddev."),
    ({"exclude_region": "XX"}, "unknown_region", "exclude_region 'XX'"),
    ({"adjust": "cpi:2024-01"}, "no_index_table", "payband rates import FILE --kind cpi"),
    ({"measures": "p100"}, "unknown_measure", "p1"),
    ({"measures": "p0"}, "unknown_measure", "p1"),
    ({"measures": "p0.5"}, "unknown_measure", ""),
    ({"measures": "p99.5"}, "unknown_measure", ""),
    ({"measures": ",".join(f"p{i}" for i in range(1, 22))}, "too_many_values", "20"),
    ({"sort": "-median"}, "unknown_measure", "Nearest: p50."),
    ({"sort": "month"}, "invalid_sort", "group_by"),
    ({"bound": "middle"}, "unknown_bound", "mid"),
    ({"pay_period": "annual"}, "unknown_pay_period", "year"),
    ({"exact": "maybe"}, "unknown_exact", "true"),
    ({"population": "released"}, "no_releases", ""),
    ({"population": "lives"}, "unknown_population", "live"),
    ({"format": "cvs"}, "unknown_format", "csv"),
    ({"limit": "0"}, "invalid_value", "1"),
    ({"limit": "10001"}, "invalid_value", "10000"),
    ({"from": "2025-13"}, "invalid_window", "month 13"),
    ({"from": "2025-03", "to": "2025-02"}, "invalid_window", "after"),
    ({"from": "0001"}, "invalid_window", "1900 to 2199"),
    ({"from": "0001-01-01", "to": "9999-12-31"}, "invalid_window", "1900 to 2199"),
    ({"to": "2200-01"}, "invalid_window", "1900 to 2199"),
    ({"last": "12"}, "invalid_window", "12m"),
    ({"last": "0m"}, "invalid_window", "12m"),
    ({"last": "99999m"}, "invalid_window", "at most 1200 months"),
    ({"last": "101y"}, "invalid_window", "at most 1200 months"),
    ({"last": "12m", "from": "2025-01"}, "invalid_window", "one or the other"),
    ({"levl": "senior"}, "unknown_parameter", "level"),
    *(
        ({name: ""}, "empty_value", name)
        for name in ("role", "exclude_region", "paid_in", "source", "group_by", "measures", "sort")
    ),
    *(({name: ""}, "empty_value", name) for name in ("from", "to", "last")),
    ({"level": "senior,,mid"}, "empty_value", "level"),
    ({"level": ",".join(["senior"] * 501)}, "too_many_values", "500"),
]


async def test_what_cannot_be_answered_says_why(refuse: Ask) -> None:
    for parameters, code, said in REFUSED:
        problem = await refuse(**parameters)
        assert (problem["code"], said in problem["detail"]) == (code, True), (parameters, problem)


MANY_GROUPS = text("""
    INSERT INTO salary_records SELECT filled.*
    FROM salary_records AS one, (SELECT id FROM regions ORDER BY id LIMIT 112) AS regions,
        generate_series(0, 899) AS months,
        date('1950-01-01'::date + months * interval '1 month') AS day,
        jsonb_populate_record(one, jsonb_build_object(
            'record_id', 10000000 + 1000 * regions.id + months, 'region_id', regions.id,
            'observed_on', day, 'observed_until', day)) AS filled
""")


async def test_more_groups_than_the_hard_limit_are_refused_with_their_number(
    ask: Ask, refuse: Ask, database: Database
) -> None:
    await add_records(database, salary(on="1949-12-31"))
    async with database.write() as session:
        await session.execute(MANY_GROUPS)
        await renew_cells(session)
    asked = {"group_by": "region,month", "limit": "5"}
    for order in ({}, {"sort": "-p50"}, {"measures": "count", "sort": "-count"}):
        problem = await refuse(from_="1950-01", **asked, **order)
        assert (problem["code"], problem["groups"]) == ("too_many_groups", 112 * 900)
        assert "100,800 groups; at most 100,000" in problem["detail"]
        assert "region_kind=country" in problem["detail"]
    narrower = {"from_": "1951-01"}, {"from_": "1950-01", "group_by": "region,year"}
    groups = [(await ask(**{**asked, **more}))["meta"]["groups"] for more in narrower]
    assert groups == [112 * 888, 112 * 75]


WRITTEN = ["'; DROP TABLE roles; --", "\\", "$1", "%s", ":x", "senior' OR 'a'='a", "1); SELECT 1"]


async def test_nothing_that_is_written_reaches_the_statement(refuse: Ask) -> None:
    for name in ("role", "region", "paid_in", "group_by", "sort", "measures", "from", "currency"):
        for value in WRITTEN:
            assert (await refuse(**{name: value}))["status"] == 422


async def test_what_was_out_of_bounds_when_priced_enters_no_figure(
    ask: Ask, database: Database
) -> None:
    absurd = {"amount_min": Decimal("1e12"), "amount_max": Decimal("1e12"), "currency": "GBP"}
    await add_records(
        database,
        salary(60_000, paid={"currency": "GBP"}),
        salary(1, paid=absurd) | {"annual_low": None, "annual_high": None, "annual_amount": None},
    )
    for currency in ("USD", "GBP"):
        answer = await ask(
            paid_in="GBP", currency=currency, group_by="none", measures="count", bound="mid"
        )
        assert answer["data"][0]["count"] == 1
        assert answer["meta"]["coverage"]["out_of_bounds"] == 1
        assert answer["meta"]["coverage"]["one_sided"] == 0
