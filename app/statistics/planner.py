"""Which source answers a question about pay: the cheapest that carries it.

Rollups of roles (exact), rollups of places (amounts within 0.5 %), cells (exact), or the records.
What is not in the rollups yet is added from cells in the same snapshot, so that any of them gives
the figures of the records. This module loads numpy: import it where it is used, not when the
service starts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from app.cells.reading import CellScope, count_entries
from app.cells.rollup_reading import RollupScope, measure_rollups
from app.cells.rollups import GRAINS
from app.cells.strings import MAX_RELATIVE_ERROR, ROLE_PAIR
from app.statistics.cell_reading import are_carried
from app.statistics.entries import scope_of
from app.statistics.figures import needs_of
from app.statistics.filters import LISTS
from app.statistics.reading import Reading
from app.statistics.shape import Shape
from app.statistics.statement import Question
from app.statistics.tiling import is_of_months, tiles_of


class Source(StrEnum):
    """What an answer is computed from."""

    ROLES = "rollups of roles"
    PLACES = "rollups of places"
    CELLS = "cells"
    RECORDS = "records"


@dataclass(frozen=True, slots=True)
class Plan:
    """How a question is answered. `unmerged` counts entries that are to be added to the rollups;
    None: not known."""

    source: Source
    cells: CellScope
    rollups: RollupScope | None = None
    unmerged: int | None = None
    max_relative_error: float = 0


@dataclass(frozen=True, slots=True)
class Costs:
    """What sources would read: entries that match, those of them that are in no rollup yet, and
    pairs of the rollups of roles. None: that source does not carry the question."""

    entries: int
    unmerged: int = 0
    role_pairs: int | None = None
    places: bool = False


@dataclass(frozen=True, slots=True)
class Bounds:
    """`exact_records` and `cell_entries_limit` of the settings; `exact`: whether it was asked."""

    exact_records: int
    most_entries: int
    exact: bool


_DIMENSIONS: Final[Mapping[Source, frozenset[str]]] = MappingProxyType(
    {
        Source.ROLES: frozenset(
            {"role", "level", "source", "pay_kind", "month", "quarter", "year"}
        ),
        Source.PLACES: frozenset(
            {"region", "level", "source", "pay_kind", "month", "quarter", "year"}
        ),
    }
)
"""What rollups are divided by."""
_FILTERS: Final[Mapping[Source, frozenset[str]]] = MappingProxyType(
    {
        Source.ROLES: frozenset({"role", "level", "source", "source_kind", "pay_kind"}),
        Source.PLACES: frozenset(
            {"region", "exclude_region", "level", "source", "source_kind", "pay_kind"}
        ),
    }
)
"""What they can be filtered by, beside windows of whole months."""


def choose_source(costs: Costs, bounds: Bounds, *, needs_amounts: bool) -> Source:
    """The cheapest source that is exact, or that need not be; RECORDS where none fits memory."""
    affordable = costs.unmerged <= bounds.most_entries
    if not needs_amounts and affordable and (costs.places or costs.role_pairs is not None):
        # Counts, sums and squares are exact in both.
        return Source.PLACES if costs.places else Source.ROLES
    wide = costs.entries > bounds.exact_records
    if wide and costs.places and affordable and not bounds.exact:
        return Source.PLACES
    if costs.role_pairs is not None and costs.role_pairs + costs.unmerged <= bounds.most_entries:
        return Source.ROLES
    return Source.CELLS if costs.entries <= bounds.most_entries else Source.RECORDS


def carries(source: Source, question: Question, shape: Shape) -> bool:
    """Whether rollups of that kind hold what is asked: dimensions, filters and window."""
    filters = question.filters
    names = {item.name for item in shape.grouping.dimensions}
    filtered = {name for name in LISTS if getattr(filters, name)}
    return (
        not question.native
        and names <= _DIMENSIONS[source]
        and filtered <= _FILTERS[source]
        and is_of_months(filters.window)
    )


async def plan_answer(reading: Reading, shape: Shape) -> Plan | None:
    """How the question is best answered; None: from the records.

    Raises UnknownValue (422) for roles that are not known.
    """
    if not are_carried(reading) or any(measure.figure is None for measure in shape.computed):
        return None
    question, settings = reading.question, reading.services.settings
    scope, needs = scope_of(question), needs_of(shape)
    bounds = Bounds(settings.exact_records, settings.cell_entries_limit, question.basis.exact)
    roles = rollups_of(Source.ROLES, question, shape)
    places = rollups_of(Source.PLACES, question, shape) if reading.versions.places_sound else None
    costs = await _costs(reading, scope, roles, places, bounds)
    source = choose_source(costs, bounds, needs_amounts=needs.amounts)
    if source is Source.RECORDS:
        return None
    rollups = {Source.ROLES: roles, Source.PLACES: places}.get(source)
    error = MAX_RELATIVE_ERROR if source is Source.PLACES and needs.amounts else 0
    return Plan(source, scope, rollups, costs.unmerged, error)


def rollups_of(source: Source, question: Question, shape: Shape) -> RollupScope | None:
    """Which rollups hold what is asked; None where they do not carry it."""
    if not carries(source, question, shape):
        return None
    cells = scope_of(question)
    names = {item.name for item in shape.grouping.dimensions}
    coarsest = next((name for name in ("month", "quarter") if name in names), "year")
    grain = GRAINS["role"] if source is Source.ROLES else GRAINS["places"]
    return RollupScope(
        grain,
        tiles_of(question.filters.window, coarsest),
        cells.source_ids,
        cells.role_ids if source is Source.ROLES else None,
        cells.pay_kinds,
    )


async def _costs(
    reading: Reading,
    scope: CellScope,
    roles: RollupScope | None,
    places: RollupScope | None,
    bounds: Bounds,
) -> Costs:
    session = reading.session
    if roles is None and places is None:
        return Costs(await count_entries(session, scope))
    unmerged = await count_entries(session, replace(scope, unmerged=True))
    pairs, entries = None, None
    if places is not None:
        entries = (await measure_rollups(session, places)).entries + unmerged
    if roles is not None and (entries is None or bounds.exact or entries <= bounds.exact_records):
        size = await measure_rollups(session, roles)
        pairs, entries = size.pair_bytes // ROLE_PAIR.itemsize, size.entries + unmerged
    return Costs(entries or 0, unmerged, pairs, places=places is not None)
