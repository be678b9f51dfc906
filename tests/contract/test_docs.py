"""The documents say what the code does: paths, codes, fields, and a profile that loads."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.routing import iter_route_contexts

from app.access.scopes import GRANTABLE
from app.demand.measures import MEASURES as DEMAND_MEASURES
from app.ingest.fields import FIELDS
from app.ingest.profiles import parse_profile, shipped_names
from app.ingest.salary_rows import CURRENCY_CODES, VOCABULARIES
from app.main import create_app
from app.settings import Settings
from app.statistics.filters import LISTS
from app.statistics.grouping import DIMENSIONS
from app.statistics.measures import MEASURES, PERCENTILE

ROOT = Path(__file__).parents[2]
API = (ROOT / "docs" / "api.md").read_text()
IMPORTING = (ROOT / "docs" / "importing.md").read_text()
INGEST = sorted((ROOT / "app" / "ingest").rglob("*.py"))
CODE = re.compile(r"[a-z]+(_[a-z]+)+")


def section(text: str, title: str) -> str:
    return text.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def first_cells(text: str) -> set[str]:
    """All words in backticks in the first column of the tables of a text."""
    cells = (line.split("|")[1] for line in text.splitlines() if line.startswith("|"))
    return {word for cell in cells for word in re.findall(r"`([^`]+)`", cell)}


def calls(tree: ast.AST, *names: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = getattr(node.func, "id", None) or getattr(node.func, "attr", None)
            if called in names:
                yield node


def texts(node: ast.AST) -> set[str]:
    """The texts that an expression may be: of a conditional one, both."""
    parts = (node.body, node.orelse) if isinstance(node, ast.IfExp) else (node,)
    found = {part.value for part in parts if isinstance(part, ast.Constant)}
    return {text for text in found if isinstance(text, str) and CODE.fullmatch(text)}


def row_codes(tree: ast.AST) -> set[str]:
    """Codes of row errors in a module, wherever its functions give one."""
    found: set[str] = set()
    for call in calls(tree, "same", "reject"):
        found |= texts(call.args[0])
    for call in calls(tree, "RowError"):
        found |= texts(call.args[2])
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "code":
            found |= texts(node.value)
        # `return code, message` and `return field, code, message`.
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            *_, code, message = node.value.elts
            found |= texts(code) if not texts(message) else set()
    for call in calls(tree, "explain_word", "check_word"):
        names = (item.value for item in call.args[:3] if isinstance(item, ast.Constant))
        found |= {f"unknown_{name}" for name in names if isinstance(name, str)}
    return found


def request_codes(tree: ast.AST) -> set[str]:
    """Codes of refused bodies and requests: `code=` of what is raised, `problem_code = ` of it."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "code":
            found |= texts(node.value)
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "attr", "") == "problem_code":
            found |= texts(node.value)
    return found


@pytest.fixture(scope="module")
def modules() -> list[ast.AST]:
    return [ast.parse(path.read_text()) for path in INGEST]


def test_every_row_code_is_explained_and_every_explained_one_exists(modules: list[ast.AST]) -> None:
    in_code = set(CURRENCY_CODES.values()) | {f"unknown_{name}" for name in VOCABULARIES}
    for module in modules:
        in_code |= row_codes(module)
    assert first_cells(section(IMPORTING, "Why a row is rejected")) == in_code


def test_every_code_of_a_refused_body_is_explained(modules: list[ast.AST]) -> None:
    in_code = set().union(*(request_codes(module) for module in modules))
    explained = set(re.findall(r"`([a-z_]+)`", IMPORTING))
    assert len(in_code) > 20
    assert in_code <= explained
    elsewhere = {"too_large", "unsupported_type", "unsupported_coding"}
    assert first_cells(section(IMPORTING, "When the whole body is refused")) <= in_code | elsewhere


def test_every_field_is_documented() -> None:
    documented = first_cells(section(IMPORTING, "Fields"))
    mentioned = set(re.findall(r"`([a-z_0-9]+)`", section(IMPORTING, "Fields")))
    known = {field for fields in FIELDS.values() for field in fields}
    assert documented <= known <= mentioned


@pytest.mark.parametrize("text", [API, IMPORTING], ids=["api", "importing"])
def test_every_documented_path_exists(text: str) -> None:
    app = create_app(Settings(), "")
    patterns = [
        re.compile(re.sub(r"\{\w+\}", "[^/]+", str(context.path_format)))
        for context in iter_route_contexts(app.routes)
    ]
    paths = {path.rstrip("/.") for path in re.findall(r"/(?:v1|livez|readyz)[a-z0-9/-]*", text)}
    assert len(paths) > 5
    missing = {path for path in paths if not any(item.fullmatch(path) for item in patterns)}
    assert missing == set()


def test_every_parameter_value_of_the_api_is_documented() -> None:
    words = set(re.findall(r"`([a-z0-9_:]+)`", API))
    assert {name for name in MEASURES if not PERCENTILE.fullmatch(name)} <= words
    assert {*DEMAND_MEASURES, *DIMENSIONS, *LISTS, *GRANTABLE} <= words


def test_the_example_of_a_profile_loads() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", IMPORTING, re.DOTALL)
    profile = parse_profile(example, name="acme_jobs")
    assert profile.kinds == ("salary", "demand")
    assert profile.source is not None
    assert profile.source.code == "acme-jobs"


def test_the_shipped_profiles_are_named() -> None:
    assert set(re.findall(r"--profile ([a-z_]+) ", IMPORTING)) == set(shipped_names())


def test_links_between_documents_lead_somewhere() -> None:
    for text in (API, IMPORTING):
        for target in re.findall(r"\]\(([^)]+)\)", text):
            name, _, anchor = target.partition("#")
            linked = (ROOT / "docs" / name).read_text()
            titles = re.findall(r"^#+ (.+)$", linked, re.MULTILINE)
            assert not anchor or anchor in {title.lower().replace(" ", "-") for title in titles}
