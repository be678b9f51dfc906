"""`meta.nearest`: the coarser question that is offered where the one asked has no records."""

from typing import Any

import httpx
from sqlalchemy import text

from app.core.database import Database
from tests.statistics.conftest import Ask
from tests.support.builders import add_records, add_sources, salary

SFO = {"region": "US-CA-SFO", "level": "senior"}


async def offered(ask: Ask, **asked: Any) -> tuple[dict[str, Any], int]:
    """What the nearest question changes, and its records; the answer itself stays empty."""
    answer = await ask(**asked)
    assert (answer["data"], answer["meta"]["records"]) == ([], 0)
    nearest = answer["meta"]["nearest"]
    return nearest["changed"], nearest["records"]


async def test_there_is_no_offer_where_there_is_data(ask: Ask, database: Database) -> None:
    await add_records(database, salary(), salary(region="DE"))
    assert (await ask(region="US"))["meta"]["nearest"] is None


async def test_nothing_coarser_is_no_offer(ask: Ask, database: Database) -> None:
    await add_records(database, salary(role="data-scientist"))
    for asked in ({}, {"region": "US-CA"}, {"last": "12m", "level": "mid"}):
        assert (await ask(role="django-developer", **asked))["meta"]["nearest"] is None


async def test_all_levels_come_before_the_parent_region(ask: Ask, database: Database) -> None:
    await add_records(
        database,
        salary(region="US-CA-SFO", level="mid"),
        salary(region="US-CA-SFO", level="unspecified"),
        salary(region="US-CA", level="senior"),
    )
    assert await offered(ask, **SFO) == ({"level": None}, 2)


async def test_regions_are_left_step_by_step(ask: Ask, database: Database) -> None:
    steps: list[tuple[str, list[str] | None]] = [
        ("DE", None),
        ("US-NY", ["US"]),
        ("US-CA-LAX", ["US-CA"]),
    ]
    # From far to near: each new record is nearer than those before.
    for region, expected in steps:
        await add_records(database, salary(region=region))
        assert await offered(ask, **SFO) == ({"region": expected}, 1)


async def test_the_offer_is_a_question_that_has_as_many_records(
    ask: Ask, database: Database
) -> None:
    await add_records(
        database,
        salary(region="US-NY", level="mid", industry="fintech", on="2025-02"),
        salary(region="US", level="mid", industry="fintech", on="2025-02-10"),
        salary(region="US", level="mid", industry="fintech", on="2025"),
        salary(region="US", level="mid", industry="saas", on="2025-02"),
        salary(region="US", level="mid", industry="fintech", on="2025-02", low=None),
        salary(region="US", level="mid", industry="fintech", on="2025-02", pay_kind="total"),
    )
    asked = {**SFO, "industry": "fintech", "from_": "2025-02", "to": "2025-03"}
    nearest = (await ask(**asked))["meta"]["nearest"]
    assert nearest["changed"] == {"level": None, "region": ["US"]}
    assert nearest["records"] == 2
    assert nearest["query"] == {
        "region": ["US"],
        "industry": ["fintech"],
        "pay_kind": ["base", "unspecified"],
        "from": "2025-02-01",
        "to": "2025-03-31",
        "last": None,
        "window": None,
    }
    again = await ask(region="US", industry="fintech", from_="2025-02", to="2025-03")
    assert again["meta"]["records"] == 2


async def test_details_go_one_by_one_then_all_then_the_window(ask: Ask, database: Database) -> None:
    asked = {
        "industry": "fintech",
        "work_mode": "remote",
        "employment_type": "contract",
        "region": "DE",
        "last": "12m",
    }
    window = {"from": None, "to": None, "last": None}
    details = {"industry": None, "work_mode": None, "employment_type": None}
    same = {"industry": "fintech", "work_mode": "remote", "employment_type": "contract"}
    today = "2026-01-01"
    async with database.read() as session:
        today = str(await session.scalar(text("SELECT now()::date")))
    steps: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"region": "US", "on": "2019"}, {**details, "region": None, **window}),
        ({"region": "DE", "on": "2019"}, {**details, **window}),
        ({**same, "region": "US", "on": "2019"}, {"region": None, **window}),
        ({**same, "region": "DE", "on": "2019"}, window),
        ({"region": "US", "on": today}, {**details, "region": None}),
        ({"region": "DE", "on": today}, details),
        ({**same, "work_mode": "onsite", "region": "DE", "on": today}, {"work_mode": None}),
        ({**same, "industry": "saas", "region": "DE", "on": today}, {"industry": None}),
        ({**same, "region": "US", "on": today}, {"region": None}),
    ]
    for record, expected in steps:
        await add_records(database, salary(**record))
        changed, _ = await offered(ask, **asked)
        assert changed == expected, record


async def test_of_several_regions_each_goes_to_its_parent(ask: Ask, database: Database) -> None:
    await add_records(database, salary(region="FR"))
    assert await offered(ask, region="US-CA-SFO,DE") == ({"region": None}, 1)
    await add_records(database, salary(region="US-NY"))
    assert await offered(ask, region="US-CA-SFO,DE") == ({"region": ["DE", "US"]}, 1)
    # A region whose parent is another's ancestor is inside of it.
    assert await offered(ask, region="US-CA-SFO,US-CA") == ({"region": ["US"]}, 1)


async def test_what_is_excluded_stays_excluded(ask: Ask, database: Database) -> None:
    await add_records(database, salary(region="US"), salary(region="DE"))
    assert await offered(ask, region="US-CA", exclude_region="US") == ({"region": None}, 1)


async def test_an_offer_counts_what_the_grouping_can_place(ask: Ask, database: Database) -> None:
    await add_records(database, salary(region="US", on="2025"), salary(region="DE", on="2025-02"))
    assert await offered(ask, region="US-CA", group_by="year") == ({"region": ["US"]}, 1)
    assert await offered(ask, region="US-CA", group_by="month") == ({"region": None}, 1)


async def test_confidential_and_demo_records_are_no_offer(ask: Ask, database: Database) -> None:
    await add_sources(database, secret={"confidential": True}, synthetic={"demo": True})
    await add_records(
        database,
        salary(region="DE", source="secret"),
        salary(region="DE", source="synthetic"),
        salary(region="US", role="data-scientist"),
    )
    assert (await ask(region="FR", role="django-developer"))["meta"]["nearest"] is None
    assert await offered(ask, region="FR", source="synthetic") == ({"region": None}, 1)


async def test_an_offer_keeps_bound_and_currency(ask: Ask, database: Database) -> None:
    await add_records(
        database,
        salary(region="US", low=80_000, high=None),
        salary(region="US", paid={"currency": "EUR"}),
        salary(region="US"),
    )
    assert await offered(ask, region="DE", bound="low", paid_in="USD") == ({"region": None}, 2)
    assert await offered(ask, region="DE", paid_in="USD") == ({"region": None}, 1)


async def test_in_csv_the_offer_stands_in_the_header(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(database, salary())
    answer = await client.get("/v1/salaries/statistics?region=DE&format=csv")
    assert answer.text.count("\n") == 1
    assert '"changed":{"region":null}' in answer.headers["Payband-Meta"]
