"""The OpenAPI document is complete, and the stored copy is the one that is served."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from pydantic import TypeAdapter

import app as package
from app.main import create_app
from app.settings import Settings

STORED = Path(__file__).parents[2] / "docs" / "openapi.json"


def document() -> dict[str, Any]:
    return create_app(Settings(), "").openapi()


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_operation_is_described() -> None:
    for name, operation in operations():
        assert operation.get("summary"), name
        assert len(operation.get("description", "")) > 20, name
        assert operation.get("tags"), name


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for _, operation in operations()]
    assert len(ids) == len(set(ids))


def test_tags_are_explained() -> None:
    explained = {tag["name"] for tag in document()["tags"]}
    used = {tag for _, operation in operations() for tag in operation["tags"]}
    assert used <= explained


def test_every_answer_has_an_example() -> None:
    for name, operation in operations():
        for status, response in operation["responses"].items():
            content = response.get("content", {})
            shown = [media for media in content.values() if {"example", "examples"} & set(media)]
            assert shown or status in {"204", "304"}, f"{name} {status}"


def test_every_error_is_a_problem_document() -> None:
    for name, operation in operations():
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                (media_type,) = response["content"]
                example = response["content"][media_type].get("example", {})
                assert media_type == "application/problem+json", f"{name} {status}"
                assert example["status"] == int(status), f"{name} {status}"
                assert {"type", "title", "detail", "code", "request_id"} <= set(example)


def test_every_parameter_is_described() -> None:
    for name, operation in operations():
        for parameter in operation.get("parameters", ()):
            assert parameter.get("description"), f"{name}: {parameter['name']}"


def test_what_needs_a_key_says_so() -> None:
    for name, operation in operations():
        if "x-scope" in operation:
            assert {"bearer": []} in operation["security"], name
        if operation.get("x-scope") not in {None, "stats:read"}:
            assert {} not in operation["security"], name
            assert {"401", "403"} <= set(operation["responses"]), name


def test_what_follows_from_the_parameters_and_the_body_is_documented() -> None:
    """406 where a format can be asked for; 400, 413 and 415 where a body is read."""
    application = create_app(Settings(), "")
    with_format, with_body = [], []
    for entry in application.state.routes.entries:
        for method in entry.methods if entry.documented else ():
            name = f"{method} {entry.template}"
            operation = application.openapi()["paths"][entry.template][method.lower()]
            documented = set(operation["responses"])
            assert ("406" in documented) == ("format" in entry.query), name
            takes_body = method in {"POST", "PUT", "PATCH"}
            assert ("requestBody" in operation) == takes_body, name
            # POST /v1/imports takes files of any length.
            needed = {"400", "415"} | ({"413"} if name != "POST /v1/imports" else set())
            assert (documented & {"400", "413", "415"}) == (needed if takes_body else set()), name
            with_format += [name] * ("format" in entry.query)
            with_body += [name] * takes_body
    assert {"GET /v1/salaries/statistics", "GET /v1/levels"} <= set(with_format)
    assert {"POST /v1/titles", "PUT /v1/roles/{code}", "POST /v1/profiles"} <= set(with_body)


def test_every_body_has_an_example_that_its_route_takes() -> None:
    application = create_app(Settings(), "")
    schemas = application.openapi()["components"]["schemas"]
    for entry in application.state.routes.entries:
        for method in entry.methods & {"POST", "PUT"} if entry.documented else ():
            operation = application.openapi()["paths"][entry.template][method.lower()]
            shown = operation["requestBody"]["content"]["application/json"]
            if not entry.takes_json:
                assert shown["example"], entry.template
                continue
            schema = schemas[shown["schema"]["$ref"].rpartition("/")[2]]
            assert schema["examples"], entry.template
            taken = TypeAdapter(entry.route.body_field.field_info.annotation)
            for example in schema["examples"]:
                taken.validate_python(example)


def test_only_routes_that_take_rows_name_the_other_ways() -> None:
    for name, operation in operations():
        if (response := operation["responses"].get("413")) is not None:
            detail = response["content"]["application/problem+json"]["example"]["detail"]
            takes_rows = name.endswith(("/records", "/benchmarks"))
            assert ("/v1/imports" in detail) == takes_rows, name


def test_references_lead_somewhere() -> None:
    text = json.dumps(document())
    schemas = document()["components"]["schemas"]
    for part in text.split('"#/components/schemas/')[1:]:
        assert part.split('"')[0] in schemas


async def test_the_stored_document_is_the_served_one(client: httpx.AsyncClient) -> None:
    served = (await client.get("/openapi.json")).json()
    assert served == document()
    assert json.loads(STORED.read_text()) == served, (
        "the routes changed: `payband openapi > docs/openapi.json`, and look at the difference"
    )


def test_the_version_is_the_package_s() -> None:
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert f'version = "{package.__version__}"' in project
    assert document()["info"]["version"] == package.__version__
