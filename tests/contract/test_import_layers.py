"""Imports point one way: domain <- tables <- core <- capabilities <- the edge.

The rules hold for every import, those inside functions too; only the last one, about what the
idle service must not load, looks at what runs when a module is imported.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

DOMAIN, TABLES, CORE, CAPABILITY, EDGE = range(5)
LEVELS = {"domain": DOMAIN, "tables": TABLES, "core": CORE, "settings": CORE}
EDGE_MODULES = {"main", "cli", "serve", "setup"}

# The domain knows no clock, no files, no network, no chance, no other process.
IMPURE = {
    "asyncio",
    "logging",
    "os",
    "random",
    "shutil",
    "socket",
    "subprocess",
    "tempfile",
    "time",
}
# 20 to 170 MB each: loaded inside functions, when first needed.
HEAVY = {"numpy", "polars", "pycountry", "rapidfuzz", "vl_convert"}
# Modules that a capability keeps to itself.
PRIVATE = {"routes", "store"}


@dataclass(frozen=True)
class Import:
    """`target` as written in `module`; `at_start`: runs when the module is imported."""

    module: str
    target: str
    line: int
    at_start: bool

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


@cache
def modules() -> dict[str, Path]:
    found = {}
    for path in sorted((ROOT / "app").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports() -> tuple[Import, ...]:
    return tuple(
        Import(module, target, node.lineno, at_start)
        for module, path in modules().items()
        for node, at_start in _statements(ast.parse(path.read_text()), at_start=True)
        for target in _targets(node)
    )


def _statements(node: ast.AST, *, at_start: bool) -> Iterator[tuple[ast.stmt, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, at_start
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            yield from _statements(child, at_start=False)
        else:
            deferred = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _statements(child, at_start=at_start and not deferred)


def _targets(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.Import):
        return [name.name for name in node.names]
    assert isinstance(node, ast.ImportFrom)
    assert node.level == 0, "imports name the whole path"
    assert node.module is not None
    # `from app.core import errors` imports a module, `from app.core.errors import X` a name.
    return [
        whole if (whole := f"{node.module}.{name.name}") in modules() else node.module
        for name in node.names
    ]


def level(module: str) -> int:
    """What a module of `app` may import: its own level and those below."""
    if module == "app":
        return DOMAIN  # holds the version, which anything may show
    name = module.split(".")[1]
    return EDGE if name in EDGE_MODULES else LEVELS.get(name, CAPABILITY)


def internal() -> list[Import]:
    return [found for found in imports() if found.target.split(".")[0] == "app"]


def shown(found: list[Import]) -> str:
    return "\n".join(map(str, found))


def test_the_walk_sees_the_code() -> None:
    assert {level(name) for name in modules()} == {DOMAIN, TABLES, CORE, CAPABILITY, EDGE}
    assert any(found.at_start for found in imports())
    assert not all(found.at_start for found in imports())


def test_nothing_imports_upwards() -> None:
    wrong = [found for found in internal() if level(found.target) > level(found.module)]
    assert not wrong, shown(wrong)


def test_capabilities_keep_routes_and_store_to_themselves() -> None:
    wrong = [
        found
        for found in internal()
        if level(found.module) == CAPABILITY
        and PRIVATE & set(found.target.split(".")[2:])
        and found.target.split(".")[1] != found.module.split(".")[1]
    ]
    assert not wrong, shown(wrong)


def test_the_domain_is_pure() -> None:
    wrong = []
    for found in imports():
        top = found.target.split(".")[0]
        known = top == "app" or (top in sys.stdlib_module_names and top not in IMPURE)
        if level(found.module) == DOMAIN and not (known or (top in HEAVY and not found.at_start)):
            wrong.append(found)
    assert not wrong, shown(wrong)


@pytest.mark.parametrize("entry", ["app.cli", "app.main", "app.serve", "app.setup"])
def test_starting_loads_no_heavy_library(entry: str) -> None:
    trails = {entry: entry}
    waiting = [entry]
    wrong = []
    while waiting:
        module = waiting.pop()
        for found in imports():
            if found.module != module or not found.at_start:
                continue
            if found.target.split(".")[0] in HEAVY:
                wrong.append(f"{trails[module]} -> {found.target}")
            for name in _with_parents(found.target):
                if name in modules() and name not in trails:
                    trails[name] = f"{trails[module]} -> {name}"
                    waiting.append(name)
    assert not wrong, "\n".join(wrong)


def _with_parents(module: str) -> list[str]:
    """Importing a module imports the packages it is in."""
    parts = module.split(".")
    return [".".join(parts[: length + 1]) for length in range(len(parts))]
