"""The shape of an answer: what is grouped, measured, sorted and cut."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, Field

from app.core.errors import Refused
from app.statistics.basis import RELEASED, BasisParameters
from app.statistics.filters import split_codes
from app.statistics.grouping import DIMENSIONS, Grouping, parse_grouping
from app.statistics.measures import (
    Measure,
    get_measure,
    get_released_measure,
    parse_measures,
)
from app.statistics.number_parameters import WholeNumber

DEFAULT_LIMIT: Final = 1_000
MAX_LIMIT: Final = 10_000

MAX_GROUPS: Final = 100_000
"""Groups that an answer may have, shown or not: beyond it the question is refused."""


class TableParameters(BaseModel):
    """What every grouped answer takes beside filters and basis."""

    region_kind: str | None = Field(
        default=None,
        description="Lift regions to country, subdivision or metro; above it is `unspecified`.",
        examples=["country"],
    )
    sort: str | None = Field(
        default=None,
        description="Columns to sort by, `-` for descending; default: the grouping's order.",
        examples=["-p50", "region,-count"],
    )
    limit: WholeNumber = Field(
        default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="Most rows; more set `truncated`."
    )


class StatisticsParameters(BasisParameters, TableParameters):
    """Parameters of salary statistics."""

    group_by: str = Field(
        default="region,level",
        description=f"Up to 4 of {', '.join(DIMENSIONS)}; `none` for one row over everything.",
        examples=["role,level"],
    )
    measures: str | None = Field(
        default=None,
        description="Figures: count, mean, stddev, rse, quality, employers, p50_low, p50_high and "
        "percentiles from p1 to p99 such as p33.3 (at most 20).",
        examples=["count,p50"],
    )


@dataclass(frozen=True, slots=True)
class SortKey:
    """A column to sort by: a dimension, or a measure."""

    name: str
    descending: bool
    measure: Measure | None = None

    def __str__(self) -> str:
        return f"-{self.name}" if self.descending else self.name


@dataclass(frozen=True, slots=True)
class Shape:
    """What is grouped, measured, sorted and cut, checked."""

    grouping: Grouping
    measures: tuple[Measure, ...]
    sort: tuple[SortKey, ...] = ()
    limit: int = DEFAULT_LIMIT

    @property
    def computed(self) -> tuple[Measure, ...]:
        """The measures shown, and those that only order the rows."""
        hidden = [key.measure for key in self.sort if key.measure is not None]
        return tuple({m.name: m for m in (*self.measures, *hidden)}.values())

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the rows: those of the dimensions, then the measures."""
        return (*self.grouping.columns, *(measure.name for measure in self.measures))

    def echo(self) -> dict[str, Any]:
        """The shape as it is used, for `meta.query`."""
        return {
            "group_by": self.grouping.names,
            "region_kind": self.grouping.region_kind,
            "measures": [measure.name for measure in self.measures],
            "sort": [str(key) for key in self.sort] or self.grouping.names,
            "limit": self.limit,
        }


def parse_shape(parameters: StatisticsParameters) -> Shape:
    """The shape, checked; of a release, with its own defaults.

    Raises UnknownValue and Refused (422).
    """
    released = parameters.population == RELEASED
    grouping = parse_grouping(parameters.group_by, parameters.region_kind, released=released)
    return Shape(
        grouping=grouping,
        measures=parse_measures(parameters.measures, released=released),
        sort=parse_sort(
            parameters.sort, grouping, get_released_measure if released else get_measure
        ),
        limit=parameters.limit,
    )


def check_groups(groups: int) -> None:
    """Raise Refused (422) where an answer has more groups than it may, saying how to narrow it."""
    if groups > MAX_GROUPS:
        raise Refused(
            f"The answer would have {groups:,} groups; at most {MAX_GROUPS:,} are allowed. Group "
            "by fewer dimensions or coarser ones (quarter or year for month, region_kind=country "
            "for regions), or narrow it with role, region, level or a shorter window.",
            code="too_many_groups",
            parameter="group_by",
            groups=groups,
        )


def parse_sort(
    text: str | None, grouping: Grouping, measure: Callable[[str, str], Measure]
) -> tuple[SortKey, ...]:
    """The columns to sort by; `measure(name, parameter)` finds a measure or raises.

    Raises Refused (422) for a dimension that rows are not grouped by.
    """
    keys = []
    for part in split_codes("sort", text):
        name, descending = part.removeprefix("-"), part.startswith("-")
        if name not in DIMENSIONS:
            keys.append(SortKey(name, descending, measure(name, "sort")))
        elif name in grouping.names:
            keys.append(SortKey(name, descending))
        else:
            raise Refused(
                f"sort={name} needs {name} in group_by, which is {','.join(grouping.names)}.",
                code="invalid_sort",
                parameter="sort",
            )
    return tuple(keys)
