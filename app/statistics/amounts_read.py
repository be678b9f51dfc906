"""The amounts that a question is about, each exact and with how often it occurs: from rollups of
roles where these carry the filters, else from cells.

This module loads numpy: import it where it is used, not when the service starts.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from anyio import to_thread

from app.cells.reading import SMALL, DamagedCells, Entries, read_cells
from app.cells.rollup_reading import Rollups, RollupScope, measure_rollups, read_rollups
from app.cells.rollups import GRAINS, SPANS
from app.cells.strings import ROLE_PAIR
from app.statistics.cell_reading import are_carried, find_entries, kept_entries
from app.statistics.damage import report_damage
from app.statistics.entries import (
    among,
    chosen,
    scope_of,
    strings_for,
    values_of,
    withdrawn,
    years_inside,
)
from app.statistics.filters import Filters
from app.statistics.grouping import NO_GROUPS
from app.statistics.reading import Reading
from app.statistics.statement import Question
from app.statistics.tiling import is_of_months, tiles_of

_OF_ROLES: Final = ("role", "level", "pay_kind", "source", "source_kind", "window", "last")
"""What may be asked of the rollups of roles."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """Yearly amounts in no order, before `question.factor`; `counts` are below 0 where amounts are
    withdrawn."""

    values: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]


async def find_amounts(reading: Reading) -> Amounts | None:
    """The amounts of a question; None where they are not to be had but from the records.

    Raises UnknownValue (422) for codes that are not known.
    """
    if not are_carried(reading):
        return None
    question, strings = reading.question, strings_for(reading.question)
    entries = kept_entries(reading, scope_of(question), strings)
    if entries is None and _is_of_roles(question):
        found = await _from_rollups(reading)
        if found is not None:
            return found
    if entries is None:
        entries = await find_entries(reading, strings)
    return None if entries is None else await _unpacked(question, entries)


def _is_of_roles(question: Question) -> bool:
    rest = {name: getattr(Filters(), name) for name in _OF_ROLES}
    plain = replace(question.filters, **rest) == Filters()
    return plain and not question.native and is_of_months(question.filters.window)


async def _from_rollups(reading: Reading) -> Amounts | None:
    """None where rollups are damaged or hold more than is read at once."""
    question = reading.question
    scope = scope_of(question)
    tiles = tiles_of(question.filters.window)
    rolled = RollupScope(GRAINS["role"], tiles, scope.source_ids, scope.role_ids, scope.pay_kinds)
    size = await measure_rollups(reading.session, rolled)
    if size.pair_bytes > reading.services.settings.cell_entries_limit * ROLE_PAIR.itemsize:
        return None
    try:
        rollups = await read_rollups(reading.session, rolled)
        new = await read_cells(reading.session, replace(scope, unmerged=True))
    except DamagedCells as error:
        await report_damage(reading, error)
        return None
    return _joined(_of_rollups(question, rollups), await _unpacked(question, new))


def _of_rollups(question: Question, rollups: Rollups) -> Amounts:
    rollup = rollups.rollup
    kept = (rollups.rows["span"] != SPANS["yearly"]) | years_inside(
        question.filters.window, rollups.rows["period"]
    )
    heads = np.repeat(kept, rollups.rows["heads"])
    if question.filters.level:
        levels = [question.catalogue.levels.get(code).id for code in question.filters.level]
        heads &= among(rollup.heads["level"], levels)
    pairs = np.repeat(heads, rollup.heads["pairs"])
    return Amounts(rollup.values[pairs].astype(np.float64), rollup.counts[pairs])


async def _unpacked(question: Question, entries: Entries) -> Amounts:
    if len(entries) <= SMALL:
        return of_entries(question, entries)
    return await to_thread.run_sync(of_entries, question, entries)


def of_entries(question: Question, entries: Entries) -> Amounts:
    """The amounts of entries of the question's scope that its figures are made of."""
    places = chosen(question, entries, NO_GROUPS)
    counts = np.where(withdrawn(entries, places), -1, 1)
    return Amounts(values_of(question, entries, places), counts)


def _joined(one: Amounts, other: Amounts) -> Amounts:
    if not len(other.values):
        return one
    return Amounts(
        np.concatenate((one.values, other.values)), np.concatenate((one.counts, other.counts))
    )


def count_at(
    amounts: Amounts, factor: float, thresholds: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Of ascending thresholds: how many amounts times `factor`, rounded to whole numbers, reach
    just so many of them (one more number than thresholds), and how many equal each.
    """
    shown = np.rint(amounts.values * factor)
    place = np.searchsorted(thresholds, shown, "right")
    reached = np.bincount(place, amounts.counts, len(thresholds) + 1)
    equal = shown == np.concatenate(([-1.0], thresholds))[place]
    equals = np.bincount(place[equal], amounts.counts[equal], len(thresholds) + 1)[1:]
    return reached.astype(np.int64), equals.astype(np.int64)
