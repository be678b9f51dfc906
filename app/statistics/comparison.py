"""Two or more groups side by side: the difference of their medians, with its interval."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

from pydantic import Field

from app.core.errors import Refused
from app.domain.distributions import MIN_INTERVAL_COUNT
from app.domain.growth import DECIMALS
from app.domain.medians import CONFIDENCE, Median, difference_interval
from app.statistics.basis import BasisParameters
from app.statistics.cell_reading import exactly
from app.statistics.coarser import find_nearest
from app.statistics.filters import Filters, check_words, split_codes
from app.statistics.grouping import NO_GROUPS
from app.statistics.measures import MEASURES, Measure, Unit
from app.statistics.queries import OK, STATUS, Answer, Totals, find_statistics
from app.statistics.reading import Reading
from app.statistics.shape import Shape
from app.taxonomies.catalogue import Catalogue, Dimension, Entry, RegionEntry

Row = dict[str, Any]

COMPARED: Final = ("region", "role", "level")
MAX_COMPARED: Final = 50
EMPTY: Final = "empty"
ABSENT: Final = "absent"
TOO_FEW: Final = "too_few"
NO_INTERVAL: Final = "no_interval"
TIES: Final = "ties"
NEEDED: Final = ("count", "p50", "p50_low", "p50_high")

METHOD: Final[Mapping[str, Any]] = {
    "confidence": CONFIDENCE,
    "method": "difference of medians, Bonett and Price (2002); standard errors of the medians from "
    "their order statistics, Price and Bonett (2001)",
    "source": "https://doi.org/10.1037/1082-989X.7.3.370",
    "fewest_records": MIN_INTERVAL_COUNT,
}
"""For `meta.interval`."""

_REGISTERED: Final = (
    Measure("a_count", "Records of a", Unit.RECORDS, "Records with a defined amount.", ""),
    Measure("b_count", "Records of b", Unit.RECORDS, "Records with a defined amount.", ""),
    Measure("a_p50", "Median of a", Unit.MONEY, "As p50.", ""),
    Measure("b_p50", "Median of b", Unit.MONEY, "As p50.", ""),
    Measure("difference", "Difference of medians", Unit.MONEY, "b_p50 - a_p50.", ""),
    Measure("ratio", "Ratio of medians", Unit.RATIO, "b_p50 / a_p50.", ""),
    Measure(
        "difference_low",
        "Difference, lower bound",
        Unit.MONEY,
        "Lower end of its 95 % interval; null where either has fewer than 6 records, or ties.",
        "",
    ),
    Measure(
        "difference_high",
        "Difference, upper bound",
        Unit.MONEY,
        "Upper end of its 95 % interval; null where either has fewer than 6 records, or ties.",
        "",
    ),
)
FIGURES: Final[Mapping[str, Measure]] = {measure.name: measure for measure in _REGISTERED}
NAMES: Final = ("dimension", "a", "a_name", "b", "b_name")
COLUMNS: Final = (*NAMES, *FIGURES, STATUS)


class ComparisonParameters(BasisParameters):
    """Parameters of a comparison."""

    dimension: str = Field(
        description=f"What is compared: {', '.join(COMPARED)}.", examples=["region"]
    )
    a: str = Field(description="One code: what the others are compared with.", examples=["US"])
    b: str = Field(
        description=f"One code or several, comma-separated (at most {MAX_COMPARED}).",
        examples=["DE,GB"],
    )


@dataclass(frozen=True, slots=True)
class ComparisonShape:
    """Codes of one dimension: `b`, each compared with `a`. Not yet looked up."""

    dimension: str
    a: str
    b: tuple[str, ...]

    def echo(self) -> Row:
        """The shape as it is used, for `meta.query`."""
        return {"dimension": self.dimension, "a": self.a, "b": list(self.b)}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One row for each of `b`; `totals` are those of all groups together."""

    rows: Sequence[Row] = field(repr=False)
    totals: Totals

    @property
    def answer(self) -> Answer:
        """For `meta`."""
        return Answer(COLUMNS, [tuple(row.values()) for row in self.rows], self.totals)


@dataclass(frozen=True, slots=True)
class _Group:
    """The figures of one code; `median` None where there is none, with the reason in `status`.

    `count` is None where a release does not show the group.
    """

    entry: Entry
    count: int | None
    median: Median | None
    status: str


def parse_comparison(parameters: ComparisonParameters, filters: Filters) -> ComparisonShape:
    """The shape, checked. Raises UnknownValue and Refused (422)."""
    split_codes("dimension", parameters.dimension)
    check_words("dimension", [parameters.dimension], COMPARED)
    dimension = parameters.dimension
    for name in (dimension, "exclude_region") if dimension == "region" else (dimension,):
        if getattr(filters, name):
            raise Refused(
                f"{name} cannot be a filter where dimension={dimension}: a and b name what is "
                "compared.",
                code="invalid_comparison",
                parameter=name,
            )
    a = split_codes("a", parameters.a)
    if len(a) > 1:
        raise Refused(
            "a takes one code; give the others to b.", code="invalid_comparison", parameter="a"
        )
    b = tuple(dict.fromkeys(split_codes("b", parameters.b)))
    if len(b) > MAX_COMPARED:
        raise Refused(
            f"b holds {len(b)} codes; at most {MAX_COMPARED} are compared at once.",
            code="too_many_values",
            parameter="b",
        )
    if a[0] in b:
        raise Refused(
            f"{a[0]} is a and in b: nothing is compared with itself.",
            code="invalid_comparison",
            parameter="b",
        )
    return ComparisonShape(dimension, a[0], b)


async def find_comparison(reading: Reading, shape: ComparisonShape) -> Comparison:
    """The comparison: one question for each code, all in one snapshot.

    Raises UnknownValue for codes that are not known, Refused for regions one of which is in the
    other, and as `find_statistics` (422).
    """
    a, *others = _entries(reading.catalogue, shape)
    first, *totals = await _find_group(reading, shape.dimension, a)
    rows = []
    for entry in others:
        group, found = await _find_group(reading, shape.dimension, entry)
        rows.append(_row(shape.dimension, first, group))
        totals.append(found)
    return Comparison(rows, merge_totals(totals, len(rows)))


def _entries(catalogue: Catalogue, shape: ComparisonShape) -> list[Entry]:
    known: Mapping[str, Dimension[Any]] = {
        "region": catalogue.regions,
        "role": catalogue.roles,
        "level": catalogue.levels,
    }
    dimension = known[shape.dimension]
    a: Entry = dimension.get(shape.a, "a")
    others: list[Entry] = [dimension.get(code, "b") for code in shape.b]
    for other in others:
        _check_apart(a, other)
    return [a, *others]


def _check_apart(a: Entry, b: Entry) -> None:
    """Raise Refused (422) for a region and one that lies in it: they share records."""
    if not isinstance(a, RegionEntry) or not isinstance(b, RegionEntry):
        return
    if a.id in b.ancestors or b.id in a.ancestors:
        inner, outer = (b, a) if a.id in b.ancestors else (a, b)
        raise Refused(
            f"{inner.code} lies in {outer.code}: their records overlap, so that they cannot be "
            "compared. Take regions that are apart.",
            code="overlapping_groups",
            parameter="b",
        )


async def _find_group(reading: Reading, dimension: str, entry: Entry) -> tuple[_Group, Totals]:
    asked: dict[str, Any] = {dimension: (entry.code,)}
    question = replace(reading.question, filters=replace(reading.filters, **asked))
    released = question.basis.is_released
    measures = tuple(MEASURES[name] for name in NEEDED if MEASURES[name].released or not released)
    # Two approximate medians may differ by more, or by less, than what is compared does.
    asking = exactly(replace(reading, question=question))
    answer = await find_statistics(asking, Shape(NO_GROUPS, measures))
    if not answer.rows:
        # A release does not tell hidden groups from empty ones: it is not said that one is empty.
        nothing = _Group(entry, None, None, ABSENT) if released else _Group(entry, 0, None, EMPTY)
        return nothing, answer.totals
    # Not strict: rows are longer than the columns (see Answer).
    row = dict(zip(answer.columns, answer.rows[0], strict=False))
    count, p50 = row["count"], row["p50"]
    if p50 is None:
        return _Group(entry, count, None, row[STATUS]), answer.totals
    median = Median(count, p50, row.get("p50_low"), row.get("p50_high"))
    return _Group(entry, count, median, OK), answer.totals


def _row(dimension: str, a: _Group, b: _Group) -> Row:
    names = (dimension, a.entry.code, a.entry.name, b.entry.code, b.entry.name)
    figures = dict.fromkeys(FIGURES) | {"a_count": a.count, "b_count": b.count}
    figures |= {
        "a_p50": a.median.p50 if a.median else None,
        "b_p50": b.median.p50 if b.median else None,
    }
    status = next((group.status for group in (a, b) if group.status != OK), OK)
    if a.median and b.median:
        compared, status = _compared(a.median, b.median)
        figures |= compared
    return {**dict(zip(NAMES, names, strict=True)), **figures, STATUS: status}


def _compared(a: Median, b: Median) -> tuple[Row, str]:
    """The figures of two medians, and what the row's status is."""
    figures: Row = {
        "difference": round(b.p50 - a.p50, DECIMALS),
        "ratio": round(b.p50 / a.p50, DECIMALS) if a.p50 else None,
    }
    interval = difference_interval(a, b)
    if interval is None:
        few = min(a.count, b.count) < MIN_INTERVAL_COUNT
        return figures, TOO_FEW if few else NO_INTERVAL
    if interval[0] == interval[1]:
        # Both intervals of a median are a single amount: that says nothing about chance.
        return figures, TIES
    low, high = (round(end, DECIMALS) for end in interval)
    return {**figures, "difference_low": low, "difference_high": high}, OK


async def find_nearest_comparison(
    reading: Reading, shape: ComparisonShape, records: int
) -> Row | None:
    """For `meta.nearest`, as `find_nearest`: the same codes compared, among more records."""
    codes: dict[str, Any] = {shape.dimension: tuple(sorted({shape.a, *shape.b}))}
    question = replace(reading.question, filters=replace(reading.filters, **codes))
    return await find_nearest(replace(reading, question=question), records, kept=shape.dimension)


def merge_totals(parts: Iterable[Totals], groups: int) -> Totals:
    """The totals of several questions together, with `groups` rows."""
    found = list(parts)
    summed = {
        item.name: sum(getattr(part, item.name) for part in found)
        for item in fields(Totals)
        if item.name not in {"groups", "newest", "source_ids"}
    }
    sources = {id for part in found for id in part.source_ids}
    newest = max((part.newest for part in found if part.newest is not None), default=None)
    return Totals(**summed, groups=groups, newest=newest, source_ids=tuple(sorted(sources)))
