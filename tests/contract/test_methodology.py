"""docs/methodology.md explains every figure that is shown, and none that is not."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.demand.measures import MEASURES as DEMAND_MEASURES
from app.main import create_app
from app.settings import Settings
from app.statistics.grouping import DIMENSIONS
from app.statistics.measures import MEASURES, Measure

DOCUMENT = Path(__file__).parents[2] / "docs" / "methodology.md"
TEXT = DOCUMENT.read_text()

LABELS = {
    *(column for dimension in DIMENSIONS.values() for column in dimension.columns),
    *("status", "dimension", "a", "a_name", "b", "b_name", "skill"),
    *("id", "amount", "currency", "pay_period", "question"),
}
"""Columns that say what a row is about; what is asked in `rank` stands beside its answer."""


class Section(NamedTuple):
    """Of `### `name`, ...` under `## chapter`: the names and what stands below."""

    chapter: str
    names: list[str]
    body: str


def sections() -> Iterator[Section]:
    for chapter in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]:
        title, _, rest = chapter.partition("\n")
        for part in re.split(r"^### ", rest, flags=re.MULTILINE)[1:]:
            heading, _, body = part.partition("\n")
            yield Section(title, re.findall(r"`([^`]+)`", heading), body.strip())


def explained(chapter: str | None = None) -> list[str]:
    return [
        name
        for section in sections()
        if chapter in {None, section.chapter}
        for name in section.names
    ]


def figures_shown() -> set[str]:
    """The columns in the examples of every route whose rows have a `status`, but labels.

    `a_p50` and `b_p50` are the p50 of a and b.
    """
    found: set[str] = set()
    for methods in create_app(Settings(), "").openapi()["paths"].values():
        for operation in methods.values():
            for row in example_rows(operation):
                if "status" in row:
                    found |= row.keys() - LABELS
    return {column.removeprefix("a_").removeprefix("b_") for column in found}


def example_rows(operation: dict[str, Any]) -> list[dict[str, Any]]:
    if operation.get("x-scope") != "stats:read":
        return []
    content = operation["responses"].get("200", {}).get("content", {})
    document = content.get("application/json", {}).get("example")
    rows = document.get("data") if isinstance(document, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def test_every_measure_of_pay_has_its_section() -> None:
    named = explained("Figures of pay")
    assert sorted(named) == sorted(MEASURES)


def test_every_measure_of_demand_has_its_section() -> None:
    assert set(DEMAND_MEASURES) <= set(explained("Demand"))


@pytest.mark.parametrize("chapter", ["Figures of pay"])
def test_sections_say_what_the_registry_says(chapter: str) -> None:
    for section in sections():
        if section.chapter == chapter:
            measures = [MEASURES[name] for name in section.names]
            assert section.body.splitlines()[0] == summary(measures), section.names


def summary(measures: list[Measure]) -> str:
    """The line under the heading: titles, unit, and whether releases carry it."""
    ((unit, released),) = {(measure.unit, measure.released) for measure in measures}
    titles = ", ".join(measure.title for measure in measures)
    return f"*{titles}; {unit}; {'in releases' if released else 'not in releases'}.*"


def test_every_figure_that_a_route_shows_is_explained_and_no_other() -> None:
    shown = figures_shown()
    assert {"rank", "compa_ratio", "band_low", "difference", "growth_adjusted"} <= shown
    assert set(explained()) == shown | set(MEASURES) | set(DEMAND_MEASURES)


def test_no_section_is_empty() -> None:
    for section in sections():
        words = re.sub(r"^\*.*\*$", "", section.body, flags=re.MULTILINE).split()
        assert len(words) >= 5, section


def test_links_lead_somewhere() -> None:
    titles = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        name, _, anchor = target.partition("#")
        if not name.startswith("https://"):
            assert not name or (DOCUMENT.parent / name).exists(), target
            assert not anchor or anchor in {title.lower().replace(" ", "-") for title in titles}
