"""From a tally to the answer: figures of groups, in their order, cut and named.

What `statement.page_sql` does in the database. This module loads numpy: import it where it is used,
not when the service starts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from app.domain.distributions import LATTICE_CORRECTION, MIN_INTERVAL_COUNT, NORMAL_QUANTILE
from app.statistics.axes import Axes, Axis, columns_at
from app.statistics.measures import MEDIAN_INTERVAL, Measure, Unit, inputs_of, percentiles_of
from app.statistics.population import Population
from app.statistics.queries import OK, STATUS, Answer, Totals
from app.statistics.shape import Shape, SortKey, check_groups
from app.statistics.statement import MONEY_DECIMALS, MOST_FLAGGED_SOURCES, Question
from app.statistics.tallies import Floats, Ints, Made, Needs, Tally

Inputs = Mapping[str, Any]


def needs_of(shape: Shape) -> Needs:
    """What a shape needs of its tally."""
    needs_amounts = any(measure.needs_values for measure in shape.computed)
    return Needs(needs_amounts, "stddev" in inputs_of(shape.computed))


def answer_of(
    question: Question, shape: Shape, axes: Axes, tally: Tally, *, max_relative_error: float = 0
) -> Answer:
    """The answer. Raises Refused (422) for too many groups."""
    totals = totals_of(tally, question.population)
    check_groups(totals.groups)
    page = _Page(question, shape, axes, tally)
    return Answer(
        (*shape.columns, STATUS), page.rows(), totals, max_relative_error=max_relative_error
    )


def totals_of(tally: Tally, population: Population) -> Totals:
    """As `queries.read_totals`."""
    made, records = tally.made, int(tally.counts.sum())
    return Totals(
        groups=len(tally.codes),
        records=records,
        ranged=made.ranged,
        rate_pending=made.rate_pending,
        one_sided=made.one_sided,
        out_of_bounds=made.out_of_bounds,
        precision=made.precision,
        newest=made.newest_on if records else None,
        source_ids=_sources(made, population) if records else (),
    )


def _sources(made: Made, population: Population) -> tuple[int, ...]:
    if len(population.source_ids) > MOST_FLAGGED_SOURCES:
        return population.source_ids
    return tuple(id for id in population.source_ids if made.by_source.get(id, 0) > 0)


@dataclass(frozen=True, slots=True)
class _Page:
    question: Question
    shape: Shape
    axes: Axes
    tally: Tally

    def rows(self) -> list[tuple[Any, ...]]:
        shown = self._order()[: self.shape.limit]
        places = self.axes.split(self.tally.codes[shown])
        columns: list[list[Any]] = []
        for axis, at in zip(self.axes.all, places, strict=True):
            columns += columns_at(axis, at)
        inputs = inputs_at(self.tally, shown, self.shape.measures)
        columns += [self._shown(measure, inputs) for measure in self.shape.measures]
        return list(zip(*columns, [OK] * len(shown), strict=True))

    def _order(self) -> Ints:
        """The groups in the order of rows. Ascending codes are the grouping's own order."""
        everyone = np.arange(len(self.tally.codes))
        if not self.shape.sort:
            return everyone
        places = self.axes.split(self.tally.codes)
        measures = [key.measure for key in self.shape.sort if key.measure is not None]
        inputs = inputs_at(self.tally, everyone, measures)
        keys: list[Any] = []
        for key in self.shape.sort:
            if key.measure is None:
                along = zip(self.axes.all, places, strict=True)
                keys += _dimension_keys(key, along)
            else:
                keys += _measure_keys(key, _figures(key.measure, inputs))
        # The last key of lexsort decides first; ties are left in the order of codes.
        return np.lexsort(keys[::-1])

    def _shown(self, measure: Measure, inputs: Inputs) -> list[Any]:
        """Money in the currency and period asked, without the noise of binary fractions."""
        figures = _figures(measure, inputs)
        if isinstance(figures, list):
            return figures
        if measure.unit is Unit.MONEY:
            figures = shown_money(figures, self.question.factor)
        shown: list[Any] = figures.tolist()
        if figures.dtype.kind == "f" and np.isnan(figures).any():
            return [None if figure != figure else figure for figure in shown]
        return shown


def shown_money(figures: Floats, factor: float) -> Floats:
    """As `statement.shown_sql`."""
    scale = 10**MONEY_DECIMALS
    return np.asarray(np.rint(figures * (factor * scale)) / scale, np.float64)


def _figures(measure: Measure, inputs: Inputs) -> Any:
    if measure.figure is None:
        raise ValueError(f"{measure.name} is computed from records")
    return measure.figure(inputs)


def _dimension_keys(key: SortKey, axes: Iterable[tuple[Axis, Ints]]) -> list[Ints]:
    """Descending or not, the unspecified member is last."""
    axis, places = next(item for item in axes if item[0].dimension.name == key.name)
    if not key.descending:
        return [places]
    last = axis.size - 1 if axis.members.unspecified else -1
    return [(places == last).astype(np.int64), -places]


def _measure_keys(key: SortKey, figures: Any) -> list[Any]:
    """Nulls are last either way."""
    if isinstance(figures, list):
        _, figures = np.unique(np.array(figures), return_inverse=True)
    missing = np.isnan(figures) if figures.dtype.kind == "f" else np.zeros(len(figures), np.bool_)
    return [missing, -figures if key.descending else figures]


def inputs_at(tally: Tally, groups: Ints, measures: Iterable[Measure]) -> Inputs:
    """What measures are computed from, for some of the groups."""
    measures = tuple(measures)
    names, counts = inputs_of(measures), tally.counts[groups]
    inputs: dict[str, Any] = {"count": counts}
    if "mean" in names:
        inputs["mean"] = tally.totals[groups] / counts
    if tally.variances is not None:
        inputs["stddev"] = np.sqrt(tally.variances[groups])
    percentiles = percentiles_of(measures)
    inputs |= zip(percentiles, _percentiles(tally, groups, percentiles), strict=True)
    if names.intersection(MEDIAN_INTERVAL):
        inputs |= dict(zip(MEDIAN_INTERVAL, _median_interval(tally, groups), strict=True))
    return inputs


def _percentiles(tally: Tally, groups: Ints, names: list[str]) -> list[Floats]:
    """Linear interpolation as in percentile_cont: between the amounts around (n - 1) p."""
    if not names or tally.ranked is None:
        return []
    shares = np.array([float(Decimal(name[1:]) / 100) for name in names])
    places: Floats = shares[:, None] * (tally.counts[groups] - 1).astype(np.float64)
    low, high = tally.ranked.around(np.broadcast_to(groups, places.shape), places)
    return list(low + (places - np.floor(places)) * (high - low))


def _median_interval(tally: Tally, groups: Ints) -> tuple[Floats, Floats]:
    """x(r) and x(n + 1 - r), NaN below 6 records; r is `distributions.median_rank`."""
    counts = tally.counts[groups]
    low, high = np.full(len(groups), np.nan), np.full(len(groups), np.nan)
    enough = np.flatnonzero(counts >= MIN_INTERVAL_COUNT)
    if tally.ranked is not None and len(enough):
        n = counts[enough]
        quantile = NORMAL_QUANTILE - LATTICE_CORRECTION / n
        rank = np.floor((n + 1) / 2 - np.sqrt(n) / 2 * quantile).astype(np.int64)
        low[enough] = tally.ranked.at(groups[enough], rank - 1)
        high[enough] = tally.ranked.at(groups[enough], n - rank)
    return low, high
