"""population=released: rows are the nodes of the newest release."""

from typing import Any

import pytest

from app.core.database import Database
from tests.statistics.conftest import Ask
from tests.support.builders import add_records, add_sources, salary
from tests.support.releases import add_release, node

CARRIED = ["count", "mean", "p10", "p25", "p50", "p75", "p90", "employers"]


@pytest.fixture(autouse=True)
async def confidential(database: Database) -> None:
    await add_sources(database, club={"confidential": True}, guild={"confidential": True})


def key(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


async def test_rows_are_the_nodes_of_the_lattice(database: Database, ask: Ask) -> None:
    await add_release(
        database,
        node(40),
        node(30, region="US"),
        node(25, region="US", level="senior"),
        node(15, region="US", level="mid"),
        node(10, region="DE", level="senior", p10=None, p90=None),
        node(20, region="US-CA", level="senior"),
        node(20, role="django-developer", region="US", level="senior"),
    )
    answer = await ask(population="released")
    assert key(answer["data"], "region", "region_name", "level", "level_rank", "count") == [
        ("DE", "Germany", "senior", 3, 10),
        ("US", "United States", "mid", 2, 15),
        ("US", "United States", "senior", 3, 25),
    ]
    assert answer["data"][0] == {
        "region": "DE",
        "region_name": "Germany",
        "level": "senior",
        "level_name": "Senior",
        "level_rank": 3,
        "count": 10,
        "mean": 102_000,
        "p10": None,
        "p25": 90_000,
        "p50": 100_000,
        "p75": 110_000,
        "p90": None,
        "employers": 10,
        "status": "ok",
    }
    meta = answer["meta"]
    assert meta["query"]["measures"] == CARRIED
    assert meta["query"]["region_kind"] == "country"
    assert (meta["groups"], meta["records"], meta["truncated"]) == (3, 50, False)


async def test_what_the_answer_says_about_the_release(database: Database, ask: Ask) -> None:
    number = await add_release(database, node(40), node(30, source="club"))
    meta = (await ask(population="released", group_by="none"))["meta"]
    assert meta["population"] == "released"
    assert meta["release"] == {
        "id": number,
        "source": None,
        "made_at": "2026-07-02T09:30:00Z",
        "through": "2026-06-30",
        "base_currency": "USD",
        "policy": {"count_step": 5, "money_step": 1000},
    }
    assert (meta["method"], meta["max_relative_error"]) == ("exact", None)
    assert meta["rounded_to"] == {"count": 5, "money": 1000}
    assert meta["coverage"] == {}
    assert meta["data_as_of"] == "2026-06-30"
    assert [source["code"] for source in meta["sources"]] == ["club"]
    assert meta["demo"] is False


async def test_each_dimension_has_one_value_or_all(database: Database, ask: Ask) -> None:
    await add_release(
        database,
        node(90),
        node(80, role="django-developer"),
        node(70, role="django-developer", region="US"),
        node(60, role="django-developer", region="US", level="senior"),
        node(50, role="django-developer", region="US", level="senior", period=2025),
        node(45, role="django-developer", region="US", level="senior", period=20254),
        node(40, role="django-developer", region="US", level="senior", period=2025, source="club"),
    )
    asked = {"population": "released", "group_by": "none", "measures": "count"}
    narrowing = [
        ({}, 90),
        ({"role": "django-developer"}, 80),
        ({"region": "US"}, 70),
        ({"level": "senior"}, 60),
        ({"from": "2025", "to": "2025"}, 50),
        ({"source": "club"}, 40),
    ]
    for parameter, count in narrowing:
        asked |= parameter
        assert key((await ask(**asked))["data"], "count") == [(count,)], asked
    quarter = {**asked, "from": "2025-10", "to": "2025-12"}
    assert (await ask(**quarter))["data"] == []
    del quarter["source"]
    assert key((await ask(**quarter))["data"], "count") == [(45,)]


async def test_grouping_by_period_gives_the_closed_periods(database: Database, ask: Ask) -> None:
    await add_release(
        database,
        node(60),
        node(20, period=2025),
        node(15, period=2024),
        node(10, period=20253),
        node(5, period=20261),
    )
    asked = {"population": "released", "measures": "count"}
    years = await ask(**asked, group_by="year")
    assert key(years["data"], "year", "count") == [(2024, 15), (2025, 20)]
    quarters = await ask(**asked, group_by="quarter")
    assert key(quarters["data"], "quarter", "count") == [("2025-Q3", 10), ("2026-Q1", 5)]
    within = await ask(**asked, group_by="quarter", from_="2025-01", to="2025-12")
    assert key(within["data"], "quarter", "count") == [("2025-Q3", 10)]
    since = await ask(**asked, group_by="year", from_="2025")
    assert key(since["data"], "year", "count") == [(2025, 20)]


async def test_regions_are_lifted_as_in_live_answers(database: Database, ask: Ask) -> None:
    await add_release(
        database,
        node(60, region="US"),
        node(40, region="US-CA"),
        node(10, region="US-NY"),
        node(20, region="US-CA-SFO"),
        node(30, region="DE"),
        node(25, region="DE-BE"),
        node(5, region="unspecified"),
    )
    asked = {"population": "released", "group_by": "region", "measures": "count"}
    rows = (await ask(**asked))["data"]
    assert key(rows, "region", "count") == [("DE", 30), ("US", 60), ("unspecified", 5)]
    rows = (await ask(**asked, region_kind="subdivision"))["data"]
    assert key(rows, "region", "count") == [("DE-BE", 25), ("US-CA", 40), ("US-NY", 10)]
    rows = (await ask(**asked, region_kind="subdivision", region="US"))["data"]
    assert key(rows, "region", "count") == [("US-CA", 40), ("US-NY", 10)]
    rows = (await ask(**asked, region="US-CA"))["data"]
    assert key(rows, "region", "count") == [("US", 40)], "what the US has in US-CA"
    rows = (await ask(**asked, region_kind="metro", region="US"))["data"]
    assert key(rows, "region", "count") == [("US-CA-SFO", 20)]
    rows = (await ask(**asked, region="unspecified"))["data"]
    assert key(rows, "region", "count") == [("unspecified", 5)]


async def test_order_limit_currency_and_period(database: Database, ask: Ask) -> None:
    await add_release(
        database,
        node(60, level="senior", p50=130_000),
        node(60, level="mid", p50=104_000),
        node(60, level="entry", p50=None),
    )
    asked = {"population": "released", "group_by": "level", "measures": "p50"}
    cut = await ask(**asked, sort="-p50", limit=2)
    assert key(cut["data"], "level", "p50") == [("senior", 130_000), ("mid", 104_000)]
    assert (cut["meta"]["groups"], cut["meta"]["truncated"]) == (3, True)
    hourly = await ask(**asked, level="mid", pay_period="hour")
    assert key(hourly["data"], "p50") == [(50,)]
    euros = await ask(**asked, level="senior", currency="EUR")
    rate = euros["meta"]["exchange_rate"]
    assert euros["meta"]["exchange_rate_on"] <= "2026-06-30"
    assert euros["data"][0]["p50"] == pytest.approx(130_000 * rate)


async def test_the_newest_release_of_its_series_answers(database: Database, ask: Ask) -> None:
    await add_sources(database, open={})
    await add_records(database, salary(1, source="open"))
    await add_release(database, node(10), number=1)
    await add_release(database, node(20), node(15, source="guild"), number=2)
    await add_release(database, node(30, source="open"), source="open")
    asked = {"population": "released", "group_by": "none", "measures": "count"}
    assert key((await ask(**asked))["data"], "count") == [(20,)]
    assert key((await ask(**asked, source="guild"))["data"], "count") == [(15,)]
    absent = await ask(**asked, source="club")
    assert (absent["data"], absent["meta"]["sources"]) == ([], [])
    named = await ask(**asked, source="open")
    assert key(named["data"], "count") == [(30,)]
    assert named["meta"]["release"]["source"] == "open"
    by_source = await ask(**asked | {"group_by": "source"})
    assert key(by_source["data"], "source", "count") == [("guild", 15)]


@pytest.mark.parametrize(
    ("asked", "parameter"),
    [
        ({"industry": "fintech"}, "industry"),
        ({"employment_type": "full_time"}, "employment_type"),
        ({"work_mode": "remote"}, "work_mode"),
        ({"exclude_region": "US"}, "exclude_region"),
        ({"source_kind": "reported"}, "source_kind"),
        ({"paid_in": "USD"}, "paid_in"),
        ({"pay_kind": "total"}, "pay_kind"),
        ({"pay_kind": "base"}, "pay_kind"),
        ({"role": "django-developer,unspecified"}, "role"),
        ({"level": "mid,senior"}, "level"),
        ({"region": "US,DE"}, "region"),
        ({"source": "club,guild"}, "source"),
        ({"bound": "low"}, "bound"),
        ({"exact": "true"}, "exact"),
        ({"measures": "p50,p50_low"}, "measures"),
        ({"measures": "p33.3"}, "measures"),
        ({"sort": "quality"}, "sort"),
        ({"group_by": "month"}, "group_by"),
        ({"group_by": "industry"}, "group_by"),
        ({"group_by": "quarter,year"}, "group_by"),
        ({"from_": "2025-01", "to": "2025-02"}, "from"),
        ({"from_": "2025-01"}, "from"),
        ({"from_": "2026-07", "to": "2026-09"}, "to"),
        ({"from_": "2026", "to": "2026"}, "to"),
        ({"group_by": "quarter", "from_": "2025-02"}, "from"),
        ({"last": "12m"}, "last"),
    ],
)
async def test_what_a_release_does_not_have_is_refused(
    database: Database, refuse: Ask, asked: dict[str, str], parameter: str
) -> None:
    await add_release(database, node(20))
    problem = await refuse(population="released", **asked)
    assert (problem["code"], problem["parameter"]) == ("not_in_release", parameter)


async def test_what_is_the_default_may_be_said(database: Database, ask: Ask) -> None:
    await add_release(database, node(20))
    said = {"pay_kind": "unspecified,base", "bound": "mid", "exact": "false", "measures": "count"}
    answer = await ask(population="released", group_by="none", **said)
    assert key(answer["data"], "count") == [(20,)]


async def test_without_a_release(refuse: Ask) -> None:
    for asked in ({}, {"source": "club"}):
        problem = await refuse(population="released", **asked)
        assert problem["code"] == "no_releases"
        assert "no release of" in problem["detail"]
        assert "of it" not in problem["detail"]
    assert (await refuse(population="released", source="nobody"))["code"] == "unknown_source"


async def test_a_live_question_that_names_the_source_stays_refused(
    database: Database, refuse: Ask
) -> None:
    await add_release(database, node(20, source="club"))
    assert (await refuse(source="club"))["code"] == "confidential_source"
