"""Pay by period: series without gaps, their changes, and composition-adjusted growth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

from app.domain.dates import Window
from app.domain.growth import change
from app.domain.periods import (
    Label,
    number_of_label,
    period_label,
    period_number,
    periods_per_year,
    year_before,
)
from app.domain.windows import is_cut
from app.statistics.grouping import Grouping
from app.statistics.growth import Growth, Series, find_growth
from app.statistics.measures import Measure, Unit
from app.statistics.queries import STATUS, Answer, find_statistics
from app.statistics.reading import Reading
from app.statistics.trend_shape import TrendShape, check_figures, check_periods, check_rows

Row = dict[str, Any]

FINEST: Final = "month"
COARSEST: Final = "year"
OF_RELEASES: Final = "quarter"
EMPTY: Final = "empty"

_REGISTERED: Final = (
    Measure(
        "change_previous",
        "Change from the period before",
        Unit.RATIO,
        "change_of of this period / that of the period directly before, less 1.",
        "",
    ),
    Measure(
        "change_year",
        "Change from a year before",
        Unit.RATIO,
        "change_of of this period / that of the same period a year before, less 1.",
        "",
    ),
    Measure(
        "growth_adjusted",
        "Composition-adjusted growth",
        Unit.RATIO,
        "Year on year within role, region, level and paid currency; the median over the cells, "
        "averaged over this period and the two before.",
        "",
    ),
    Measure(
        "growth_cells",
        "Cells of the growth",
        Unit.RECORDS,
        "Cells of this period with at least 5 records in it and in the same period a year before.",
        "",
    ),
)
CHANGES: Final[Mapping[str, Measure]] = {m.name: m for m in _REGISTERED[:2]}
GROWTH: Final[Mapping[str, Measure]] = {m.name: m for m in _REGISTERED[2:]}
"""What a trend has beside the measures asked; growth only of live figures."""


@dataclass(frozen=True, slots=True)
class Trend:
    """The rows of a trend, series by series, each with the same periods in order.

    `answer` holds the groups that have data, `series` counts the series of which `shown` are in
    the rows; `periods` are the first and last label, None without rows; `cut` those that the
    window covers in part. `fx_in_change`: exchange rates have a part in the changes; None where
    that is not known (releases, growth that was left out). `growth_left_out` says why it was.
    """

    interval: str
    columns: tuple[str, ...]
    rows: Sequence[Row] = field(repr=False)
    answer: Answer = field(repr=False)
    series: int
    shown: int
    periods: tuple[Label, Label] | None
    period_count: int
    cut: tuple[Label, ...]
    fx_in_change: bool | None
    growth_left_out: str | None = None

    def describe(self) -> Row:
        """What `meta` says of a trend beside the usual."""
        first, last = self.periods or (None, None)
        return {
            "groups": self.series,
            "truncated": self.series > self.shown,
            "periods": {
                "first": first,
                "last": last,
                "count": self.period_count,
                "cut": list(self.cut),
            },
            "fx_in_change": self.fx_in_change,
            "growth_left_out": self.growth_left_out,
        }


@dataclass(frozen=True, slots=True)
class _Panel:
    """The groups of an answer by series and period, and `head`, the dimensions of each series."""

    figures: Mapping[Series, Mapping[int, Row]]
    head: Mapping[Series, Row]


async def find_trend(reading: Reading, shape: TrendShape) -> Trend:
    """The trend of a reading: three or four statements in its snapshot.

    Raises UnknownValue for codes that are not known, Refused for more periods or rows than are
    answered (422).
    """
    interval, answer = await _find_figures(reading, shape)
    panel = _panel_of(answer, shape.periodic(interval), interval)
    numbers = _numbers(panel, reading.filters.window, interval)
    kept = _kept(panel, shape.series)
    check_rows(len(kept), len(numbers))
    earlier, error = await _find_earlier(reading, shape, interval)
    # Changes are as good as the worse of their two figures.
    answer = replace(answer, max_relative_error=max(answer.max_relative_error, error))
    released = reading.question.basis.is_released
    growth = None if released else await find_growth(reading, shape.periodic(interval), interval)
    parts = _Parts(shape, interval, panel, earlier, numbers, reading.filters.window, growth)
    return parts.trend(answer, kept)


async def _find_figures(reading: Reading, shape: TrendShape) -> tuple[str, Answer]:
    """The interval that is used, and one row for each series and period with data."""
    released = reading.question.basis.is_released
    interval = shape.interval or (OF_RELEASES if released else FINEST)
    answer = await find_statistics(reading, shape.of_periods(interval))
    if shape.interval is None and answer.totals.precision > answer.totals.records:
        interval = COARSEST
        answer = await find_statistics(reading, shape.of_periods(interval))
    check_figures(answer.totals.groups)
    return interval, answer


async def _find_earlier(reading: Reading, shape: TrendShape, interval: str) -> tuple[_Panel, float]:
    """The year before the window, for changes of its first periods, and its largest error."""
    first = reading.filters.window.first
    if first is None:
        return _Panel({}, {}), 0
    window = Window(year_before(first), first - timedelta(days=1))
    answer = await find_statistics(within(reading, window), shape.of_changes(interval))
    check_figures(answer.totals.groups)
    return _panel_of(answer, shape.periodic(interval), interval), answer.max_relative_error


def within(reading: Reading, window: Window) -> Reading:
    """The same question about another window."""
    filters = replace(reading.filters, window=window)
    return replace(reading, question=replace(reading.question, filters=filters))


def _panel_of(answer: Answer, grouping: Grouping, interval: str) -> _Panel:
    *names, period = grouping.names
    # One series over everything is there without data too.
    figures: dict[Series, dict[int, Row]] = {} if names else {(): {}}
    head: dict[Series, Row] = {} if names else {(): {}}
    for values in answer.rows:
        # Not strict: rows are longer than the columns (see Answer).
        row = dict(zip(answer.columns, values, strict=False))
        series = tuple(row[name] for name in names)
        head.setdefault(series, {name: row[name] for name in grouping.columns if name != period})
        figures.setdefault(series, {})[number_of_label(row[period], interval)] = row
    return _Panel(figures, head)


def _numbers(panel: _Panel, window: Window, interval: str) -> range:
    """The periods of all series: from bound to bound of the window.

    On a side where that is open, from or to the first or last period with data.
    """
    known = [number for rows in panel.figures.values() for number in rows]
    if not known and (window.first is None or window.last is None):
        return range(0)
    first = min(known) if window.first is None else period_number(window.first, interval)
    last = max(known) if window.last is None else period_number(window.last, interval)
    check_periods(last - first + 1, interval)
    return range(first, last + 1)


def _kept(panel: _Panel, limit: int) -> list[Series]:
    """The series with the most records, in the order of the grouping."""
    records = {
        series: sum(row["count"] for row in rows.values()) for series, rows in panel.figures.items()
    }
    most = set(sorted(records, key=lambda series: -records[series])[:limit])
    return [series for series in records if series in most]


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the rows of a trend are made of; `earlier` holds what lies before `numbers`."""

    shape: TrendShape
    interval: str
    panel: _Panel
    earlier: _Panel
    numbers: range
    window: Window
    growth: Growth | None

    def row(self, series: Series, number: int) -> Row:
        """The row of a period: figures where there are any, and what changed."""
        found = self.panel.figures[series].get(number)
        measures = {m.name: self._shown(m, found) for m in self.shape.measures}
        a_year = periods_per_year(self.interval)
        return {
            **self.panel.head[series],
            self.interval: period_label(number, self.interval),
            **measures,
            "change_previous": self._change(series, number, number - 1),
            "change_year": self._change(series, number, number - a_year),
            **self._grown(series, number),
            STATUS: EMPTY if found is None else found[STATUS],
        }

    def _change(self, series: Series, number: int, before: int) -> float | None:
        """The change from a period to another; None where they do not cover as much of theirs."""
        if not self._comparable(number, before):
            return None
        return change(self._figure(series, number), self._figure(series, before))

    def _comparable(self, number: int, before: int) -> bool:
        """Whether both periods are whole, or cut at the same day.

        Before the window periods are whole, but for the one a year before the first, which begins
        at the day at which the first does.
        """
        if before in self.numbers:
            return not self._is_cut(number) and not self._is_cut(before)
        if before == self.numbers.start - periods_per_year(self.interval):
            return not is_cut(Window(None, self.window.last), number, self.interval)
        return not self._is_cut(number)

    def _is_cut(self, number: int) -> bool:
        return is_cut(self.window, number, self.interval)

    def _shown(self, measure: Measure, found: Row | None) -> Any:
        if found is not None:
            return found.get(measure.name)
        return 0 if measure.name == "count" else None

    def _figure(self, series: Series, number: int) -> float | None:
        panel = self.panel if number in self.numbers else self.earlier
        row = panel.figures.get(series, {}).get(number)
        figure: float | None = row[self.shape.change_of.name] if row is not None else None
        return figure

    def _grown(self, series: Series, number: int) -> Row:
        if self.growth is None:
            return {}
        return {
            "growth_adjusted": self.growth.adjusted(series, number),
            "growth_cells": self.growth.cells_of(series, number),
        }

    def rows(self, series: Series) -> list[Row]:
        """The rows of a series: without gaps, except where it is from a release."""
        # A release does not tell hidden periods from empty ones: no row may say that one is empty.
        known = self.panel.figures[series]
        numbers = self.numbers if self.growth is not None else known
        return [self.row(series, number) for number in numbers]

    def trend(self, answer: Answer, kept: Sequence[Series]) -> Trend:
        """The trend of the series that are kept."""
        rows = [row for series in kept for row in self.rows(series)]
        grown = () if self.growth is None else tuple(GROWTH)
        measures = [m.name for m in self.shape.measures if m.name in answer.columns]
        dimensions = self.shape.periodic(self.interval).columns
        labels = [period_label(n, self.interval) for n in self.numbers]
        cut = [n for n in self.numbers if self._is_cut(n)]
        return Trend(
            interval=self.interval,
            columns=(*dimensions, *measures, *CHANGES, *grown, STATUS),
            rows=rows,
            answer=answer,
            series=len(self.panel.figures) if rows else 0,
            shown=len(kept) if rows else 0,
            periods=(labels[0], labels[-1]) if labels else None,
            period_count=len(labels),
            cut=tuple(period_label(n, self.interval) for n in cut),
            fx_in_change=None if self.growth is None else self.growth.converted,
            growth_left_out=None if self.growth is None else self.growth.left_out,
        )
