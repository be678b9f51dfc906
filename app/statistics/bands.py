"""Pay bands: two percentiles of each group, rounded outward to a step."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pydantic import Field

from app.core.errors import Refused
from app.domain.bands import round_down, round_outward, round_up, usual_step
from app.domain.nearest import nearest
from app.statistics.basis import RELEASED, BasisParameters
from app.statistics.grouping import DIMENSIONS, Grouping, parse_grouping
from app.statistics.measures import (
    MEASURES,
    PERCENTILE,
    Figure,
    Measure,
    Unit,
    get_measure,
    get_released_measure,
)
from app.statistics.number_parameters import Number
from app.statistics.queries import STATUS, Answer, find_statistics
from app.statistics.reading import Reading
from app.statistics.shape import DEFAULT_LIMIT, Shape, SortKey, TableParameters, parse_sort
from app.statistics.statement import Question, shown_sql

Row = dict[str, Any]

MIN_STEP: Final = 0.01
MAX_STEP: Final = 1_000_000_000
MEDIAN: Final = "p50"
_LOWER: Final = ("p_low", "band_low")
_UPPER: Final = ("p_high", "band_high")
_ROUNDED: Final[Mapping[str, tuple[str, Callable[[float, float], float]]]] = {
    "band_low": ("floor", round_down),
    "band_high": ("ceil", round_up),
}
"""How PostgreSQL rounds the ends, and how Python does."""

_REGISTERED: Final = (
    MEASURES["count"],
    Measure("p_low", "Lower percentile", Unit.MONEY, "The percentile that low names.", ""),
    MEASURES[MEDIAN],
    Measure("p_high", "Upper percentile", Unit.MONEY, "The percentile that high names.", ""),
    Measure("band_low", "Band, lower end", Unit.MONEY, "p_low, down to a multiple of step.", ""),
    Measure("band_high", "Band, upper end", Unit.MONEY, "p_high, up to a multiple of step.", ""),
    MEASURES["quality"],
)
FIGURES: Final[Mapping[str, Measure]] = {measure.name: measure for measure in _REGISTERED}
"""What a row has beside its dimensions; `quality` not from a release."""


class BandsParameters(BasisParameters, TableParameters):
    """Parameters of pay bands."""

    group_by: str = Field(
        default="region,level",
        description=f"Up to 4 of {', '.join(DIMENSIONS)}; `none` for one band over everything.",
        examples=["role,level"],
    )
    low: str = Field(
        default="p25", description="The percentile at the lower end.", examples=["p10"]
    )
    high: str = Field(
        default="p75", description="The percentile at the upper end.", examples=["p90"]
    )
    step: Number | None = Field(
        default=None,
        ge=MIN_STEP,
        le=MAX_STEP,
        allow_inf_nan=False,
        description="What the ends are rounded to, in the currency and pay period of the answer; "
        "left out: 5000 a year, 500 a month, 200 a fortnight, 100 a week, 20 a day, 2 an hour.",
        examples=[5000],
    )


@dataclass(frozen=True, slots=True)
class BandsShape:
    """The shape of bands, checked."""

    grouping: Grouping
    low: Measure
    high: Measure
    step: float
    sort: tuple[SortKey, ...] = ()
    limit: int = DEFAULT_LIMIT

    def statistics(self, *, released: bool) -> Shape:
        """The figures that bands are made of; releases have no quality."""
        names = ["count", MEDIAN] if released else ["count", MEDIAN, "quality"]
        wanted = {m.name: m for m in (*map(get_measure, names), self.low, self.high)}
        return Shape(self.grouping, tuple(wanted.values()), self.sort, self.limit)

    def echo(self) -> Row:
        """The shape as it is used, for `meta.query`."""
        return {
            "group_by": self.grouping.names,
            "region_kind": self.grouping.region_kind,
            "low": self.low.name,
            "high": self.high.name,
            "step": self.step,
            "sort": [str(key) for key in self.sort] or self.grouping.names,
            "limit": self.limit,
        }


@dataclass(frozen=True, slots=True)
class Bands:
    """The rows, and the answer that they were made of."""

    columns: tuple[str, ...]
    rows: Sequence[Row] = field(repr=False)
    answer: Answer = field(repr=False)


def parse_bands(parameters: BandsParameters) -> BandsShape:
    """The shape, checked. Raises UnknownValue and Refused (422)."""
    released = parameters.population == RELEASED
    grouping = parse_grouping(parameters.group_by, parameters.region_kind, released=released)
    known = get_released_measure if released else get_measure
    low = _parse_percentile(parameters.low, "low", released=released)
    high = _parse_percentile(parameters.high, "high", released=released)
    if float(low.name[1:]) >= float(high.name[1:]):
        raise Refused(
            f"low={low.name} is not below high={high.name}; give the lower percentile as low.",
            code="invalid_band",
            parameter="low",
        )
    step = usual_step(parameters.pay_period) if parameters.step is None else parameters.step
    ends = {**dict.fromkeys(_LOWER, low), **dict.fromkeys(_UPPER, high)}

    def figure(name: str, parameter: str) -> Measure:
        return ends[name] if name in ends else known(name, parameter)

    sort = parse_sort(parameters.sort, grouping, figure)
    return BandsShape(grouping, low, high, step, sort, parameters.limit)


def _parse_percentile(text: str, parameter: str, *, released: bool) -> Measure:
    """The percentile of that name. Raises UnknownValue and Refused (422)."""
    measure = (get_released_measure if released else get_measure)(text, parameter)
    if not PERCENTILE.fullmatch(measure.name):
        close = nearest(text, [f"p{i}" for i in range(1, 100)])
        raise Refused(
            f"{parameter}={text}: the ends of a band are percentiles, p1 to p99.",
            code="invalid_band",
            parameter=parameter,
            nearest=close,
        )
    return measure


async def find_bands(reading: Reading, shape: BandsShape) -> Bands:
    """The bands of a reading. Raises UnknownValue and Refused (422) as `find_statistics`."""
    released = reading.question.basis.is_released
    sort = tuple(_ordering(key, shape, reading.question) for key in shape.sort)
    answer = await find_statistics(reading, replace(shape.statistics(released=released), sort=sort))
    figures = [name for name in FIGURES if name != "quality" or not released]
    columns = (*shape.grouping.columns, *figures, STATUS)
    # Not strict: rows are longer than the columns (see Answer).
    found = (dict(zip(answer.columns, row, strict=False)) for row in answer.rows)
    banded = ({**row, **_ends(row, shape)} for row in found)
    rows = [{name: row[name] for name in columns} for row in banded]
    return Bands(columns, rows, answer)


def _ordering(key: SortKey, shape: BandsShape, question: Question) -> SortKey:
    """The key with what orders by it: by an end, bands with the same one are tied."""
    if key.measure is None or key.name not in _ROUNDED:
        return key
    in_sql, in_python = _ROUNDED[key.name]
    shown = f"({shown_sql(key.measure, question)})::numeric"
    sql = f"{in_sql}({shown} / {shape.step!r}::numeric)"
    figure = key.measure.figure
    if figure is not None:
        figure = _rounded(figure, question.factor, lambda amount: in_python(amount, shape.step))
    return replace(key, measure=replace(key.measure, sql=sql, figure=figure))


def _rounded(figure: Figure, factor: float, rounding: Callable[[float], float]) -> Figure:
    """A figure of money as it is shown, rounded."""

    def rounded(inputs: Mapping[str, Any]) -> Any:
        import numpy as np

        from app.statistics.figures import shown_money

        shown = shown_money(figure(inputs), factor)
        return np.array([rounding(amount) for amount in shown.tolist()], np.float64)

    return rounded


def _ends(row: Row, shape: BandsShape) -> Row:
    """The percentiles and the band; nulls where a percentile is not known."""
    low, high = row[shape.low.name], row[shape.high.name]
    ends = (None, None) if low is None or high is None else round_outward(low, high, shape.step)
    return {"p_low": low, "p_high": high, "band_low": ends[0], "band_high": ends[1]}
