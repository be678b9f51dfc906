"""population=released of the market and the guide: a release's pay, public demand beside."""

import httpx
import pytest

from app.core.database import Database
from tests.support.asking import ask, refuse
from tests.support.builders import add_records, add_sources, demand, salary
from tests.support.releases import add_release, node

MARKET = "/v1/market"
GUIDE = "/v1/roles/django-developer/guide"
ROLE = {"role": "django-developer"}


@pytest.fixture(autouse=True)
async def records(database: Database) -> None:
    """Public records, and a confidential source that was released."""
    await add_sources(database, club={"confidential": True})
    await add_records(
        database,
        *(salary(10_000 + i, region="US", level="senior", on="2025-05") for i in range(6)),
        demand(30, region="US-CA", candidates=60, on="2025-06", industry="fintech"),
        demand(10, region="DE", on="2025-06"),
    )
    us, metro = {"region": "US"}, {"region": "US-CA-SFO"}
    await add_release(
        database,
        node(60, region="US", p50=100_000),
        node(40, region="FR", p50=80_000),
        node(60, region="US", p50=110_000, period=2025),
        node(50, region="US", p50=100_000, period=2024),
        node(50, **ROLE, **us, p50=120_000, p25=101_000, p75=139_000),
        node(30, **ROLE, **us, level="senior", p50=130_000, p25=118_000, p75=142_000),
        node(20, **ROLE, **us, level="mid", p50=99_000, p25=86_000, p75=114_000),
        node(20, **ROLE, **metro, p50=150_000),
        node(30, **ROLE, **us, p50=121_000, period=2025),
        node(10, **ROLE, **us, p50=110_000, period=2024, p10=None, p90=None),
    )


async def test_pay_of_the_release_beside_public_demand(client: httpx.AsyncClient) -> None:
    answer = await ask(client, MARKET, population="released")
    names = ("region", "count", "p50", "openings_new", "tightness", "demand_share", "status")
    assert [tuple(row[name] for name in names) for row in answer["data"]] == [
        # What a release does not show is hidden or empty: it is not said which.
        ("DE", None, None, 10, None, 0.25, "absent"),
        ("FR", 40, 80_000, None, None, None, "no_demand"),
        # Demand of California counts in the country, as the release's node of the country does.
        ("US", 60, 100_000, 30, 0.5, 0.75, "ok"),
    ]
    assert {"p50_low", "p50_high", "quality"}.isdisjoint(answer["data"][0])
    meta = answer["meta"]
    assert (meta["population"], meta["demand"]["population"]) == ("released", "live")
    assert meta["release"]["through"] == "2026-06-30"
    assert meta["query"]["region_kind"] == "country"
    assert meta["change_year_from"] is None


async def test_a_year_is_compared_with_the_year_before(client: httpx.AsyncClient) -> None:
    year = await ask(client, MARKET, population="released", from_="2025", to="2025")
    row = next(row for row in year["data"] if row["region"] == "US")
    assert (row["count"], row["change_year"], row["openings_new"]) == (60, 0.1, 30)
    assert (year["meta"]["change_year_from"], year["meta"]["change_year_to"]) == (
        "2024-01-01",
        "2024-12-31",
    )


async def test_a_named_confidential_source_is_not_asked_for_demand(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_release(database, node(25, region="US", source="club", p50=77_000), number=2)
    answer = await ask(client, MARKET, population="released", source="club")
    row = next(row for row in answer["data"] if row["region"] == "US")
    assert (row["p50"], row["openings_new"]) == (77_000, 30)
    assert answer["meta"]["demand"]["filters_not_applied"] == ["source"]
    assert "source" not in answer["meta"]["demand"]["query"]


async def test_what_a_release_lacks_is_refused(client: httpx.AsyncClient) -> None:
    for asked in (
        {"group_by": "industry"},
        {"group_by": "month"},
        {"work_mode": "remote"},
        {"sort": "quality"},
        {"bound": "low"},
    ):
        problem = await refuse(client, MARKET, population="released", **asked)
        assert problem["code"] in {"not_in_release", "unknown_measure"}, asked


async def test_a_guide_of_a_release(client: httpx.AsyncClient) -> None:
    document = await ask(client, GUIDE, population="released")
    data, meta = document["data"], document["meta"]
    bands = {
        row["level"]: (row["band_low"], row["band_high"], row["count"]) for row in data["bands"]
    }
    assert bands == {
        "entry": (None, None, None),
        "mid": (85_000, 115_000, 20),
        "senior": (115_000, 145_000, 30),
    }
    assert data["bands"][0]["status"] == "absent"
    assert (data["overall"][0]["p50"], data["overall"][0]["count"]) == (120_000, 50)
    assert (data["overall"][0]["band_low"], data["overall"][0]["band_high"]) == (85_000, 145_000)
    assert [(row["region"], row["p50"]) for row in data["regions"]] == [("US-CA-SFO", 150_000)]
    assert [(row["industry"], row["openings_new"]) for row in data["industries"]] == [
        ("fintech", 30)
    ]
    assert data["work_modes"] == []
    assert meta["sections"]["work_modes"]["status"] == "not_in_release"
    years = [(row["year"], row["p50"], row["change_year"]) for row in data["trend"]]
    assert years == [(2024, 110_000, None), (2025, 121_000, 0.1)]
    assert (meta["population"], meta["query"]["window"]) == ("released", "all time")
    assert meta["rounded_to"] == {"count": 5, "money": 1000}
    assert "quality" not in data["bands"][0]
    problem = await refuse(client, GUIDE, population="released", industry="fintech")
    assert problem["code"] == "not_in_release"


async def test_what_a_release_hides_is_not_counted_as_nothing(client: httpx.AsyncClient) -> None:
    roles = await ask(client, MARKET, population="released", group_by="role", sort="count")
    assert [(row["role"], row["count"], row["status"]) for row in roles["data"]] == [
        ("django-developer", None, "absent")
    ]
    document = await ask(client, GUIDE, population="released", level="lead")
    (overall,) = document["data"]["overall"]
    assert (overall["count"], overall["p50"], overall["status"]) == (None, None, "absent")
    statuses = {name: s["status"] for name, s in document["meta"]["sections"].items()}
    assert [statuses[name] for name in ("overall", "bands", "regions", "trend")] == ["absent"] * 4
    section = await ask(client, GUIDE, population="released", level="lead", section="overall")
    assert section["meta"]["status"] == "absent"
    for form in ("csv", "parquet", "arrow", "ndjson"):
        asked = {"population": "released", "group_by": "role", "format": form}
        response = await client.get(MARKET, params=asked)
        assert response.status_code == 200, response.text
