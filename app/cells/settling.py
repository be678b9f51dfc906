"""Entries without those that were withdrawn.

This module loads numpy: import it where it is used, not when the service starts.
"""

from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from app.cells.reading import Entries, Ints
from app.cells.strings import WITHDRAWN

_BIT: Final = WITHDRAWN << 8
"""Where the flag is in the 8 bytes of an entry of `amounts`, read as one number."""
_ROW: Final = ("role_id", "source_id", "pay_kind", "month", "yearly")

Mask = npt.NDArray[np.bool_]


def settle(entries: Entries) -> Entries:
    """The entries without those that were withdrawn, and without what withdrew them.

    Entries that are alike in the strings that were read stand for one another. A withdrawal whose
    entry is not among them, because it is in the rollups already, stays.
    """
    if not (entries.amounts["day"] & WITHDRAWN).any():
        return entries
    kept = _unmatched(entries)
    if kept.all():
        return entries
    row = np.repeat(np.arange(len(entries.rows["entries"])), entries.rows["entries"])
    left = np.bincount(row[kept], minlength=len(entries.rows["entries"]))
    return replace(
        entries,
        rows={**entries.rows, "entries": left},
        amounts=entries.amounts[kept],
        places=None if entries.places is None else entries.places[kept],
        paid=None if entries.paid is None else entries.paid[kept],
    )


def _unmatched(entries: Entries) -> Mask:
    amounts = _numbers(entries.amounts)
    signs, alike = entries.signs, amounts & ~_BIT
    candidates = np.flatnonzero(np.isin(alike, alike[signs < 0]))
    keys = [_row_numbers(entries)[candidates], alike[candidates]]
    keys += [
        _numbers(string)[candidates]
        for string in (entries.places, entries.paid)
        if string is not None
    ]
    order = np.lexsort((-signs[candidates], *keys))
    found = candidates[order]
    kept = np.ones(len(entries), np.bool_)
    kept[found] = _surplus(np.array([key[order] for key in keys]), signs[found])
    return kept


def _surplus(keys: npt.NDArray[Any], signs: Ints) -> Mask:
    """Of entries in the order of their keys, within these what was written first: which are left
    when each withdrawal has cancelled an entry that is alike."""
    begins = np.concatenate((np.ones(1, np.bool_), (keys[:, 1:] != keys[:, :-1]).any(axis=0)))
    starts = np.flatnonzero(begins)
    run = np.cumsum(begins) - 1
    place = np.arange(len(signs)) - starts[run]
    written = np.add.reduceat((signs > 0).astype(np.int64), starts)[run]
    net = np.add.reduceat(signs, starts)[run]
    return np.asarray(np.where(net > 0, place < net, place >= 2 * written), np.bool_)


def _numbers(string: npt.NDArray[Any]) -> Ints:
    """The 8 bytes of each entry of a string as one number."""
    return string.view(">i8").astype(np.int64)


def _row_numbers(entries: Entries) -> Ints:
    """The same number for entries of rows that are alike."""
    rows = np.array([entries.rows[name] for name in _ROW])
    _, same = np.unique(rows, axis=1, return_inverse=True)
    return np.repeat(same.reshape(-1), entries.rows["entries"])
