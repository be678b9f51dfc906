"""The shape of an answer: what is grouped, measured, sorted and cut."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, Field

from app.core.errors import Refused
from app.statistics.basis import BasisParameters
from app.statistics.filters import split_codes
from app.statistics.grouping import DIMENSIONS, Grouping, parse_grouping
from app.statistics.measures import Measure, get_measure, parse_measures

DEFAULT_LIMIT: Final = 1_000
MAX_LIMIT: Final = 10_000


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
    limit: int = Field(
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
    """The shape, checked. Raises UnknownValue and Refused (422)."""
    grouping = parse_grouping(parameters.group_by, parameters.region_kind)
    return Shape(
        grouping=grouping,
        measures=parse_measures(parameters.measures),
        sort=parse_sort(parameters.sort, grouping, get_measure),
        limit=parameters.limit,
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
