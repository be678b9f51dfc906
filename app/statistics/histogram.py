"""How pay is distributed: amounts counted in bins."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final

from pydantic import Field

from app.core.errors import Refused
from app.domain.bins import (
    FINEST,
    MAX_BINS,
    Bins,
    count_bins,
    equal_bins,
    least_step,
    round_bins,
    stepped_bins,
)
from app.statistics.basis import RELEASED, BasisParameters
from app.statistics.cell_reading import exactly, keeping
from app.statistics.grouping import NO_GROUPS
from app.statistics.measures import Measure, Unit, get_measure
from app.statistics.number_parameters import WholeNumber
from app.statistics.queries import OK, Answer, Totals, find_statistics
from app.statistics.reading import Reading
from app.statistics.shape import Shape
from app.statistics.thresholds import count_amounts

EMPTY: Final = "empty"
_STEP: Final = re.compile(r"\d{1,15}(?:\.\d{1,6})?", re.ASCII)

FIGURES: Final[Mapping[str, Measure]] = {
    measure.name: measure
    for measure in (
        Measure("low", "From", Unit.MONEY, "Lower edge of the bin, which belongs to it.", "low"),
        Measure(
            "high",
            "To",
            Unit.MONEY,
            "Upper edge, which belongs to the next bin; null in the last bin, which is open.",
            "high",
        ),
        Measure(
            "count",
            "Records",
            Unit.RECORDS,
            "Records in the bin; in the first bin also those below it.",
            "count",
        ),
        Measure("share", "Share", Unit.RATIO, "count / all records of the answer.", "share"),
    )
}
COLUMNS: Final = (*FIGURES, "status")
_ENDS: Final = Shape(NO_GROUPS, tuple(get_measure(name) for name in ("count", "p1", "p99")))


class HistogramParameters(BasisParameters):
    """Parameters of a histogram."""

    bins: WholeNumber | None = Field(
        default=None,
        ge=1,
        le=MAX_BINS,
        description="So many bins of equal width, the open one at the end included. Left out: "
        "about 20 with round edges.",
        examples=[20],
    )
    step: str | None = Field(
        default=None,
        description="Instead of bins: their width, in the currency and pay period of the answer; "
        "edges are multiples of it.",
        examples=["5000"],
    )


@dataclass(frozen=True, slots=True)
class BinChoice:
    """Which bins were asked for; neither: round ones."""

    bins: int | None = None
    step: Fraction | None = None

    def echo(self) -> dict[str, Any]:
        """The choice as it is used, for `meta.query`."""
        return {"bins": self.bins, "step": None if self.step is None else float(self.step)}


@dataclass(frozen=True, slots=True)
class Histogram:
    """Bins in the order of the amounts, as rows of COLUMNS.

    `below` of the records lie below the first edge; `step` is the width of the closed bins.
    """

    answer: Answer
    step: float | None = None
    below: int = 0

    def describe(self) -> dict[str, Any]:
        """For `meta.histogram`."""
        return {"bins": len(self.answer.rows), "step": self.step, "below_first_edge": self.below}


def parse_bins(parameters: HistogramParameters) -> BinChoice:
    """The bins asked for. Raises Refused (422), also for population=released."""
    if parameters.population == RELEASED:
        raise Refused(
            "A release publishes no histogram; population=released has statistics, trend, bands "
            "and rank, among others.",
            code="not_in_release",
            parameter="population",
        )
    if parameters.step is None:
        return BinChoice(bins=parameters.bins)
    if parameters.bins is not None:
        raise Refused("Give bins or step, not both.", code="invalid_request", parameter="step")
    if not _STEP.fullmatch(parameters.step) or Fraction(parameters.step) < FINEST:
        raise Refused(
            "step is the width of a bin, such as 5000 or 2.5: a number above zero without "
            "thousands separators, with at most 15 digits before the point and 6 after it.",
            code="invalid_step",
            parameter="step",
        )
    return BinChoice(step=Fraction(parameters.step))


async def find_histogram(reading: Reading, choice: BinChoice) -> Histogram:
    """The bins of a reading; none without records. Their edges and counts are exact.

    Raises UnknownValue for codes that are not known, Refused for a step with too many bins (422).
    """
    reading = keeping(exactly(reading))
    ends = await find_statistics(reading, _ENDS)
    if not ends.totals.records:
        return Histogram(_answer([], ends.totals))
    count, low, high = ends.rows[0][:3]
    bins = choose_bins(choice, low, high)
    counts = await count_amounts(reading, bins.edges)
    below = counts.below[0]
    inside = counts.between()
    inside[0] += below
    edges = [float(edge) for edge in bins.edges]
    rows = [
        (edge, following, records, records / count, OK if records else EMPTY)
        for edge, following, records in zip(edges, (*edges[1:], None), inside, strict=True)
    ]
    step = None if bins.step is None else float(bins.step)
    return Histogram(_answer(rows, ends.totals), step, below)


def _answer(rows: list[tuple[Any, ...]], totals: Totals) -> Answer:
    return Answer(COLUMNS, rows, replace(totals, groups=len(rows)))


def choose_bins(choice: BinChoice, low: float, high: float) -> Bins:
    """The bins for amounts of which 1 % lie below `low` and 1 % above `high`.

    Raises Refused (422) for a step that would make more than MAX_BINS.
    """
    if choice.bins is not None:
        return equal_bins(low, high, choice.bins)
    if choice.step is None:
        return round_bins(low, high)
    wanted = count_bins(low, high, choice.step)
    if wanted > MAX_BINS:
        least = float(least_step(low, high))
        raise Refused(
            f"step={float(choice.step):g} would make {wanted:,} bins between the 1 % and the 99 % "
            f"percentile; at most {MAX_BINS} are allowed. The least round step here is "
            f"{least:.15g}.",
            code="too_many_bins",
            parameter="step",
            bins=wanted,
            nearest=[f"{least:.15g}"],
        )
    return stepped_bins(low, high, choice.step)
