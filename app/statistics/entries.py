"""Which entries of cells a question is about, and with what amounts.

The same conditions that `filters` and `statement` write as SQL over records, as arrays with one
member for each entry. This module loads numpy: import it where it is used, not when the service
starts.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from app.cells.reading import CellScope, Entries
from app.cells.strings import DAY, MONTHLY, WITHDRAWN, currency_code
from app.domain.dates import Window
from app.domain.vocabulary import EMPLOYMENT_TYPES, PAY_KINDS, PRECISIONS, WORK_MODES
from app.statistics.filters import regions_under
from app.statistics.grouping import Grouping
from app.statistics.statement import Question

Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[Any]

_PLACED: Final = ("region", "exclude_region", "industry", "paid_in")
"""Filters that need the string `places`."""


def scope_of(question: Question, window: Window | None = None) -> CellScope:
    """The rows of cells that hold all records matching the filters or touching the window.

    Raises UnknownValue (422) for roles that are not known.
    """
    filters, catalogue = question.filters, question.catalogue
    window = filters.window if window is None else window
    roles = filters.role_ids(catalogue)
    kinds = tuple(sorted(PAY_KINDS[word] for word in filters.pay_kind))
    return CellScope(
        source_ids=question.population.source_ids,
        role_ids=None if roles is None else tuple(sorted(roles)),
        pay_kinds=kinds or None,
        first=window.first,
        last=window.last,
    )


def strings_for(question: Question, *, places: bool = False) -> tuple[str, ...]:
    """The strings of cells that filters and amounts need; `places`: its grouping needs them."""
    filtered = any(getattr(question.filters, name) for name in _PLACED)
    paid = ("paid",) if question.native else ()
    return ("amounts", *(("places",) if places or filtered else ()), *paid)


def matching(question: Question, entries: Entries) -> Mask | None:
    """Which entries match the filters, the window aside; None: all of a scope of `scope_of`.

    Raises UnknownValue (422) for codes that are not known.
    """
    filters, catalogue = question.filters, question.catalogue
    amounts, kinds = entries.amounts, entries.amounts["kinds"]
    masks = []
    if filters.level:
        levels = [catalogue.levels.get(code).id for code in filters.level]
        masks.append(among(amounts["level"], levels))
    if filters.employment_type:
        types = [EMPLOYMENT_TYPES[word] for word in filters.employment_type]
        masks.append(among(kinds >> 4, types))
    if filters.work_mode:
        masks.append(among(kinds & 15, [WORK_MODES[word] for word in filters.work_mode]))
    if entries.places is not None:
        masks += _places(question, entries.places)
    return _all_of(masks)


def _places(question: Question, places: npt.NDArray[Any]) -> list[Mask]:
    filters, catalogue = question.filters, question.catalogue
    masks = []
    wanted = regions_under(catalogue, filters.region)
    unwanted = regions_under(catalogue, filters.exclude_region, "exclude_region")
    if filters.region:
        masks.append(among(places["region"], wanted - unwanted))
    elif filters.exclude_region:
        masks.append(~among(places["region"], unwanted))
    if filters.industry:
        industries = [catalogue.industries.get(code).id for code in filters.industry]
        masks.append(among(places["industry"], industries))
    if filters.paid_in:
        currencies = [currency_code(code) for code in filters.paid_in]
        masks.append(among(places["currency"], currencies))
    return masks


def among(column: npt.NDArray[Any], ids: Collection[int]) -> Mask:
    """As `np.isin`, by looking up: identifiers are small numbers."""
    if not len(column):
        return np.zeros(0, np.bool_)
    known = np.zeros(max(int(column.max()), *ids, 0) + 1, np.bool_)
    known[list(ids)] = True
    return np.asarray(known[column], np.bool_)


def _all_of(masks: Sequence[Mask]) -> Mask | None:
    whole: Mask | None = None
    for mask in masks:
        whole = mask if whole is None else whole & mask
    return whole


def where_all(mask: Mask, *others: Mask | None) -> Ints:
    """The places where all masks are true; None is true everywhere."""
    for other in others:
        mask = mask if other is None else mask & other
    return np.flatnonzero(mask)


def placed(window: Window, coarsest: int | None, entries: Entries) -> Mask | None:
    """Which entries the window and a grouping up to precision `coarsest` can place; None: all."""
    rows = entries.rows
    first, last = _ends(rows)
    inside, outside = np.ones(len(first), np.bool_), np.zeros(len(first), np.bool_)
    if window.first is not None:
        since = _number(window.first)
        inside, outside = inside & (first >= since), outside | (last < since)
    if window.last is not None:
        until = _number(window.last)
        inside, outside = inside & (last <= until), outside | (first > until)
    yearly = rows["yearly"] != 0
    if coarsest is not None and coarsest < PRECISIONS["year"]:
        inside, outside = inside & ~yearly, outside | yearly
    cut = np.flatnonzero(~(inside | outside | yearly))
    if inside.all():
        return None
    found = np.repeat(inside, rows["entries"])
    ends = np.cumsum(rows["entries"])
    for row in cut:
        part = slice(int(ends[row] - rows["entries"][row]), int(ends[row]))
        found[part] = _days_inside(window, entries.amounts["day"][part], first[row], last[row])
    return found


def years_inside(window: Window, years: Ints) -> Mask:
    """Which years, by their first days, lie in a window whole."""
    last = (years.astype("datetime64[D]").astype("datetime64[Y]") + 1).astype("datetime64[D]") - 1
    inside = np.ones(len(years), np.bool_)
    if window.first is not None:
        inside &= years >= _number(window.first)
    if window.last is not None:
        inside &= last.astype(np.int64) <= _number(window.last)
    return inside


def _ends(rows: Mapping[str, Ints]) -> tuple[Ints, Ints]:
    """The first and the last day of each row's month, or year."""
    start = rows["month"].astype("datetime64[D]")
    month = (start.astype("datetime64[M]") + 1).astype("datetime64[D]") - 1
    year = (start.astype("datetime64[Y]") + 1).astype("datetime64[D]") - 1
    last = np.where(rows["yearly"] != 0, year, month)
    return start.astype(np.int64), last.astype(np.int64)


def _days_inside(window: Window, days: npt.NDArray[Any], first: int, last: int) -> Mask:
    on = first - 1 + (days & DAY).astype(np.int64)
    until = np.where(days & MONTHLY, last, on)
    found = np.ones(len(days), np.bool_)
    if window.first is not None:
        found &= on >= _number(window.first)
    if window.last is not None:
        found &= until <= _number(window.last)
    return found


def _number(day: Any) -> int:
    """Days since 1970-01-01."""
    return int(np.datetime64(day, "D").astype(np.int64))


def chosen(question: Question, entries: Entries, grouping: Grouping) -> Ints:
    """The places of the entries that figures are made of: matching, placed, with an amount."""
    amounts = entries.amounts["amount"] >= 0
    if question.native:
        if entries.paid is None:
            raise ValueError("paid amounts were not read")
        amounts = ~np.isnan(entries.paid)
    window = question.filters.window
    return where_all(
        np.asarray(amounts, np.bool_),
        matching(question, entries),
        placed(window, grouping.coarsest, entries),
    )


def values_of(question: Question, entries: Entries, places: Ints) -> npt.NDArray[np.float64]:
    """The yearly amounts of the entries at `places`, before `question.factor`."""
    if question.native and entries.paid is not None:
        return entries.paid[places].astype(np.float64)
    return entries.amounts["amount"][places].astype(np.float64)


def withdrawn(entries: Entries, places: Ints) -> Mask:
    """Which of the entries at `places` withdraw another."""
    return np.asarray(entries.amounts["day"][places] & WITHDRAWN, np.bool_)


def part_of(entries: Entries, rows: Ints) -> Entries:
    """The entries of some rows, by the places of the rows."""
    ends = np.cumsum(entries.rows["entries"])[rows]
    starts = ends - entries.rows["entries"][rows]
    slices = [slice(start, end) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]

    def taken(string: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return (
            string[slices[0]] if len(slices) == 1 else np.concatenate([string[s] for s in slices])
        )

    return Entries(
        {name: column[rows] for name, column in entries.rows.items()},
        taken(entries.amounts),
        None if entries.places is None else taken(entries.places),
        None if entries.paid is None else taken(entries.paid),
    )


def first_count(questions: Sequence[Question], entries: Entries, grouping: Grouping) -> list[int]:
    """How many amounts the first questions have: 0, up to the first that has any.

    `entries` hold those of all questions; the rest are not looked at, and 0 as well.
    """
    found = [0] * len(questions)
    for number, question in enumerate(questions):
        places = chosen(question, entries, grouping)
        found[number] = len(places) - 2 * int(withdrawn(entries, places).sum())
        if found[number]:
            break
    return found
