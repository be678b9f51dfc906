"""Figures of pay from rollups and cells, by the plan of `planner`.

This module loads numpy: import it where it is used, not when the service starts.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import partial

from anyio import to_thread

from app.cells.reading import SMALL, CellScope, DamagedCells, Entries, no_entries
from app.cells.rollup_reading import read_rollups
from app.domain.periods import last_day, period_number
from app.statistics.axes import Axes
from app.statistics.cell_reading import read_entries
from app.statistics.damage import report_damage
from app.statistics.entries import strings_for
from app.statistics.figures import answer_of, needs_of
from app.statistics.figures_cells import needs_places, tally_entries
from app.statistics.figures_rollups import Base, build_base, tally_base
from app.statistics.planner import Plan, Source, plan_answer
from app.statistics.queries import Answer
from app.statistics.reading import Reading
from app.statistics.shape import Shape
from app.statistics.tallies import Needs, Tally

Counting = Callable[[], tuple[Axes, Tally]]


async def find_from_cells(reading: Reading, shape: Shape) -> Answer | None:
    """The figures from rollups or cells; None where only the records can give them.

    Raises UnknownValue for codes that are not known, Refused for too many groups (422).
    """
    plan = await plan_answer(reading, shape)
    if plan is None:
        return None
    try:
        return await answer_plan(reading, shape, plan)
    except DamagedCells as error:
        await report_damage(reading, error)
        return None


async def answer_plan(reading: Reading, shape: Shape, plan: Plan) -> Answer | None:
    """The figures from the source of a plan. Raises DamagedCells, and as `find_from_cells`."""
    if plan.source is Source.CELLS:
        count, size = await _read_cells(reading, shape, plan.cells)
    else:
        count, size = await _read_rollups(reading, shape, plan)
    if size > SMALL:
        axes, tally = await to_thread.run_sync(count)
    else:
        axes, tally = count()
    if tally.made.in_doubt and tally.made.newest_on is not None:
        newest = await _find_newest(reading, shape, plan.cells, tally.made.newest_on)
        if newest is None:
            return None
        tally = replace(tally, made=replace(tally.made, newest=newest))

    def finish() -> Answer:
        return answer_of(
            reading.question, shape, axes, tally, max_relative_error=plan.max_relative_error
        )

    return await to_thread.run_sync(finish) if size > SMALL else finish()


async def _read_cells(reading: Reading, shape: Shape, scope: CellScope) -> tuple[Counting, int]:
    question, grouping, needs = reading.question, shape.grouping, needs_of(shape)
    entries = await _entries(reading, shape, scope)
    return lambda: tally_entries(question, grouping, entries, needs), len(entries)


async def _read_rollups(reading: Reading, shape: Shape, plan: Plan) -> tuple[Counting, int]:
    question, grouping, needs = reading.question, shape.grouping, needs_of(shape)
    if plan.unmerged == 0:
        unmerged = no_entries(strings_for(question, places=needs_places(grouping)))
    else:
        unmerged = await _entries(reading, shape, replace(plan.cells, unmerged=True))
    base = await _find_base(reading, shape, plan, unmerged)
    size = len(base.pairs.keys) + len(base.heads) + len(unmerged)
    return lambda: (base.axes, tally_base(question, grouping, base, unmerged, needs)), size


async def _find_base(reading: Reading, shape: Shape, plan: Plan, unmerged: Entries) -> Base:
    """What rollups add: kept from an answer before, or read."""
    question, grouping, needs = reading.question, shape.grouping, needs_of(shape)
    assert plan.rollups is not None
    kept, days = reading.services.kept_rollups, unmerged.rows["month"]
    asked = (plan.rollups, replace(question.filters, last=None), *grouping.names, needs)
    about = (*asked, grouping.region_kind)
    # A restored database may count its compactions again.
    state = (reading.versions.merges, reading.versions.stamp, reading.services.freshness.resets)
    base = kept.find(about, state)
    if base is not None and base.reaches(days):
        return base
    rollups = await read_rollups(reading.session, plan.rollups, with_pairs=needs.amounts)
    build = partial(build_base, question, grouping, rollups, days, needs)
    size = len(rollups.rollup.values) + len(rollups.rollup.heads)
    base = await to_thread.run_sync(build) if size > SMALL else build()
    kept.keep(about, state, base)
    return base


async def _entries(reading: Reading, shape: Shape, scope: CellScope) -> Entries:
    strings = strings_for(reading.question, places=needs_places(shape.grouping))
    return await read_entries(reading, scope, strings)


async def _find_newest(reading: Reading, shape: Shape, scope: CellScope, day: date) -> int | None:
    """The newest day of an amount, where it is in the month of `day`; None where it is before."""
    last = last_day(period_number(day, "month"), "month")
    month = replace(scope, first=day.replace(day=1), last=last)
    entries = await _entries(reading, shape, month)
    _, tally = tally_entries(reading.question, shape.grouping, entries, Needs(amounts=False))
    return tally.made.newest
