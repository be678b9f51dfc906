"""Nothing of a confidential source comes out: not by any route, format, header or log.

The routes are those of the application, so that a new one is asked as well. Everything is asked
before and after recognisable confidential records arrive, and must be the same to the byte; after
a release was made of them, none of what marks them may be seen anywhere.
"""

import re
from collections.abc import Collection, Iterator
from typing import Any, Final

import httpx
import pytest
from fastapi import FastAPI

from app.core.database import Database
from app.core.formats import FORMATS
from app.core.routing import RouteEntry, RouteTable
from tests.conftest import HeadersFor, connect
from tests.releases.conftest import MakeRelease, make  # noqa: F401 - a fixture
from tests.support.builders import add_sources

SOURCE: Final = "zephyr-club"
TITLE: Final = "Quetzal Wrangler"
AMOUNTS: Final = tuple(123_457 + 3_331 * place for place in range(40))
MARKS: Final = ("quetzal", "zz-ext-", "Zanzibar Widgets", "zephyr.example")
MARK: Final = re.compile(
    "|".join([*MARKS, *(rf"(?<![\w.]){amount}(?![\w])" for amount in AMOUNTS)]), re.IGNORECASE
)
VOLATILE: Final = {"x-request-id", "date", "server-timing", "age"}
NOT_ADMIN: Final = ("stats:read", "records:read", "records:write", "taxonomy:write")
PATH_PARTS: Final = {
    "role": ["django-developer"],
    "name": ["app.js"],
    "import_id": ["{import_id}"],
    "levels/code": ["senior"],
    "roles/code": ["django-developer"],
    "industries/code": ["fintech"],
    "regions/code": ["US"],
    "sources/code": ["survey", SOURCE],
}


def rows() -> list[dict[str, Any]]:
    return [
        {
            "source": SOURCE,
            "external_id": f"zz-ext-{place}",
            "title": TITLE if place % 2 else "Senior Django Developer",
            "role": "django-developer",
            "level": "senior",
            "region": "US",
            "employer": f"Zanzibar Widgets {place}",
            "amount": amount,
            "currency": "USD",
            "observed_on": f"2026-0{place % 6 + 1}",
            "url": f"https://zephyr.example/{place}",
        }
        for place, amount in enumerate(AMOUNTS)
    ]


@pytest.fixture
def listening() -> bool:
    """The application hears of writes: events are asked as well."""
    return True


@pytest.fixture(autouse=True)
async def public(database: Database, admin: httpx.AsyncClient) -> None:
    """Public records beside which the confidential ones would stand."""
    survey = {"name": "Survey", "url": "https://survey.example"}
    await add_sources(database, **{SOURCE: {"confidential": True}, "survey": survey})
    common = {"source": "survey", "role": "django-developer", "level": "senior", "region": "US"}
    months = [f"2026-0{place % 6 + 1}" for place in range(12)]
    pay = {"amount": 90_000, "currency": "USD"}
    openings = {"measure": "new", "openings": 7}
    for kind, fields in (("salaries", pay), ("demand", openings)):
        public = [{**common, **fields, "observed_on": month} for month in months]
        answer = await admin.post(f"/v1/{kind}/records", json=public)
        assert answer.status_code == 200, answer.text


def paths_of(template: str, import_id: int) -> Iterator[str]:
    """The template with every value of its part. KeyError: say above what to put there."""
    part = re.search(r"(\w+)/\{(\w+)\}", template)
    if part is None:
        yield template
        return
    named = part[2] if part[2] in PATH_PARTS else f"{part[1]}/{part[2]}"
    for value in PATH_PARTS[named]:
        filled = template.replace(f"{{{part[2]}}}", value)
        yield filled.replace("{import_id}", str(import_id))


def examples_of(application: FastAPI, entry: RouteEntry) -> dict[str, str]:
    """An example of each query parameter that has one."""
    operation = application.openapi()["paths"].get(entry.template, {}).get("get", {})
    found = {}
    for parameter in operation.get("parameters", ()):
        schema = parameter.get("schema", {})
        shown = [*parameter.get("examples", ()), *schema.get("examples", ())]
        shown += [parameter["example"]] if "example" in parameter else []
        if shown and parameter["in"] == "query":
            found[parameter["name"]] = str(shown[0])
    return found


def required_of(application: FastAPI, entry: RouteEntry) -> dict[str, str]:
    operation = application.openapi()["paths"].get(entry.template, {}).get("get", {})
    named = {p["name"] for p in operation.get("parameters", ()) if p.get("required")}
    known = examples_of(application, entry)
    # A required parameter without an example is left out: then the refusal is what is looked at.
    return {name: known[name] for name in named if name in known}


def plain_questions(
    application: FastAPI, import_id: int = 1, formats: Collection[str] = tuple(FORMATS)
) -> Iterator[tuple[str, dict[str, str]]]:
    """Every GET route as it is, and in every format."""
    table: RouteTable = application.state.routes
    for entry in table.entries:
        if "GET" not in entry.methods:
            continue
        needed = required_of(application, entry)
        for path in paths_of(entry.template, import_id):
            yield path, needed
            for name in formats if "format" in entry.query else ():
                yield path, {**needed, "format": name}


def further_questions(application: FastAPI) -> Iterator[tuple[str, dict[str, str]]]:
    """Every GET route with each example of its parameters, naming the source, and released."""
    table: RouteTable = application.state.routes
    for entry in table.entries:
        if "GET" not in entry.methods or not entry.query:
            continue
        needed = required_of(application, entry)
        path = next(paths_of(entry.template, 1))
        for name, value in examples_of(application, entry).items():
            yield path, {**needed, name: value}
        if "source" in entry.query:
            yield path, {**needed, "source": SOURCE}
        if "population" in entry.query:
            released = {**needed, "population": "released"}
            yield path, released
            yield path, {**released, "source": SOURCE}


def seen(answer: httpx.Response) -> tuple[int, bytes, tuple[tuple[str, str], ...]]:
    headers = sorted((k, v) for k, v in answer.headers.items() if k.lower() not in VOLATILE)
    body = re.sub(rb'"request_id": ?"[^"]*"', b"", answer.content)
    return answer.status_code, body, tuple(headers)


def assert_unmarked(answer: httpx.Response) -> None:
    text = f"{answer.headers} {answer.content.decode('utf-8', errors='replace')}"
    found = MARK.search(text)
    assert found is None, f"{answer.request.url} shows {found[0]!r}"


async def import_marked(admin: httpx.AsyncClient) -> int:
    answer = await admin.post("/v1/salaries/records", json=rows())
    assert answer.status_code == 200, answer.text
    assert answer.json()["inserted"] == len(AMOUNTS)
    return int(answer.json()["import"])


async def test_no_answer_changes_and_nothing_is_seen(
    application: FastAPI,
    admin: httpx.AsyncClient,
    headers_for: HeadersFor,
    make: MakeRelease,  # noqa: F811 - the fixture
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with connect(application, await headers_for(*NOT_ADMIN)) as reader:
        before = {}
        for path, query in plain_questions(application):
            before[path, *query.items()] = seen(await reader.get(path, params=query))
        assert sum(status == 200 for status, _, _ in before.values()) > 40

        import_id = await import_marked(admin)
        for path, query in plain_questions(application):
            answer = await reader.get(path, params=query)
            assert_unmarked(answer)
            # It counts all requests, these too: what it may not hold are the marks.
            if path != "/metrics":
                assert seen(answer) == before[path, *query.items()], answer.request.url
        assert (await reader.get(f"/v1/imports/{import_id}")).status_code == 404

        await make()
        asked = [*plain_questions(application, import_id, ()), *further_questions(application)]
        for path, query in asked:
            answer = await reader.get(path, params=query)
            assert answer.status_code < 500, answer.request.url
            assert_unmarked(answer)
        released = {"population": "released", "group_by": "none"}
        answer = await reader.get("/v1/salaries/statistics", params=released)
        assert answer.json()["data"][0]["count"] == 40, "they are there, and only so"

    written = capsys.readouterr()
    assert MARK.search(written.out + written.err) is None


async def test_what_an_administrator_sees_would_be_found(admin: httpx.AsyncClient) -> None:
    """The marks do come out where they may: so looking for them is no empty gesture."""
    await import_marked(admin)
    sources = await admin.get(f"/v1/sources/{SOURCE}")
    assert sources.json()["data"][0]["salary_records"] == len(AMOUNTS)
    for text in ('"p50":123457,', "123457.0;", "zz-ext-3", "a quetzal wrangler"):
        assert MARK.search(text)
    assert not MARK.search("9123457, 0.123457, 1234570")


async def test_writes_tell_those_who_may_not_know_nothing(
    application: FastAPI, admin: httpx.AsyncClient, headers_for: HeadersFor
) -> None:
    """Every other route, with the examples of its document and without the scope admin."""
    await import_marked(admin)
    table: RouteTable = application.state.routes
    document = application.openapi()["paths"]
    async with connect(application, await headers_for(*NOT_ADMIN)) as writer:
        for entry in table.entries:
            for method in sorted(entry.methods - {"GET", "HEAD"}):
                operation = document[entry.template][method.lower()]
                content = operation.get("requestBody", {}).get("content", {})
                shown = content.get("application/json", {})
                body = shown.get("example")
                if body is None and "$ref" in shown.get("schema", {}):
                    name = shown["schema"]["$ref"].rpartition("/")[2]
                    body = application.openapi()["components"]["schemas"][name]["examples"][0]
                path = re.sub(r"\{\w+\}", "987654", entry.template)
                answer = await writer.request(method, path, json=body)
                assert answer.status_code < 500, (method, path, answer.text)
                assert_unmarked(answer)


async def test_confidential_doors_are_closed(admin: httpx.AsyncClient) -> None:
    """create_roles, demand records and benchmarks are refused for a confidential source."""
    row = rows()[0]
    made = await admin.post("/v1/salaries/records?create_roles=true", json=[row])
    assert made.status_code == 422, made.text
    opening: dict[str, Any] = {"source": SOURCE, "region": "US", "measure": "new", "openings": 3}
    opening |= {"observed_on": "2026-05", "role": "django-developer"}
    assert (await admin.post("/v1/demand/records", json=[opening])).status_code == 422
    figure: dict[str, Any] = {
        "source": SOURCE,
        "role": "django-developer",
        "region": "US",
        "period": "2026",
    }
    figure |= {"currency": "USD", "p50": 123_457}
    assert (await admin.post("/v1/benchmarks", json=[figure])).status_code == 422
