"""The entries of cells that a question is answered from, read once for several answers.

What loads numpy is imported inside: this module is loaded when the service starts.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from app.domain.dates import Window
from app.statistics.reading import Reading

if TYPE_CHECKING:
    from app.cells.reading import CellScope, Entries


def are_carried(reading: Reading) -> bool:
    """Whether cells hold what the question is about, and all of it.

    They have the middle of ranges, unadjusted; cells of roles that are behind their records are
    not answered from.
    """
    question = reading.question
    if question.basis.is_released or question.basis.bound != "mid":
        return False
    if question.adjustment.factor is not None:
        return False
    roles = reading.filters.role_ids(reading.catalogue)
    unsound = reading.versions.unsound
    return not unsound if roles is None else unsound.isdisjoint(roles)


def keeping(reading: Reading) -> Reading:
    """The same reading, whose entries are kept for the answers that follow in its snapshot."""
    return reading if reading.kept is not None else replace(reading, kept={})


def exactly(reading: Reading) -> Reading:
    """The same reading, answered with exact figures only."""
    basis = replace(reading.question.basis, exact=True)
    return replace(reading, question=replace(reading.question, basis=basis))


async def are_too_many(reading: Reading, window: Window | None = None) -> bool:
    """Whether the question, in its window or another, is about more entries than are held."""
    from app.cells.reading import count_entries
    from app.statistics.entries import scope_of

    scope = scope_of(reading.question, window)
    return await count_entries(reading.session, scope) > _most(reading)


def _most(reading: Reading) -> int:
    return reading.services.settings.cell_entries_limit


async def find_entries(
    reading: Reading, strings: Iterable[str], window: Window | None = None
) -> "Entries | None":
    """The entries of the question's scope, in its window or another, with just those strings.

    None where they must not be answered from (`are_carried`), are damaged, or are more than
    `cell_entries_limit`. Raises UnknownValue (422) for roles that are not known.
    """
    from app.cells.reading import DamagedCells
    from app.statistics.damage import report_damage
    from app.statistics.entries import scope_of

    if not are_carried(reading):
        return None
    scope, wanted = scope_of(reading.question, window), tuple(strings)
    if kept_entries(reading, scope, wanted) is None and await are_too_many(reading, window):
        return None
    try:
        return await read_entries(reading, scope, wanted)
    except DamagedCells as error:
        await report_damage(reading, error)
        return None


async def read_entries(reading: Reading, scope: "CellScope", strings: Collection[str]) -> "Entries":
    """The entries of a scope with just those strings, kept where the reading is to keep them.

    Raises DamagedCells.
    """
    from app.cells.reading import read_cells

    found = kept_entries(reading, scope, strings)
    if found is not None:
        return found
    found = await read_cells(reading.session, scope, sorted(strings))
    if reading.kept is not None:
        reading.kept.pop(scope, None)
        reading.kept[scope] = found
        # The oldest go first: all together are no more than one answer may read.
        while sum(map(len, reading.kept.values())) > _most(reading):
            del reading.kept[next(iter(reading.kept))]
    return found


def kept_entries(
    reading: Reading, scope: "CellScope", strings: Collection[str]
) -> "Entries | None":
    """The entries of that scope with just those strings, if an answer before has read them."""
    held: Entries | None = (reading.kept or {}).get(scope)
    if held is None or any(getattr(held, name) is None for name in strings):
        return None
    places = held.places if "places" in strings else None
    return replace(held, places=places, paid=held.paid if "paid" in strings else None)
