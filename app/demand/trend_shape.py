"""Parameters of the demand trend, and what they ask for."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from pydantic import Field

from app.core.errors import Refused
from app.demand.measures import MEASURES, get_measure, parse_measures
from app.demand.shape import MeasureParameters
from app.domain.dates import Interval, parse_period
from app.domain.periods import MONTHS
from app.statistics.filters import check_words, split_codes
from app.statistics.grouping import DIMENSIONS, NO_GROUPING, Grouping, parse_grouping
from app.statistics.measures import Measure, Unit
from app.statistics.trend import CHANGES
from app.statistics.trend_shape import MAX_SERIES, MAX_SERIES_DIMENSIONS, SERIES_DIMENSIONS

DEFAULT_MEASURES: Final = ("openings_new", "openings_open", "tightness", "count")
FOLLOWED: Final = ("openings_open", "openings_new", "tightness")
"""What changes and the index can be of."""
INDEX: Final = Measure(
    "index",
    "Index",
    Unit.RATIO,
    "100 x change_of of this period / that of the base (`meta.index`); null where that is 0 or "
    "missing, and in `meta.cut_periods`.",
    "",
)
DERIVED: Final[Mapping[str, Measure]] = MappingProxyType({**CHANGES, INDEX.name: INDEX})
"""What a trend has beside the measures asked."""


class DemandTrendParameters(MeasureParameters):
    """Parameters of the demand trend."""

    interval: str = Field(default="month", description=f"{', '.join(MONTHS)}.")
    group_by: str = Field(
        default=NO_GROUPING,
        description=f"One series for each group: up to {MAX_SERIES_DIMENSIONS} of "
        f"{', '.join(SERIES_DIMENSIONS)}; `none` for one series over everything.",
        examples=["region"],
    )
    region_kind: str | None = Field(
        default=None,
        description="Lift regions to country, subdivision or metro; above it is `unspecified`.",
        examples=["country"],
    )
    measures: str | None = Field(
        default=None,
        description=f"Figures: {', '.join(MEASURES)}; all but share where left out.",
        examples=["openings_open"],
    )
    change_of: str | None = Field(
        default=None,
        description=f"What changes and the index are of: {', '.join(FOLLOWED)}; left out, open "
        "positions where there are any, else new openings.",
        examples=["openings_new"],
    )
    base: str | None = Field(
        default=None,
        description="The period that is 100 in `index`: a month, quarter or year (2021-01, "
        "2021-Q1, 2021) of the answer, not finer than the interval; of a coarser one, the mean. "
        "Default: the first whole period with openings.",
        examples=["2021"],
    )
    series: int = Field(
        default=100,
        ge=1,
        le=MAX_SERIES,
        description="Most series; of more, those with the most records are shown and `truncated` "
        "is set.",
    )


@dataclass(frozen=True, slots=True)
class DemandTrendShape:
    """The shape of a demand trend, checked. `grouping` is of the series, without the periods.

    `base` None is the first whole period with openings, `change_of` None what there is.
    """

    grouping: Grouping
    interval: str
    measures: tuple[Measure, ...]
    change_of: str | None = None
    base: Interval | None = None
    series: int = 100

    @property
    def periodic(self) -> Grouping:
        """Series and periods together."""
        periods = DIMENSIONS[self.interval]
        return Grouping((*self.grouping.dimensions, periods), self.grouping.region_kind)

    @property
    def computed(self) -> tuple[Measure, ...]:
        """The measures shown, and those that changes may be of."""
        needed = (*self.measures, *(MEASURES[name] for name in (*FOLLOWED, "count")))
        return tuple({measure.name: measure for measure in needed}.values())

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the rows, in order."""
        names = (measure.name for measure in self.measures)
        return (*self.periodic.columns, *names, *DERIVED, "status")

    def echo(self) -> dict[str, Any]:
        """The shape as it is used, for `meta.query`."""
        return {
            "interval": self.interval,
            "group_by": self.grouping.names,
            "region_kind": self.grouping.region_kind,
            "measures": [measure.name for measure in self.measures],
            "series": self.series,
        }


def parse_trend_shape(parameters: DemandTrendParameters) -> DemandTrendShape:
    """The shape, checked as far as that goes without the data.

    Raises UnknownValue and Refused (422).
    """
    check_words("interval", [parameters.interval], MONTHS)
    if parameters.change_of is not None:
        check_words("change_of", [parameters.change_of], FOLLOWED)
    measures = parse_measures(parameters.measures)
    if parameters.measures is None:
        measures = tuple(get_measure(name) for name in DEFAULT_MEASURES)
    return DemandTrendShape(
        grouping=parse_series(parameters.group_by, parameters.region_kind),
        interval=parameters.interval,
        measures=measures,
        change_of=parameters.change_of,
        base=_base(parameters.base, parameters.interval),
        series=parameters.series,
    )


def parse_series(group_by: str, region_kind: str | None) -> Grouping:
    """What series are grouped by: up to 3 dimensions, none of them a period.

    Raises UnknownValue and Refused (422).
    """
    grouping = parse_grouping(group_by, region_kind)
    periods = [item.name for item in grouping.dimensions if item.name in MONTHS]
    if periods or len(grouping.dimensions) > MAX_SERIES_DIMENSIONS:
        why = (
            f"the periods of a trend are its interval, not {periods[0]}"
            if periods
            else f"a trend takes up to {MAX_SERIES_DIMENSIONS} dimensions"
        )
        raise Refused(
            f"group_by is {','.join(grouping.names)}: {why}.",
            code="invalid_grouping",
            parameter="group_by",
        )
    return grouping


def _base(text: str | None, interval: str) -> Interval | None:
    if text is None:
        return None
    split_codes("base", text)  # an empty value is refused like any other
    try:
        base = parse_period(text.strip())
    except ValueError as error:
        raise Refused(f"base {error}.", code="invalid_base", parameter="base") from None
    if MONTHS.get(base.precision, 0) < MONTHS[interval]:
        raise Refused(
            f"base={text[:20]} is finer than interval={interval}; give a period of the interval or "
            "a coarser one.",
            code="invalid_base",
            parameter="base",
        )
    return base
