"""The measures of salary statistics: one registry entry each.

The response schema, the CSV header, the documentation and the messages about unknown measures
derive from an entry, and so do both ways of computing it from the inputs of a group, which are
`count`, `mean`, `stddev`, `employers`, percentiles by their name, `p50_low` and `p50_high`: `sql`
over columns, `figure` over arrays with a number for each group (NaN: null).
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Final

from app.core.errors import Refused, UnknownValue
from app.domain.distributions import (
    ERRORS_IN_HALF_WIDTH,
    GRADES,
    LATTICE_CORRECTION,
    LOWEST_GRADE,
    MIN_INTERVAL_COUNT,
    NORMAL_QUANTILE,
)
from app.domain.nearest import nearest
from app.statistics.filters import split_codes

MAX_PERCENTILES: Final = 20
SYNONYMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "median": "p50",
        "average": "mean",
        "avg": "mean",
        "n": "count",
        "std": "stddev",
    }
)
"""Other words for measures: not taken for them, and named when they are refused."""

PERCENTILE: Final = re.compile(r"p([1-9]\d?(?:\.\d{1,3})?)", re.ASCII)
MEDIAN_INTERVAL: Final = ("p50_low", "p50_high")


class Unit(StrEnum):
    """What a measure counts. Money follows `currency` and `pay_period`."""

    RECORDS = "records"
    EMPLOYERS = "employers"
    MONEY = "money"
    RATIO = "ratio"
    GRADE = "grade"
    OPENINGS = "openings"


Figure = Callable[[Mapping[str, Any]], Any]
"""From the inputs of all groups, as arrays, to the figures of all: an array or a list."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure, computed by `sql` or `figure` from `inputs`; `count` is always there.

    `released` says whether releases of confidential data carry it. Without `figure` it comes from
    records alone.
    """

    name: str
    title: str
    unit: Unit
    how: str
    sql: str
    inputs: tuple[str, ...] = ()
    default: bool = False
    released: bool = False
    figure: Figure | None = None

    @property
    def needs_values(self) -> bool:
        """Whether all amounts of a group are needed, sorted, and not only sums."""
        return any(name not in {"mean", "stddev"} for name in self.inputs)


def _percentile(text: str, *, default: bool = False, released: bool = False) -> Measure:
    return Measure(
        f"p{text}",
        "Median" if text == "50" else f"{text} % percentile",
        Unit.MONEY,
        "Linear interpolation between the two nearest amounts (percentile_cont).",
        f'"p{text}"',
        (f"p{text}",),
        default,
        released,
        itemgetter(f"p{text}"),
    )


_MEDIAN_ERROR: Final = f"(p50_high - p50_low) / 2 / {ERRORS_IN_HALF_WIDTH} / nullif(p50, 0)"
_GRADES: Final = " ".join(
    f"WHEN {_MEDIAN_ERROR} < {limit} THEN '{grade}'" for grade, limit in GRADES
)


def _error_of_mean(inputs: Mapping[str, Any]) -> Any:
    return inputs["stddev"] / inputs["count"] ** 0.5 / inputs["mean"]


def _grades(inputs: Mapping[str, Any]) -> list[str]:
    width = inputs["p50_high"] - inputs["p50_low"]
    error = width / 2 / ERRORS_IN_HALF_WIDTH / inputs["p50"]
    letters = [*(grade for grade, _ in GRADES), LOWEST_GRADE]
    # How many limits an error is not below: all of them where it is not known.
    places = sum(~(error < limit) * 1 for _, limit in GRADES)
    return [letters[place] for place in places.tolist()]


_REGISTERED: Final = (
    Measure(
        "count",
        "Records",
        Unit.RECORDS,
        "Records with a defined amount.",
        "count",
        default=True,
        released=True,
        figure=itemgetter("count"),
    ),
    Measure(
        "mean",
        "Mean",
        Unit.MONEY,
        "Arithmetic mean.",
        "mean",
        ("mean",),
        default=True,
        released=True,
        figure=itemgetter("mean"),
    ),
    *(_percentile(text, default=True, released=True) for text in ("10", "25", "50", "75", "90")),
    Measure(
        "p50_low",
        "Median, lower bound",
        Unit.MONEY,
        "Lower end of the 95 % interval of the median, an order statistic; null below 6 records.",
        "p50_low",
        MEDIAN_INTERVAL,
        default=True,
        figure=itemgetter("p50_low"),
    ),
    Measure(
        "p50_high",
        "Median, upper bound",
        Unit.MONEY,
        "Upper end of the 95 % interval of the median, an order statistic; null below 6 records.",
        "p50_high",
        MEDIAN_INTERVAL,
        default=True,
        figure=itemgetter("p50_high"),
    ),
    Measure(
        "quality",
        "Quality",
        Unit.GRADE,
        "A to E: the relative error of the median below 5, 10, 15, 25 % or more.",
        f"CASE WHEN count = 0 THEN NULL {_GRADES} ELSE '{LOWEST_GRADE}' END",
        ("p50", *MEDIAN_INTERVAL),
        default=True,
        figure=_grades,
    ),
    Measure(
        "stddev",
        "Standard deviation",
        Unit.MONEY,
        "Sample standard deviation; null for one record.",
        "stddev",
        ("stddev",),
        figure=itemgetter("stddev"),
    ),
    Measure(
        "rse",
        "Relative standard error",
        Unit.RATIO,
        "Standard error of the mean / mean.",
        "stddev / sqrt(count) / nullif(mean, 0)",
        ("stddev", "mean"),
        figure=_error_of_mean,
    ),
    Measure(
        "employers",
        "Employers",
        Unit.EMPLOYERS,
        "Distinct employers among the records that state one.",
        "employers",
        ("employers",),
        released=True,
    ),
)

MEASURES: Final[Mapping[str, Measure]] = MappingProxyType({m.name: m for m in _REGISTERED})
"""By name. Every other percentile from p1 to p99 is a measure as well: `get_measure`."""

DEFAULT_MEASURES: Final = tuple(measure for measure in _REGISTERED if measure.default)


RELEASED_MEASURES: Final = tuple(measure for measure in _REGISTERED if measure.released)


def get_measure(name: str, parameter: str = "measures") -> Measure:
    """The measure of that name. Raises UnknownValue (422) naming the nearest."""
    if name in MEASURES:
        return MEASURES[name]
    match = PERCENTILE.fullmatch(name)
    if match and 1 <= float(match[1]) <= 99:
        return _percentile(match[1])
    percentiles = [f"p{i}" for i in range(1, 100)]
    known = f"{', '.join(MEASURES)}, and percentiles from p1 to p99 such as p33.3"
    raise unknown_measure(name, parameter, [*MEASURES, *percentiles], known)


def unknown_measure(name: str, parameter: str, choices: Iterable[str], known: str) -> UnknownValue:
    """The error about a measure that is none of `choices`, which `known` describes."""
    usable = list(choices)
    meant = SYNONYMS.get(name.lower().removeprefix("-"))
    close = [meant] if meant in usable else nearest(name, usable)
    return UnknownValue(
        f"{parameter}: measure {name[:40]!r} is not known. Nearest: {', '.join(close)}. "
        f"All: {known}.",
        code="unknown_measure",
        parameter=parameter,
        nearest=close,
    )


def get_released_measure(name: str, parameter: str = "measures") -> Measure:
    """The measure of that name. Raises UnknownValue, and Refused (both 422) for one that releases
    do not carry."""
    measure = get_measure(name, parameter)
    if measure.name not in {known.name for known in RELEASED_MEASURES}:
        carried = ", ".join(known.name for known in RELEASED_MEASURES)
        raise Refused(
            f"{parameter}: {measure.name} is not in a release. Possible: {carried}.",
            code="not_in_release",
            parameter=parameter,
        )
    return measure


def parse_measures(text: str | None, *, released: bool = False) -> tuple[Measure, ...]:
    """The measures asked, in that order and each once; for None the default ones, or (`released`)
    those that releases carry.

    Raises UnknownValue and, for more than 20 percentiles, an empty value, and a measure that the
    answer cannot have, Refused (422).
    """
    if text is None:
        return RELEASED_MEASURES if released else DEFAULT_MEASURES
    names = dict.fromkeys(split_codes("measures", text))
    find = get_released_measure if released else get_measure
    measures = tuple(find(name) for name in names)
    if len(percentiles_of(measures)) > MAX_PERCENTILES:
        raise Refused(
            f"At most {MAX_PERCENTILES} percentiles can be asked for at once.",
            code="too_many_values",
            parameter="measures",
        )
    return measures


def inputs_of(measures: Iterable[Measure]) -> frozenset[str]:
    """The names of all inputs that measures need."""
    return frozenset(name for measure in measures for name in measure.inputs)


def percentiles_of(measures: Iterable[Measure]) -> list[str]:
    """The distinct percentiles among the inputs, 'p33.3', ascending."""
    found = {name for name in inputs_of(measures) if PERCENTILE.fullmatch(name)}
    return sorted(found, key=lambda name: float(name[1:]))


def percentiles_sql(percentiles: Sequence[str], value: str) -> str:
    """`percentile_cont` of all percentiles as one array."""
    shares = ", ".join(f"{name[1:]} / 100.0" for name in percentiles)  # exact: numeric division
    return f"percentile_cont(ARRAY[{shares}]::float8[]) WITHIN GROUP (ORDER BY {value})"


def median_interval_sql(count: str, value: str) -> str:
    """x(r) and x(n + 1 - r) as one array, nulls below 6 records.

    r is `app.domain.distributions.median_rank`; a fraction of half a rank less makes
    `percentile_disc` round up to the rank itself.
    """
    quantile = f"({NORMAL_QUANTILE} - {LATTICE_CORRECTION} / {count}::float8)"
    rank = f"floor(({count} + 1) / 2.0 - sqrt({count}) / 2 * {quantile})"
    low = f"({rank} - 0.5) / {count}"
    enough = f"CASE WHEN {count} >= {MIN_INTERVAL_COUNT} THEN"
    shares = f"ARRAY[{enough} {low} END, {enough} 1 - {low} END]"
    return f"percentile_disc({shares}) WITHIN GROUP (ORDER BY {value})"
