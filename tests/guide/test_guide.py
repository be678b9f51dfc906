"""GET /v1/roles/{role}/guide: the published guide's tables, regenerated from records."""

import csv
import io
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import insert, text, update

from app.core.database import Database
from app.core.versions import advance_epoch
from app.demo import load_demo
from app.domain.vocabulary import PAY_PERIODS
from app.guide.shape import SECTIONS
from app.settings import Settings
from app.tables import Benchmark, DemandRecord, SalaryRecord, Title
from tests.support.asking import ask as ask_route
from tests.support.builders import add_records, add_sources, demand, salary
from tests.support.stored import region_id, store_source

URL = "/v1/roles/django-developer/guide"
PUBLISHED = {"entry": (70_000, 85_000), "mid": (85_000, 115_000), "senior": (115_000, 145_000)}


async def ask(client: httpx.AsyncClient, role: str = "django-developer", **asked: Any) -> Any:
    """The document of a role's guide."""
    return await ask_route(client, f"/v1/roles/{role}/guide", **asked)


async def test_the_demo_data_regenerates_the_published_guide(
    client: httpx.AsyncClient, settings: Settings, database: Database
) -> None:
    async with database.read() as session:
        newest: date | None = await session.scalar(
            text("SELECT max(observed_on) FROM exchange_rates")
        )
    assert newest is not None
    await load_demo(settings, database, today=newest + timedelta(days=20))
    # All of the demo data, whatever day it is.
    document = await ask(client, from_=f"{newest.year - 4}-01")
    data, meta = document["data"], document["meta"]
    assert (meta["status"], meta["demo"], meta["query"]["region"]) == ("ok", True, ["US"])

    bands = {row["level"]: row for row in data["bands"]}
    for level, (low, high) in PUBLISHED.items():
        row = bands[level]
        assert (row["band_low"], row["band_high"]) == (low, high), row
        assert (row["published_low"], row["published_high"]) == (low, high)
        assert (row["published_source"], row["published_period"]) == ("published-guide", "2026")
    assert [row["level"] for row in data["bands"]][:3] == list(PUBLISHED)
    (overall,) = data["overall"]
    assert (overall["band_low"], overall["band_high"]) == (70_000, 145_000)
    assert (overall["open_ended"], overall["published_open_ended"]) == (True, True)
    assert (overall["published_low"], overall["published_high"]) == (70_000, 145_000)

    # The guide names San Francisco, New York and Seattle as those that pay most.
    top = [row["region"] for row in data["regions"] if row["published"]]
    assert set(top) == {"US-CA-SFO", "US-NY-NYC", "US-WA-SEA"}
    assert {row["region"] for row in data["regions"][:4]} > set(top)
    assert all(row["count"] >= 6 for row in data["regions"])
    medians = [row["p50"] for row in data["regions"]]
    assert medians == sorted(medians, reverse=True)

    named = {row["industry"] for row in data["industries"] if row["published"]}
    assert named == {"startup", "fintech", "saas", "media", "e-commerce"}
    guide_titles = {row["title"]: row for row in data["titles"]}
    assert len(guide_titles) == 9
    assert guide_titles["Django/Python Engineer"]["level"] == "senior"
    assert guide_titles["Django/Python Engineer"]["focus_area"] == "Backend Engineering"
    assert guide_titles["Django API Developer"]["level"] == "entry"
    assert sum(row["share"] for row in data["titles"]) == pytest.approx(1, abs=1e-5)
    assert [row["skill"] for row in data["skills"]][:2] == ["Python", "Django"]
    assert all(row["published"] for row in data["skills"])
    assert {row["work_mode"] for row in data["work_modes"]} == {"remote", "hybrid", "onsite"}
    assert [row["work_mode"] for row in data["work_modes"] if row["published"]] == ["remote"]
    assert sum(row["share"] for row in data["work_modes"]) == pytest.approx(1, abs=1e-5)
    assert len(data["trend"]) >= 3
    assert all(row["openings_open"] and row["p50"] for row in data["trend"])
    assert [row["low"] for row in data["benchmarks"]] == [70_000, 70_000, 85_000, 115_000]
    assert data["facts"]["experience_years"] == {"low": 2, "high": 5}


async def small(database: Database) -> None:
    """A few records of a role, by hand."""
    await add_records(
        database,
        *(salary(90_000 + 1_000 * i, level="mid", work_mode="remote") for i in range(7)),
        *(salary(50_000 + i, level="mid", region="US-TX") for i in range(6)),
        *(salary(200_000, level="lead", region="US-NY") for _ in range(5)),
        *(salary(10_000, level="entry", region="IN") for _ in range(9)),
        demand(30, industry="fintech", candidates=60, on="2025-03"),
        demand(10, industry="saas", on="2025-04"),
    )


async def test_sections_by_hand(client: httpx.AsyncClient, database: Database) -> None:
    await small(database)
    document = await ask(client, from_="2025-01", to="2025-12", region="US")
    data, meta = document["data"], document["meta"]
    bands = {row["level"]: row for row in data["bands"]}
    # 13 amounts: 50,000 to 50,005 and 90,000 to 96,000; p25 = 50,003 and p75 = 93,000.
    assert (bands["mid"]["p_low"], bands["mid"]["p_high"]) == (50_003, 93_000)
    assert (bands["mid"]["band_low"], bands["mid"]["band_high"]) == (50_000, 95_000)
    assert (bands["entry"]["status"], bands["entry"]["count"]) == ("empty", 0)
    assert bands["entry"]["published_high"] == 85_000
    assert bands["lead"]["published_low"] is None
    assert data["overall"][0]["open_ended"] is True
    assert (data["overall"][0]["band_low"], data["overall"][0]["band_high"]) == (50_000, 95_000)
    # Texas pays most of the regions with 6 records; New York has 5.
    assert [(row["region"], row["count"]) for row in data["regions"]] == [("US", 7), ("US-TX", 6)]
    assert meta["sections"]["regions"]["min_count"] == 6
    shares = [(row["industry"], row["share"], row["tightness"]) for row in data["industries"]]
    assert shares == [("fintech", 0.75, 0.5), ("saas", 0.25, None)]
    assert [(row["work_mode"], row["share"]) for row in data["work_modes"]] == [("remote", 1)]
    assert meta["sections"]["work_modes"]["not_stated"] == 11
    (year,) = data["trend"]
    assert (year["year"], year["count"], year["openings_new"]) == (2025, 18, 40)
    assert meta["sections"]["trend"]["cut_periods"] == []
    assert (meta["sections"]["bands"]["records"], meta["sections"]["skills"]["status"]) == (
        18,
        "empty",
    )
    assert [source["code"] for source in meta["sources"]] == ["survey"]


async def test_titles_are_of_public_records_only(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_sources(database, secret={"confidential": True})
    await add_records(
        database,
        *(salary(100_000 + i) for i in range(3)),
        demand(5),
        salary(99, source="secret"),
    )
    async with database.write() as session:
        ids = {}
        for place, words in enumerate(("Django Developer", "django developer", "Hidden Wizard")):
            found = await session.execute(
                insert(Title).values(text=words, role_id=1, focus_area="Web").returning(Title.id)
            )
            ids[place] = found.scalar_one()
        secret = await session.scalar(text("SELECT id FROM sources WHERE code = 'secret'"))
        for table in (SalaryRecord, DemandRecord):
            await session.execute(update(table).values(title_id=ids[0]))
        await session.execute(
            update(SalaryRecord)
            .where(SalaryRecord.annual_amount == 100_002)
            .values(title_id=ids[1])
        )
        await session.execute(
            update(SalaryRecord).where(SalaryRecord.source_id == secret).values(title_id=ids[2])
        )
        await advance_epoch(session)
    answer = await ask(client, section="titles", from_="2025-01")
    assert answer["data"] == [
        {
            "title": "Django Developer",
            "level": "unspecified",
            "level_name": "Unspecified",
            "level_rank": 0,
            "focus_area": "Web",
            "records": 4,
            "share": 1.0,
            "status": "ok",
        }
    ]
    everything = await client.get(URL, params={"from": "2025-01"})
    assert "Hidden Wizard" not in everything.text
    assert everything.json()["meta"]["sections"]["bands"]["records"] == 3
    refused = await client.get(URL, params={"source": "secret"})
    assert (refused.status_code, refused.json()["code"]) == (422, "confidential_source")


async def test_a_role_without_data_still_has_what_was_published(client: httpx.AsyncClient) -> None:
    document = await ask(client)
    data, meta = document["data"], document["meta"]
    assert meta["status"] == "empty"
    assert {name: meta["sections"][name]["status"] for name in SECTIONS} == {
        **dict.fromkeys(SECTIONS, "empty"),
        "benchmarks": "ok",
    }
    assert data["facts"]["skills"][0] == "Python"
    assert {row["level"]: row["published_low"] for row in data["bands"]} == {
        "entry": 70_000,
        "mid": 85_000,
        "senior": 115_000,
    }
    assert (meta["nearest"], meta["data_as_of"], meta["sources"]) == (None, None, [])
    plain = await ask(client, role="data-engineer")
    assert plain["data"]["facts"] == {}
    assert all(plain["data"][name] == [] for name in SECTIONS)
    assert "region" not in plain["meta"]["query"]


async def test_published_figures_stand_only_beside_their_own_region(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(database, *(salary(60_000, region="DE", level="mid") for _ in range(6)))
    german = await ask(client, region="DE", from_="2025", currency="USD")
    (mid,) = german["data"]["bands"]
    assert (mid["level"], mid["count"], mid["published_low"]) == ("mid", 6, None)
    assert german["data"]["overall"][0]["open_ended"] is False
    usual = await ask(client, from_="2025")
    assert usual["meta"]["query"]["region"] == ["US"]
    assert usual["meta"]["nearest"]["changed"]["region"] is None
    assert usual["meta"]["nearest"]["records"] == 6


async def test_pay_without_demand_is_data(client: httpx.AsyncClient, database: Database) -> None:
    await add_records(database, *(salary(60_000, on="2025-03") for _ in range(6)))
    meta = (await ask(client, section="trend", from_="2025"))["meta"]
    assert (meta["status"], meta["nearest"]) == ("ok", None)
    # There is no demand at any time, whatever is paid.
    for section in ("industries", "skills", "titles", "benchmarks"):
        meta = (await ask(client, section=section, from_="2026-01"))["meta"]
        assert meta["nearest"] is None, section
    meta = (await ask(client, section="bands", from_="2026-01"))["meta"]
    assert (meta["status"], meta["nearest"]["records"]) == ("empty", 6)


async def test_a_filtered_guide_is_of_what_was_asked(
    client: httpx.AsyncClient, database: Database
) -> None:
    await small(database)
    data = (await ask(client, from_="2025-01", level="mid"))["data"]
    assert [(row["level"], row["published_low"]) for row in data["bands"]] == [("mid", 85_000)]
    assert (data["overall"][0]["count"], data["overall"][0]["published_low"]) == (13, None)
    for asked in ({"work_mode": "remote"}, {"industry": "saas"}, {"source": "survey"}):
        (row,) = (await ask(client, section="overall", from_="2025-01", **asked))["data"]
        assert row["published_low"] is None, asked
    (row,) = (await ask(client, section="overall", from_="2025-01", pay_kind="total"))["data"]
    assert (row["count"], row["published_low"]) == (0, None)
    (row,) = (await ask(client, section="overall", from_="2025-01", region="US"))["data"]
    assert row["published_low"] == 70_000


async def test_the_newest_published_band_of_the_region_and_pay_period_is_shown(
    client: httpx.AsyncClient, database: Database
) -> None:
    async with database.write() as session:
        source = await store_source(session, "later-guide")
        role = await session.scalar(text("SELECT id FROM roles WHERE code = 'django-developer'"))
        places = {code: await region_id(session, code) for code in ("US", "DE")}
        level = await session.scalar(text("SELECT id FROM levels WHERE code = 'mid'"))
        for region, pay_period, period, industry, low in (
            ("US", "year", "2027", 0, 90_000),
            ("US", "hour", "2027", 0, 45),
            ("US", "year", "2028", 1, 1_000),
            ("DE", "year", "2029", 0, 2_000),
            ("US", "year", "2020", 0, 3_000),
        ):
            await session.execute(
                insert(Benchmark).values(
                    source_id=source,
                    role_id=role,
                    region_id=places[region],
                    level_id=level,
                    industry_id=industry,
                    period=period,
                    period_from=date(int(period), 1, 1),
                    period_until=date(int(period), 12, 31),
                    currency="USD",
                    pay_period=PAY_PERIODS[pay_period],
                    low=low,
                    high=low * 2,
                    import_id=0,
                    changed_import_id=0,
                )
            )
    for asked, low in (({}, 90_000), ({"pay_period": "hour"}, 45), ({"region": "DE"}, 2_000)):
        answer = await ask(client, section="bands", **asked)
        mid = next(row for row in answer["data"] if row["level"] == "mid")
        assert (mid["published_low"], mid["published_source"]) == (low, "later-guide"), asked
    # What else was published does not change whom the guide is about.
    assert (await ask(client))["meta"]["query"]["region"] == ["US"]


async def test_the_usual_window_is_calendar_years(client: httpx.AsyncClient) -> None:
    query = (await ask(client))["meta"]["query"]
    assert (query["last"], query["from"][4:], query["to"][4:]) == ("3y", "-01-01", "-12-31")
    assert int(query["to"][:4]) - int(query["from"][:4]) == 2
    own = (await ask(client, last="12m"))["meta"]["query"]
    assert own["last"] == "12m"


async def test_every_section_is_a_table_in_every_format(
    client: httpx.AsyncClient, database: Database
) -> None:
    await small(database)
    document = await ask(client, from_="2025-01")
    for section in SECTIONS:
        answer = await ask(client, section=section, from_="2025-01")
        assert answer["data"] == document["data"][section], section
        assert answer["meta"]["groups"] == document["meta"]["sections"][section]["groups"]
        for form in ("csv", "ndjson", "parquet", "arrow"):
            response = await client.get(
                URL, params={"section": section, "from": "2025-01", "format": form}
            )
            assert response.status_code == 200, response.text
            if form == "csv":
                rows = list(csv.DictReader(io.StringIO(response.text)))
                assert len(rows) == len(answer["data"])
                assert not rows or list(rows[0]) == list(answer["data"][0])
    for headers, params in (({"accept": "text/csv"}, {}), ({}, {"format": "parquet"})):
        refused = await client.get(URL, params=params, headers=headers)
        problem = refused.json()
        assert (refused.status_code, problem["code"]) == (422, "section_needed")
        assert problem["nearest"] == list(SECTIONS)


async def test_limits_and_money(client: httpx.AsyncClient, database: Database) -> None:
    await small(database)
    cut = await ask(client, section="bands", from_="2025-01", limit=1)
    assert (len(cut["data"]), cut["meta"]["truncated"], cut["meta"]["groups"]) == (1, True, 4)
    monthly = await ask(client, section="bands", from_="2025-01", pay_period="month")
    mid = next(row for row in monthly["data"] if row["level"] == "mid")
    assert monthly["meta"]["query"]["step"] == 500
    assert (mid["band_low"], mid["band_high"]) == (4_000, 8_000)
    assert (mid["published_low"], mid["published_pay_period"]) == (85_000, "year")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("section=band", "unknown_section"),
        ("section=", "empty_value"),
        ("role=data-engineer", "unknown_parameter"),
        ("low=p75&high=p25", "invalid_band"),
        ("low=p0", "unknown_measure"),
        ("step=0", None),
        ("region_kind=town", "unknown_region_kind"),
        ("group_by=level", "unknown_parameter"),
        ("from=2025&last=12m", "invalid_window"),
        ("level=senoir", "unknown_level"),
        ("population=released", "no_releases"),
    ],
)
async def test_refusals(client: httpx.AsyncClient, query: str, code: str | None) -> None:
    response = await client.get(f"{URL}?{query}")
    assert response.status_code == 422, response.text
    assert code in {None, response.json()["code"]}, response.text


async def test_an_unknown_role_is_not_found_and_the_nearest_are_named(
    client: httpx.AsyncClient,
) -> None:
    response = await client.get("/v1/roles/django-develper/guide")
    assert (response.status_code, response.json()["code"]) == (404, "unknown_role")
    assert response.json()["nearest"][0] == "django-developer"
    titled = await client.get("/v1/roles/Lead Django Developer/guide")
    assert (titled.status_code, titled.json()["nearest"]) == (404, ["django-developer"])
    assert "title of django-developer" in titled.json()["detail"]
