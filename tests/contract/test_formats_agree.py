"""The same question gives the same rows in every format, on every route that has formats.

Routes are those of the application. A route whose parameters are not enough by themselves needs an
entry in QUESTIONS; one without it fails here.
"""

import csv
import io
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

import httpx
import polars as pl
import pytest

from app.core.columnar import META_KEY
from app.core.formats import FORMATS, META_HEADER
from app.core.routing import RouteEntry, RouteTable
from app.guide.shape import SECTIONS
from app.main import create_app
from app.settings import Settings
from tests.support.builders import add_sources
from tests.support.releases import add_release, node

Json = dict[str, Any]

GUIDE: Final = "/v1/roles/{role}/guide"
QUESTIONS: Final[Mapping[str, list[dict[str, str]]]] = {
    "/v1/salaries/statistics": [
        {},
        {"group_by": "year,source,industry", "measures": "stddev,rse,employers,p33.3,quality"},
        {"group_by": "region,work_mode", "region_kind": "country", "currency": "EUR"},
    ],
    "/v1/salaries/trend": [{"interval": "year", "group_by": "level"}],
    "/v1/salaries/comparison": [{"dimension": "level", "a": "senior", "b": "entry,mid"}],
    "/v1/salaries/histogram": [{}, {"bins": "5"}],
    "/v1/salaries/rank": [{"amount": "100000"}],
    "/v1/demand/trend": [{"interval": "month"}],
    GUIDE: [{"section": name} for name in SECTIONS],
}
FEW: Final = {"limit": "40"}
EMPTY_WINDOW: Final = {"from": "2001", "to": "2001"}
# An apostrophe before what a spreadsheet would run.
_GUARDED: Final = tuple(f"'{start}" for start in "=+-@\t\r\n")
_OWN_TO_A_REQUEST: Final = frozenset({"query", "next"})


def table_routes() -> list[RouteEntry]:
    table: RouteTable = create_app(Settings(), "").state.routes
    return [e for e in table.entries if "GET" in e.methods and "format" in e.query]


def questions() -> list[tuple[str, dict[str, str], bool]]:
    """Address, parameters, and whether the answer can be asked to be empty by its window."""
    return [
        (entry.template.replace("{role}", "django-developer"), asked, "from" in entry.query)
        for entry in table_routes()
        for asked in QUESTIONS.get(entry.template, [FEW if "limit" in entry.query else {}])
    ]


@pytest.fixture
async def filled(admin: httpx.AsyncClient, database: Any) -> httpx.AsyncClient:
    """A client of a service that holds some of everything."""
    await add_sources(database, survey={}, board={"kind": "posted"})
    salaries = [_salary(number) for number in range(60)]
    demand = [_demand(number) for number in range(30)]
    for address, rows in (("salaries", salaries), ("demand", demand)):
        answer = await admin.post(f"/v1/{address}/records", json=rows)
        assert answer.status_code == 200, answer.text
        assert answer.json()["rejected"] == 0, answer.text
    await add_release(database, node())
    return admin


def _salary(number: int) -> Json:
    levels = ["Senior", "Junior", "Mid-level"]
    low = 60_000 + 997 * number
    row = {
        "source": "survey",
        "external_id": f"=cmd{number}" if number % 7 == 0 else str(number),
        "title": "Senior Beekeeper" if number < 3 else f"{levels[number % 3]} Django Developer",
        "region": ["US-CA", "US", "DE"][number % 3],
        "industry": ["fintech", ""][number % 2],
        "work_mode": ["remote", "onsite"][number % 2],
        "employer": f"Employer {number % 9}",
        "currency": ["USD", "EUR"][number % 2],
        "observed_on": ["2024-05-17", "2025-03", "2025", "2025-06-30"][number % 4],
        "url": "https://example.org/a" if number % 5 else None,
    }
    pay: Json = {"amount_min": low, "amount_max": low + 9_000.5} if number % 4 else {"amount": low}
    if number == 1:
        pay = {"amount_min": "70000.123456789"}
    return {name: value for name, value in (row | pay).items() if value not in (None, "")}


def _demand(number: int) -> Json:
    row: Json = {
        "source": "board",
        "external_id": str(number),
        "title": "Django Developer",
        "level": ["senior", "mid"][number % 2],
        "region": ["US-CA", "DE"][number % 2],
        "industry": ["fintech", "saas", "media"][number % 3],
        "measure": ["new", "open"][number % 2],
        "openings": 3 + number / (1 if number % 5 else 2),
        "skills": ["python", "=sql"][: number % 3],
        "observed_on": ["2025-03-01", "2025-04-01", "2024-12-01"][number % 3],
    }
    return row | ({"candidates": number} if number % 3 == 1 else {})


async def test_every_format_has_the_same_rows_and_types(filled: httpx.AsyncClient) -> None:
    for address, asked, has_window in questions():
        about = f"{address} {asked}"
        answers = {name: await _get(filled, address, asked, name) for name in FORMATS}
        document = json.loads(answers["json"])
        rows = document["data"]
        assert rows, f"{about}: nothing to compare"
        assert _ndjson(answers["ndjson"]) == rows, about
        frames = {
            "parquet": pl.read_parquet(io.BytesIO(answers["parquet"])),
            "arrow": pl.read_ipc_stream(answers["arrow"]),
        }
        schema = frames["parquet"].schema
        assert dict(frames["arrow"].schema) == dict(schema), about
        assert pl.Null not in schema.dtypes(), about
        expected = [{name: _typed(v, schema[name]) for name, v in row.items()} for row in rows]
        for name, frame in frames.items():
            assert frame.to_dicts() == expected, f"{about} as {name}"
        assert _csv(answers["csv"], schema) == [_without_empties(row) for row in expected], about
        for name in frames:
            assert _comparable(_file_meta(name, answers[name])) == _comparable(document["meta"])
        if has_window:
            await _check_empty(filled, address, asked, schema)


async def _check_empty(
    client: httpx.AsyncClient, address: str, asked: dict[str, str], schema: pl.Schema
) -> None:
    """Without records the columns and their types are the same."""
    asked = asked | EMPTY_WINDOW
    for name, read in (("parquet", _parquet), ("arrow", pl.read_ipc_stream)):
        empty = read(await _get(client, address, asked, name))
        assert dict(empty.schema) == dict(schema), f"{address} {asked} as {name}"
    header = (await _get(client, address, asked, "csv")).decode().splitlines()[0]
    assert header.split(",") == schema.names()


async def _get(client: httpx.AsyncClient, address: str, asked: dict[str, str], name: str) -> bytes:
    """The body in a format: text ones are asked for by `format`, binary ones by Accept."""
    chosen = FORMATS[name]
    if chosen.binary:
        answer = await client.get(address, params=asked, headers={"Accept": chosen.media_type})
    else:
        answer = await client.get(address, params=asked | {"format": name})
    assert answer.status_code == 200, f"{address} {asked} {answer.text}"
    assert answer.headers["content-type"].split(";")[0] == chosen.media_type
    assert answer.headers["vary"].split(", ")[0] == "Accept"
    assert ("content-disposition" in answer.headers) == (name != "json")
    if name != "json":
        assert f".{chosen.ending}" in answer.headers["content-disposition"]
    assert (META_HEADER in answer.headers) == (not chosen.meta_in_body)
    return answer.content


def _ndjson(body: bytes) -> list[Json]:
    return [json.loads(line) for line in body.splitlines()]


def _parquet(body: bytes) -> pl.DataFrame:
    return pl.read_parquet(io.BytesIO(body))


def _typed(value: Any, kind: Any) -> Any:
    """A value of JSON as the typed formats have it."""
    if value is None:
        return None
    if kind == pl.Float64:
        return float(value)
    if kind == pl.Date:
        return date.fromisoformat(value)
    if isinstance(kind, pl.Datetime):
        return datetime.fromisoformat(value).astimezone(UTC)
    if kind == pl.String and not isinstance(value, str):
        return json.dumps(value)
    return value


def _csv(body: bytes, schema: pl.Schema) -> list[Json]:
    rows = csv.DictReader(io.StringIO(body.decode(), newline=""))
    return [{name: _cell(text, schema[name]) for name, text in row.items()} for row in rows]


def _cell(text: str, kind: Any) -> Any:
    if text.startswith(_GUARDED):
        text = text[1:]
    if isinstance(kind, pl.List):
        return text.split(";") if text else None
    if text == "":
        return None
    if kind == pl.Boolean:
        return {"true": True, "false": False}[text]
    return int(text) if kind == pl.Int64 else _typed(text, kind)


def _without_empties(row: Json) -> Json:
    """An empty list or text is an empty cell in CSV."""
    return {name: None if value in ([], "") else value for name, value in row.items()}


def _file_meta(name: str, body: bytes) -> Json:
    if name == "parquet":
        found: Json = json.loads(pl.read_parquet_metadata(io.BytesIO(body))[META_KEY])
        return found
    text = body[body.index(META_KEY.encode()) :].decode(errors="replace")
    found, _ = json.JSONDecoder().raw_decode(text[text.index("{") :])
    return found


def _comparable(meta: Json) -> Json:
    return {name: value for name, value in meta.items() if name not in _OWN_TO_A_REQUEST}


def test_every_route_with_formats_is_asked() -> None:
    known = {entry.template for entry in table_routes()}
    assert set(QUESTIONS) <= known
    assert {"/v1/salaries/statistics", "/v1/levels", GUIDE} <= known
