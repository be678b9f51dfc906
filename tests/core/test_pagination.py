"""Cursors: what they hide, how long they hold, and what those a client made itself do."""

from base64 import urlsafe_b64decode

import httpx
import pytest
from sqlalchemy import text

from app.core.cursors import KEY_NAME, Cursors, Position
from app.core.database import Database
from app.core.errors import Refused
from app.core.installation import find_secret
from app.settings import Settings
from app.setup import prepare

HUGE = 2**63 - 1
PATH = "/v1/salaries/records"


@pytest.mark.parametrize(
    ("path", "position"),
    [
        (PATH, (HUGE, HUGE)),
        ("/v1/demand/records", (-HUGE, 0)),
        ("/v1/benchmarks", (HUGE,) * 7),
        ("/v1/titles/unmatched", (HUGE, HUGE)),
        ("/v1/levels", (HUGE, "x")),
        ("/v1/regions", ("\U0001f41d",)),
    ],
)
async def test_any_position_of_the_right_form_is_answered(
    admin: httpx.AsyncClient, database: Database, path: str, position: Position
) -> None:
    cursor = await Cursors(database).seal(position, f"{path}?")
    response = await admin.get(path, params={"cursor": cursor})
    assert response.status_code == 200, response.text


@pytest.mark.parametrize(
    "position", [(), (1,), (1, 2, 3), ("1", "2"), (2**63, 1), (True, 1), (1.5, 1), (None, 1)]
)
async def test_any_other_position_is_refused(
    admin: httpx.AsyncClient, database: Database, position: Position
) -> None:
    cursor = await Cursors(database).seal(position, f"{PATH}?")
    response = await admin.get(PATH, params={"cursor": cursor})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_cursor")


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
async def test_text_that_cannot_be_stored_is_refused(
    admin: httpx.AsyncClient, database: Database, text: str
) -> None:
    cursor = await Cursors(database).seal((text,), "/v1/regions?")
    response = await admin.get("/v1/regions", params={"cursor": cursor})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_cursor")


async def test_a_cursor_shows_neither_the_position_nor_its_length(database: Database) -> None:
    cursors = Cursors(database)
    small, large = [await cursors.seal((4, number), f"{PATH}?") for number in (7, 7_654_321)]
    raw = urlsafe_b64decode(large + "=" * (-len(large) % 4))
    assert b"7654321" not in raw
    assert len(small) == len(large)
    # Positions that differ in little have nothing in common once sealed.
    neighbour = await cursors.seal((4, 7_654_322), f"{PATH}?")
    assert sum(a == b for a, b in zip(large, neighbour, strict=True)) < len(large) / 3


async def test_a_cursor_holds_in_other_processes(database: Database) -> None:
    cursor = await Cursors(database).seal((4, 7), f"{PATH}?")
    assert await Cursors(database).open(cursor, f"{PATH}?", (int, int)) == (4, 7)


async def test_a_long_position_comes_back(database: Database) -> None:
    position = ("x" * 300, 1)
    cursor = await Cursors(database).seal(position, "/q?")
    assert await Cursors(database).open(cursor, "/q?", (str, int)) == position


async def test_any_changed_bit_and_any_other_question_is_refused(database: Database) -> None:
    cursors = Cursors(database)
    cursor = await cursors.seal((4, 7), f"{PATH}?")
    for place in range(len(cursor) - 1):
        other = "A" if cursor[place] != "A" else "B"
        with pytest.raises(Refused):
            await cursors.open(cursor[:place] + other + cursor[place + 1 :], f"{PATH}?", (int, int))
    with pytest.raises(Refused):
        await cursors.open(cursor, f"{PATH}?role=django-developer", (int, int))


async def test_another_secret_does_not_open_it(database: Database) -> None:
    """What a client could compute without the secret of this installation is no cursor."""
    cursor = await Cursors(database).seal((4, 7), f"{PATH}?")
    async with database.write() as session:
        await session.execute(text("DELETE FROM secrets WHERE name = 'cursor'"))
    fresh = Cursors(database)
    with pytest.raises(Refused):
        await fresh.open(cursor, f"{PATH}?", (int, int))
    # An old database without the secret got one: the next cursor holds.
    again = await fresh.seal((4, 7), f"{PATH}?")
    assert await Cursors(database).open(again, f"{PATH}?", (int, int)) == (4, 7)


async def test_preparing_a_database_makes_the_secret_once(
    settings: Settings, database: Database, database_url: str
) -> None:
    async with database.write() as session:
        await session.execute(text("DELETE FROM secrets WHERE name = 'cursor'"))
    found = []
    for _ in range(2):
        await prepare(settings, database_url, demo=False, admin_key=False)
        async with database.read() as session:
            found.append(await find_secret(session, KEY_NAME))
    assert found[0] is not None
    assert found[0] == found[1]


async def test_the_link_of_a_page_shows_no_position(client: httpx.AsyncClient) -> None:
    page = (await client.get("/v1/levels?limit=2")).json()
    cursor = httpx.URL(page["meta"]["next"]).params["cursor"]
    raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    assert page["data"][-1]["code"].encode() not in raw
