"""The sections of a guide: what each one holds, and how it is found."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from app.benchmarks.queries import COLUMNS as BENCHMARK_COLUMNS
from app.benchmarks.queries import KINDS as BENCHMARK_KINDS
from app.guide.ground import Ground, Table
from app.guide.openings import find_industries, find_top_skills
from app.guide.pay import (
    find_level_bands,
    find_overall,
    find_top_regions,
    find_work_modes,
    find_years,
)
from app.guide.shape import SECTIONS
from app.guide.titles import find_titles


@dataclass(frozen=True, slots=True)
class Section:
    """One table of a guide."""

    name: str
    title: str
    find: Callable[[Ground], Awaitable[Table]]


async def _find_benchmarks(ground: Ground) -> Table:
    """What was published about the role, and about its SOC code, as it was published."""
    found = ground.benchmarks
    rows = found[: ground.shape.limit]
    return Table(BENCHMARK_COLUMNS, BENCHMARK_KINDS, rows, len(found))


_REGISTERED: Final = (
    Section("overall", "The role's median, and from the lowest band to the highest.", find_overall),
    Section("bands", "Pay bands by level, beside the published ones.", find_level_bands),
    Section("regions", "The regions that pay most.", find_top_regions),
    Section("industries", "Demand by industry.", find_industries),
    Section("titles", "The most frequent job titles, with level and focus area.", find_titles),
    Section("skills", "The skills that are asked for most.", find_top_skills),
    Section("work_modes", "Pay by work mode.", find_work_modes),
    Section("trend", "Pay and demand by year.", find_years),
    Section("benchmarks", "Published figures, as they were published.", _find_benchmarks),
)
REGISTRY: Final[Mapping[str, Section]] = MappingProxyType(
    {section.name: section for section in _REGISTERED}
)
if tuple(REGISTRY) != SECTIONS:  # what clients may ask for is what there is
    raise AssertionError(SECTIONS)
