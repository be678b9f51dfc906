"""The shape of an answer: what is grouped, measured, converted, sorted and cut."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import Field

from app.core.errors import Refused, UnknownValue
from app.domain.currencies import judge_currency
from app.domain.money import PERIODS_PER_YEAR
from app.statistics.filters import FilterParameters, Filters, check_words, split_codes
from app.statistics.grouping import DIMENSIONS, Grouping, parse_grouping
from app.statistics.measures import Measure, get_measure, parse_measures

BOUNDS: Final = ("mid", "low", "high")
TRUTHS: Final = {"true": True, "false": False}
POPULATIONS: Final = ("live", "released")
DEFAULT_LIMIT: Final = 1_000
MAX_LIMIT: Final = 10_000


class TableParameters(FilterParameters):
    """What every grouped answer takes beside the filters."""

    region_kind: str | None = Field(
        default=None,
        description="Lift regions to country, subdivision or metro; above it is `unspecified`.",
        examples=["country"],
    )
    population: str = Field(default="live", description="`live`: all public records.")
    sort: str | None = Field(
        default=None,
        description="Columns to sort by, `-` for descending; default: the grouping's order.",
        examples=["-p50", "region,-count"],
    )
    limit: int = Field(
        default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="Most rows; more set `truncated`."
    )
    format: str | None = Field(
        default=None, description="json, csv or ndjson; left out, the Accept header decides."
    )


class StatisticsParameters(TableParameters):
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
    bound: str = Field(default="mid", description="Of a range: mid, low or high.")
    currency: str | None = Field(
        default=None,
        description="Currency of the figures; default: the base currency. With the same paid_in, "
        "amounts stay as they were paid.",
        examples=["EUR"],
    )
    pay_period: str = Field(default="year", description=f"{', '.join(PERIODS_PER_YEAR)}.")
    exact: str = Field(default="false", description="`true`: exact figures only (they all are).")


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
    """The shape of salary statistics, checked. `currency` None is the base currency."""

    grouping: Grouping
    measures: tuple[Measure, ...]
    bound: str
    currency: str | None
    pay_period: str
    exact: bool
    sort: tuple[SortKey, ...]
    limit: int

    @property
    def computed(self) -> tuple[Measure, ...]:
        """The measures shown, and those that only order the rows."""
        hidden = [key.measure for key in self.sort if key.measure is not None]
        return tuple({m.name: m for m in (*self.measures, *hidden)}.values())

    def is_native(self, filters: Filters, base: str) -> bool:
        """Whether figures are of amounts as they were paid: `paid_in=X&currency=X`."""
        currency = self.currency
        return currency is not None and currency != base and filters.paid_in == (currency,)

    def echo(self) -> dict[str, Any]:
        """The shape as it is used, for `meta.query`."""
        return {
            "group_by": self.grouping.names,
            "region_kind": self.grouping.region_kind,
            "measures": [measure.name for measure in self.measures],
            "bound": self.bound,
            "exact": self.exact,
            "sort": [str(key) for key in self.sort] or self.grouping.names,
            "limit": self.limit,
        }


def parse_shape(parameters: StatisticsParameters) -> Shape:
    """The shape, checked. Raises UnknownValue and Refused (422)."""
    grouping = parse_grouping(parameters.group_by, parameters.region_kind)
    check_words("bound", [parameters.bound], BOUNDS)
    check_words("pay_period", [parameters.pay_period], PERIODS_PER_YEAR)
    check_words("exact", [parameters.exact], TRUTHS)
    check_population(parameters.population)
    return Shape(
        grouping=grouping,
        measures=parse_measures(parameters.measures),
        bound=parameters.bound,
        currency=_currency(parameters.currency),
        pay_period=parameters.pay_period,
        exact=TRUTHS[parameters.exact],
        sort=parse_sort(parameters.sort, grouping, get_measure),
        limit=parameters.limit,
    )


def check_population(population: str) -> None:
    """Raise Refused for `released`, UnknownValue for what is neither that nor `live` (422)."""
    check_words("population", [population], POPULATIONS)
    if population != "live":
        raise Refused(
            "There are no releases of confidential data yet; leave population out.",
            code="no_releases",
            parameter="population",
        )


def _currency(text: str | None) -> str | None:
    if text is None:
        return None
    verdict = judge_currency(text)
    if not verdict.known:
        raise UnknownValue(
            f"currency: {verdict.message}.",
            code="unknown_currency",
            parameter="currency",
            nearest=list(verdict.nearest),
        )
    return verdict.code


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
