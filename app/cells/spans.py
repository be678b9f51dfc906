"""Rollups of months, and the quarters and years that are made of them.

This module loads numpy: import it where it is used, not when the service starts.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from anyio import to_thread

from app.cells.rollups import SPANS, Rollup
from app.cells.store import Place, read_rollups, replace_rollups
from app.cells.summing import add_rollups
from app.core.database import WriteSession

_PARTS: Final = {SPANS["quarter"]: SPANS["month"], SPANS["year"]: SPANS["quarter"]}
"""What the rollups of a span are added up from."""


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a period: `rollup` comes to what there is, or (`anew`) takes its place."""

    rollup: Rollup
    anew: bool = False


def place_of(source_id: int, pay_kind: int, month: date, *, yearly: bool) -> Place:
    """Where the entries of a row of cells are added up first."""
    return Place(SPANS["yearly" if yearly else "month"], month, source_id, pay_kind)


async def change_rollups(
    session: WriteSession, grain: int, role_id: int, changes: Mapping[Place, Change]
) -> None:
    """Bring the rollups of months, and of the quarters and years around them, up to date.

    Raises DamagedCells.
    """
    for year in sorted({place.period.year for place in changes}):
        changed = {place: what for place, what in changes.items() if place.period.year == year}
        stored = await read_rollups(session, grain, role_id, _needed(changed))
        rollups = await to_thread.run_sync(changed_rollups, changed, stored)
        await replace_rollups(session, grain, role_id, rollups)


def changed_rollups(
    changes: Mapping[Place, Change], stored: Mapping[Place, Rollup]
) -> dict[Place, Rollup]:
    """The rollups of all spans that differ from what is stored."""
    rollups = {}
    for place, change in changes.items():
        old = None if change.anew else stored.get(place)
        rollups[place] = add_rollups([old, change.rollup] if old else [change.rollup])
    for span in _PARTS:
        for whole in {_around(place, span) for place in changes} - {None}:
            assert whole is not None
            parts = [rollups.get(part) or stored.get(part) for part in _parts_of(whole)]
            rollups[whole] = add_rollups([part for part in parts if part is not None])
    return rollups


def _needed(changes: Collection[Place]) -> list[Place]:
    """What is read: months of changed quarters, quarters of changed years, rollups of years."""
    wholes = {_around(place, span) for place in changes for span in _PARTS}
    parts = {part for whole in wholes if whole is not None for part in _parts_of(whole)}
    return sorted(parts | set(changes))


def _around(place: Place, span: int) -> Place | None:
    """The quarter or year of a month; records of whole years are in none."""
    if place.span == SPANS["yearly"]:
        return None
    first = 1 if span == SPANS["year"] else 3 * ((place.period.month - 1) // 3) + 1
    return place._replace(span=span, period=place.period.replace(month=first, day=1))


def _parts_of(whole: Place) -> list[Place]:
    step, parts = (1, 3) if whole.span == SPANS["quarter"] else (3, 4)
    return [
        whole._replace(
            span=_PARTS[whole.span],
            period=whole.period.replace(month=whole.period.month + step * part),
        )
        for part in range(parts)
    ]
