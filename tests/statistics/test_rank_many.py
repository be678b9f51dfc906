"""POST /v1/salaries/rank: many amounts, each about its own records; nothing of it is kept."""

import logging
from typing import Any

import httpx
import pytest
import structlog
from sqlalchemy import event, text

from app.core.database import Database
from tests.support.builders import add_records, salary

ADDRESS = "/v1/salaries/rank"
SECRET = 137_137


@pytest.fixture
async def records(database: Database) -> None:
    await add_records(
        database,
        *(salary(amount, level="senior") for amount in (100_000, 120_000, 140_000)),
        *(salary(amount, level="entry", region="DE") for amount in (40_000, 50_000)),
    )


async def rank(client: httpx.AsyncClient, *items: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post(ADDRESS, json={"items": list(items)})
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    document: dict[str, Any] = answer.json()
    return document


async def refuse(client: httpx.AsyncClient, *items: Any) -> dict[str, Any]:
    answer = await client.post(ADDRESS, json={"items": list(items)})
    assert answer.status_code == 422, answer.text
    document: dict[str, Any] = answer.json()
    return document


@pytest.mark.usefixtures("records")
async def test_items_come_back_in_their_order_with_their_own_records(
    client: httpx.AsyncClient,
) -> None:
    document = await rank(
        client,
        {"id": "a", "amount": 120_000, "level": "senior"},
        {"id": 7, "amount": 45_000, "region": ["DE", "FR"]},
        {"amount": "120000", "level": ["senior", "lead"], "bound": "low"},
        {"id": "d", "amount": 100_000, "level": "senior"},
        {"id": "e", "amount": 10_000, "level": "executive", "pay_period": "month"},
    )
    rows = document["data"]
    assert [row["id"] for row in rows] == ["a", 7, None, "d", "e"]
    assert [row["rank"] for row in rows] == [0.5, 0.5, 0.5, pytest.approx(1 / 6), None]
    assert [row["n"] for row in rows] == [3, 2, 3, 3, 0]
    assert [row["status"] for row in rows] == [*["ok"] * 4, "empty"]
    assert [row["question"] for row in rows] == [0, 1, 2, 0, 3]
    assert rows[4]["pay_period"] == "month"
    questions = document["meta"]["questions"]
    assert [question["items"] for question in questions] == [2, 1, 1, 1]
    assert [question["records"] for question in questions] == [3, 2, 3, 0]
    assert questions[1]["query"]["region"] == ["DE", "FR"]
    assert [question["nearest"] for question in questions[:3]] == [None] * 3
    nearest = questions[3]["nearest"]
    assert (nearest["changed"], nearest["records"]) == ({"level": None}, 5)
    assert questions[2]["query"]["bound"] == "low"
    assert questions[0]["sources"][0]["code"] == "survey"
    assert document["meta"]["items"] == 5


@pytest.mark.usefixtures("records")
async def test_amounts_in_several_currencies_convert_as_the_statistics_do(
    client: httpx.AsyncClient,
) -> None:
    items = [{"amount": 100_000, "currency": code} for code in ("USD", "EUR", "GBP")]
    document = await rank(client, *items)
    for item, row, question in zip(
        items, document["data"], document["meta"]["questions"], strict=True
    ):
        asked = {"group_by": "none", "measures": "p50", "currency": item["currency"]}
        shown = (await client.get("/v1/salaries/statistics", params=asked)).json()
        assert row["p50"] == shown["data"][0]["p50"]
        assert row["currency"] == question["currency"] == item["currency"]
        assert question["exchange_rate"] == shown["meta"]["exchange_rate"]


@pytest.mark.usefixtures("records")
async def test_a_thousand_items_about_few_records_take_few_statements(
    client: httpx.AsyncClient, database: Database
) -> None:
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    engine = client._transport.app.state.services.database.engine.sync_engine  # type: ignore[attr-defined]
    levels = ("senior", "entry")
    items = [{"amount": 40_000 + 100 * i, "level": levels[i % 2]} for i in range(1_000)]
    event.listen(engine, "before_cursor_execute", note)
    try:
        document = await rank(client, *items)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert len(document["data"]) == 1_000
    assert len(document["meta"]["questions"]) == 2
    assert not any("FROM salary_records AS r" in each for each in statements)
    assert len(statements) < 25


@pytest.mark.usefixtures("records")
async def test_every_bad_item_is_named_and_nothing_is_answered(client: httpx.AsyncClient) -> None:
    problem = await refuse(
        client,
        {"amount": 100_000},
        {"amount": -SECRET},
        {"amount": 100_000, "pay_period": "yaer"},
        {"amount": 100_000, "from": "2025-05", "to": "2025-01"},
        {"amount": float(10**300)},
        {"amount": "37.85"[::-1] + "x"},
    )
    assert problem["code"] == "invalid_items"
    found = [(error["name"], error["code"]) for error in problem["errors"]]
    assert [name for name, _ in found] == [
        "items.1.amount",
        "items.2.pay_period",
        found[2][0],
        "items.4.amount",
        "items.5.amount",
    ]
    assert found[2][0].startswith("items.3")
    assert problem["errors"][1]["nearest"][0] == "year"
    assert "data" not in problem
    assert str(SECRET) not in str(problem)


@pytest.mark.usefixtures("records")
async def test_codes_and_implausible_amounts_are_named_together(client: httpx.AsyncClient) -> None:
    problem = await refuse(
        client,
        {"amount": 100_000},
        {"amount": 42.5},
        {"amount": 100_000, "role": "djnago-developer"},
        {"amount": 100_000, "level": "senior", "region": "Atlantis"},
        {"amount": SECRET, "pay_period": "hour"},
    )
    found = {error["name"]: error for error in problem["errors"]}
    assert list(found) == ["items.1.amount", "items.2.role", "items.3.region", "items.4.amount"]
    assert "pay_period=hour" in found["items.1.amount"]["message"]
    assert found["items.2.role"]["nearest"][0] == "django-developer"
    assert found["items.4.amount"]["nearest"] == ["year"]
    assert str(SECRET) not in str(problem)
    assert "42.5" not in str(problem)


@pytest.mark.parametrize(
    ("item", "name"),
    [
        ({}, "items.0.amount"),
        ({"amount": None}, "items.0.amount"),
        ({"amount": True}, "items.0.amount"),
        ({"amount": [SECRET]}, "items.0.amount"),
        ({"amount": 50_000, "lvel": "senior"}, "items.0.lvel"),
        ({"amount": 50_000, "format": "csv"}, "items.0"),
        ({"amount": 50_000, "level": []}, "items.0"),
        ({"amount": 50_000, "level": ["senior,entry"]}, "items.0"),
        ({"amount": 50_000, "level": [1]}, "items.0"),
        ({"amount": 50_000, "level": {"is": "senior"}}, "items.0.level"),
        ({"amount": 50_000, "id": "x" * 201}, "items.0.id"),
        (SECRET, "items.0"),
    ],
)
async def test_items_of_the_wrong_form(client: httpx.AsyncClient, item: Any, name: str) -> None:
    problem = await refuse(client, item)
    assert any(error["name"].startswith(name) for error in problem["errors"])
    assert str(SECRET) not in str(problem)


@pytest.mark.parametrize(
    "member", ["source", "region", "from", "currency", "adjust", "population", "id", "amount"]
)
@pytest.mark.parametrize("lists", [False, True])
async def test_half_of_a_surrogate_pair_is_no_text(
    client: httpx.AsyncClient, member: str, lists: bool
) -> None:
    if lists and member not in {"source", "region"}:
        return
    # As JSON writes it: the client itself would not encode it.
    text = '["US", "\\ud800"]' if lists else '"a\\udfff"'
    content = f'{{"items": [{{"amount": 90001, "{member}": {text}}}]}}'
    answer = await client.post(
        ADDRESS, content=content, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["name"].startswith(f"items.0.{member}")


async def test_unknown_members_name_the_nearest(client: httpx.AsyncClient) -> None:
    problem = await refuse(
        client, {"amount": 90_001, "levle": "mid"}, {"amount": 90_001, "From": "2025", "x" * 99: 1}
    )
    found = [(error["name"], error["code"]) for error in problem["errors"]]
    unknown = ["items.0.levle", "items.1.From", f"items.1.{'x' * 60}"]
    assert found == [(name, "unknown_parameter") for name in unknown]
    assert problem["errors"][0]["nearest"][0] == "level"
    assert problem["errors"][1]["nearest"][0] == "from"
    for content in (b'{"items": [{"amount": 1, "\\ud800": 1}]}', b'{"\\ud800": 1}'):
        answer = await client.post(
            ADDRESS, content=content, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 422, answer.text


@pytest.mark.parametrize("amount", [None, True, [SECRET], {"of": SECRET}])
async def test_an_amount_that_is_no_number_is_told_once(
    client: httpx.AsyncClient, amount: Any
) -> None:
    problem = await refuse(client, {"amount": amount})
    assert [error["name"] for error in problem["errors"]] == ["items.0.amount"]
    assert "a number such as 85000" in problem["errors"][0]["message"]


async def test_bodies_of_the_wrong_form(client: httpx.AsyncClient) -> None:
    one = {"amount": 50_000}
    bodies: list[Any] = [{"items": []}, {"items": [one] * 1_001}, {"items": one}, {"rows": [one]}]
    for body in [*bodies, {}, []]:
        answer = await client.post(ADDRESS, json=body)
        assert answer.status_code == 422, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
    for content in (b"{", b'{"items": [{"amount": 1' + b"0" * 5_000 + b"}]}", b"\xff"):
        answer = await client.post(
            ADDRESS, content=content, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code in {400, 422}, answer.text
    for number in (b"NaN", b"Infinity", b"1e400"):
        answer = await client.post(
            ADDRESS,
            content=b'{"items": [{"amount": %b}]}' % number,
            headers={"Content-Type": "application/json"},
        )
        assert answer.status_code in {400, 422}, answer.text


@pytest.mark.usefixtures("records")
async def test_too_many_different_questions(client: httpx.AsyncClient) -> None:
    items = [{"amount": 50_000, "from": f"{1960 + i}"} for i in range(21)]
    problem = await refuse(client, *items)
    assert (problem["code"], problem["questions"]) == ("too_many_questions", 21)
    assert len((await rank(client, *items[:20]))["meta"]["questions"]) == 20


@pytest.mark.usefixtures("records")
async def test_at_most_fifty_errors_are_told(client: httpx.AsyncClient) -> None:
    problem = await refuse(client, *({"amount": 0} for _ in range(200)))
    assert len(problem["errors"]) == 50


@pytest.mark.usefixtures("records")
async def test_no_amount_is_logged_or_written_into_a_statement(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.WARNING, logger="httpx")  # the client of the test, not the service
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    engine = client._transport.app.state.services.database.engine.sync_engine  # type: ignore[attr-defined]
    event.listen(engine, "before_cursor_execute", note)
    try:
        with structlog.testing.capture_logs() as logged:
            await rank(client, {"amount": SECRET}, {"amount": SECRET, "level": "senior"})
            await client.get(ADDRESS, params={"amount": SECRET})
            await client.get(ADDRESS, params={"amount": SECRET, "pay_period": "hour"})
            await refuse(client, {"amount": SECRET, "pay_period": "hour"})
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert statements
    assert any(entry["event"] == "request" for entry in logged)
    printed = capfd.readouterr()
    for place in (str(statements), str(logged), caplog.text, printed.out, printed.err):
        assert str(SECRET) not in place


@pytest.mark.usefixtures("records")
async def test_ranks_as_csv(client: httpx.AsyncClient) -> None:
    body = {"items": [{"id": "=1+1", "amount": 120_000, "level": "senior"}]}
    answer = await client.post(ADDRESS, json=body, params={"format": "csv"})
    header, row = answer.text.splitlines()
    assert header.startswith("id,amount,currency,pay_period,rank,n,rank_low,rank_high,p50")
    assert row.startswith("'=1+1,120000.0,USD,year,0.5,3,")


async def test_nothing_is_stored(client: httpx.AsyncClient, database: Database) -> None:
    await add_records(database, salary())
    count = text("SELECT count(*) FROM salary_records")
    await rank(client, {"amount": 50_000})
    async with database.read() as session:
        assert await session.scalar(count) == 1
