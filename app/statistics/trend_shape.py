"""What a trend asks for: interval, series, figures, and the one that changes are of."""

from dataclasses import dataclass
from typing import Any, Final

from pydantic import Field

from app.core.errors import Refused
from app.domain.periods import MONTHS
from app.statistics.basis import RELEASED, BasisParameters
from app.statistics.filters import check_words, split_codes
from app.statistics.grouping import (
    DIMENSIONS,
    NO_GROUPING,
    REGION_KINDS,
    RELEASED_DIMENSIONS,
    Grouping,
    parse_grouping,
)
from app.statistics.measures import (
    MEASURES,
    Measure,
    Unit,
    get_measure,
    get_released_measure,
    parse_measures,
)
from app.statistics.number_parameters import WholeNumber
from app.statistics.shape import Shape

MAX_SERIES_DIMENSIONS: Final = 3
MAX_SERIES: Final = 1_000
MAX_PERIODS: Final = 600
MAX_ROWS: Final = 10_000
SERIES_DIMENSIONS: Final = tuple(name for name in DIMENSIONS if name not in MONTHS)


class TrendParameters(BasisParameters):
    """Parameters of a trend of pay."""

    interval: str | None = Field(
        default=None,
        description="month, quarter or year. Left out: month where at least half of the records "
        "are dated to the month or day, else year; quarter for released figures.",
        examples=["quarter"],
    )
    group_by: str = Field(
        default=NO_GROUPING,
        description=f"One series for each group: up to {MAX_SERIES_DIMENSIONS} of "
        f"{', '.join(SERIES_DIMENSIONS)}; `none` for one series over everything.",
        examples=["level"],
    )
    region_kind: str | None = Field(
        default=None,
        description=f"Lift regions to {', '.join(REGION_KINDS)}; above it is `unspecified`.",
        examples=["country"],
    )
    measures: str | None = Field(
        default=None,
        description="Figures, as in the salary statistics.",
        examples=["count,p50"],
    )
    change_of: str = Field(
        default="p50",
        description="The measure that change_previous and change_year are of.",
        examples=["mean"],
    )
    series: WholeNumber = Field(
        default=100,
        ge=1,
        le=MAX_SERIES,
        description="Most series; of more, those with the most records are shown and `truncated` "
        "is set.",
    )


@dataclass(frozen=True, slots=True)
class TrendShape:
    """The shape of a trend, checked. `interval` None: what the dates of the records allow.

    `grouping` makes the series; it holds no period.
    """

    interval: str | None
    grouping: Grouping
    measures: tuple[Measure, ...]
    change_of: Measure
    series: int

    def of_periods(self, interval: str) -> Shape:
        """One group for each series and period, with count and the figure changes are of."""
        needed = (*self.measures, self.change_of, MEASURES["count"])
        wanted = {measure.name: measure for measure in needed}
        return Shape(self.periodic(interval), tuple(wanted.values()), limit=MAX_ROWS)

    def of_changes(self, interval: str) -> Shape:
        """As `of_periods`, with only the figure that changes are of."""
        return Shape(self.periodic(interval), (self.change_of,), limit=MAX_ROWS)

    def periodic(self, interval: str) -> Grouping:
        """The grouping of the series, and then by period."""
        dimensions = (*self.grouping.dimensions, DIMENSIONS[interval])
        return Grouping(dimensions, self.grouping.region_kind)

    def echo(self, interval: str) -> dict[str, Any]:
        """The shape as it is used, for `meta.query`."""
        return {
            "interval": interval,
            "group_by": self.grouping.names,
            "region_kind": self.grouping.region_kind,
            "measures": [measure.name for measure in self.measures],
            "change_of": self.change_of.name,
            "series": self.series,
        }


def parse_trend(parameters: TrendParameters) -> TrendShape:
    """The shape, checked. Raises UnknownValue and Refused (422)."""
    released = parameters.population == RELEASED
    grouping = _parse_series(parameters.group_by, parameters.region_kind, released=released)
    return TrendShape(
        interval=_parse_interval(parameters.interval, released=released),
        grouping=grouping,
        measures=parse_measures(parameters.measures, released=released),
        change_of=_parse_change_of(parameters.change_of, released=released),
        series=parameters.series,
    )


def _parse_interval(text: str | None, *, released: bool) -> str | None:
    if text is None:
        return None
    split_codes("interval", text)
    check_words("interval", [text], MONTHS)
    if released and text not in RELEASED_DIMENSIONS:
        raise Refused(
            f"interval={text} is not in a release. Possible: quarter, year.",
            code="not_in_release",
            parameter="interval",
        )
    return text


def _parse_series(group_by: str, region_kind: str | None, *, released: bool) -> Grouping:
    grouping = parse_grouping(group_by, region_kind, released=released)
    periods = [name for name in grouping.names if name in MONTHS]
    if periods:
        raise Refused(
            f"A trend has a row for each period: take {periods[0]} out of group_by and ask for "
            f"interval={periods[0]}.",
            code="invalid_grouping",
            parameter="group_by",
        )
    if len(grouping.dimensions) > MAX_SERIES_DIMENSIONS:
        raise Refused(
            f"group_by takes up to {MAX_SERIES_DIMENSIONS} dimensions beside the period; it is "
            f"{group_by[:200]}.",
            code="invalid_grouping",
            parameter="group_by",
        )
    return grouping


def _parse_change_of(text: str, *, released: bool) -> Measure:
    measure = (get_released_measure if released else get_measure)(text, "change_of")
    if measure.unit is Unit.GRADE:
        raise Refused(
            f"change_of={measure.name}: a grade has no change; name a figure such as p50 or mean.",
            code="invalid_measure",
            parameter="change_of",
            nearest=["p50"],
        )
    return measure


def check_periods(periods: int, interval: str) -> None:
    """Raise Refused (422) for more periods than an answer may have."""
    if periods > MAX_PERIODS:
        coarser = {"month": "interval=quarter or interval=year", "quarter": "interval=year"}
        ways = [coarser[interval]] if interval in coarser else []
        raise Refused(
            f"The trend would have {periods:,} periods; at most {MAX_PERIODS} are answered. Ask "
            f"for {' or '.join([*ways, 'a shorter window (from, to or last)'])}.",
            code="too_many_periods",
            parameter="interval",
            periods=periods,
        )


def check_rows(series: int, periods: int) -> None:
    """Raise Refused (422) where series times periods are more rows than an answer may have."""
    if series * periods > MAX_ROWS:
        raise Refused(
            f"The trend would have {series * periods:,} rows ({series:,} series of {periods:,} "
            f"periods); at most {MAX_ROWS:,} are answered. Ask for series={MAX_ROWS // periods}, a "
            "coarser interval, a shorter window or fewer dimensions in group_by.",
            code="too_many_rows",
            parameter="series",
            rows=series * periods,
        )


def check_figures(groups: int) -> None:
    """Raise Refused (422) where there are more figures than an answer's rows."""
    if groups > MAX_ROWS:
        raise Refused(
            f"The trend would have {groups:,} rows with data; at most {MAX_ROWS:,} are answered. "
            "Narrow it with role, region, level or a shorter window, ask for a coarser interval, "
            "region_kind=country, or group by fewer dimensions.",
            code="too_many_rows",
            parameter="group_by",
            rows=groups,
        )
