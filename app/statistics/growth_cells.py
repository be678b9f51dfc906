"""Composition-adjusted growth computed from cells: equal to the statement of `growth`.

Period by period, so that the arrays stay small. Within one, series and cell of an entry are one
number, the key, and its amount another below it: sorting these puts the amounts of each key in
order, side by side. This module loads numpy: import it where it is used, not when the service
starts.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from app.cells.reading import Entries
from app.cells.strings import currency_code
from app.domain.growth import MIN_CELL_COUNT
from app.domain.periods import MONTHS, periods_per_year
from app.domain.vocabulary import EMPLOYMENT_TYPES, PAY_KINDS, WORK_MODES, word_of
from app.statistics.entries import Mask, matching, part_of, placed, where_all, withdrawn
from app.statistics.grouping import Grouping
from app.statistics.statement import Question
from app.taxonomies.catalogue import Catalogue

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Figures = dict[tuple[Any, ...], dict[int, tuple[float, int]]]

_RECORDED: Final = "recorded_region"
"""The region of a cell, where that of the series is lifted."""
_OF_ROWS: Final = {"role": "role_id", "source": "source_id", "pay_kind": "pay_kind"}
_WORDS: Final = {
    "employment_type": EMPLOYMENT_TYPES,
    "work_mode": WORK_MODES,
    "pay_kind": PAY_KINDS,
}
_WIDEST: Final = 62
"""Bits of a number that is made of key and amount."""
_YEAR_OF_EPOCH: Final = 1970


@dataclass(frozen=True, slots=True)
class Medians:
    """Ascending keys, and the median of each that has enough amounts."""

    keys: Ints
    medians: Floats


@dataclass(frozen=True, slots=True)
class Column:
    """One part of keys: its members ascending, and by each member's id the place among them."""

    name: str
    members: Ints
    places: Ints


@dataclass(frozen=True, slots=True)
class GrowthQuestion:
    """What growth is computed for; `question` has the window of the growth.

    The last dimension of `grouping` is the period, `interval`.
    """

    question: Question
    grouping: Grouping
    interval: str
    base_currency: str

    @property
    def names(self) -> tuple[str, ...]:
        """The dimensions of the series."""
        return tuple(item.name for item in self.grouping.dimensions[:-1])


def growth_figures(asked: GrowthQuestion, entries: Entries) -> Figures:
    """By series and period: growth before it is averaged, and its number of cells.

    `entries` have all three strings.
    """
    columns = _columns(asked, entries)
    medians = {
        number: _medians_of(asked, columns, part)
        for number, part in parts_by_period(entries, asked.interval)
    }
    a_year = periods_per_year(asked.interval)
    below = 1
    for column in columns[len(asked.names) :]:
        below *= len(column.members)
    found: Figures = defaultdict(dict)
    for number, now in medians.items():
        if number - a_year in medians:
            rates = _rates(now, medians[number - a_year], below)
            for series, growth, cells in rates:
                codes = _codes(asked.question.catalogue, columns[: len(asked.names)], series)
                found[codes][number] = (growth, cells)
    return dict(found)


def is_converted(asked: GrowthQuestion, entries: Entries) -> bool:
    """Whether an amount in the window of the question was paid in another currency."""
    for _, part in parts_by_period(entries, asked.interval):
        stated = _is_foreign(part, asked.base_currency) & (part.amounts["amount"] >= 0)
        found = _among_asked(stated, asked, part)
        if 2 * int(withdrawn(part, found).sum()) < len(found):
            return True
    return False


def parts_by_period(entries: Entries, interval: str) -> Iterator[tuple[int, Entries]]:
    """The number of each period, ascending, and its entries; of a month: also of its year only."""
    days = entries.rows["month"].astype("datetime64[D]")
    months = days.astype("datetime64[M]").astype(np.int64) + _YEAR_OF_EPOCH * 12
    numbers = months // MONTHS[interval]
    for number in np.unique(numbers).tolist():
        yield number, part_of(entries, np.flatnonzero(numbers == number))


def _is_foreign(part: Entries, base_currency: str) -> Mask:
    return np.asarray(_places(part)["currency"] != currency_code(base_currency), np.bool_)


def _places(entries: Entries) -> npt.NDArray[Any]:
    if entries.places is None:
        raise ValueError("places were not read")
    return entries.places


def _paid(entries: Entries) -> npt.NDArray[Any]:
    if entries.paid is None:
        raise ValueError("paid amounts were not read")
    return entries.paid


def _among_asked(mask: Mask, asked: GrowthQuestion, part: Entries) -> Ints:
    """The places of the entries of `mask` that the question is about."""
    window, coarsest = asked.question.filters.window, asked.grouping.coarsest
    return where_all(mask, matching(asked.question, part), placed(window, coarsest, part))


def _medians_of(asked: GrowthQuestion, columns: Sequence[Column], part: Entries) -> Medians:
    """The medians of one period: of annual amounts, or of another currency as they were paid."""
    foreign, paid = _is_foreign(part, asked.base_currency), _paid(part)
    used = _among_asked(
        np.where(foreign, ~np.isnan(paid), part.amounts["amount"] >= 0), asked, part
    )
    keys = _keys(asked, columns, part, used)
    taken, apart = withdrawn(part, used), foreign[used]
    home = ~apart
    whole = part.amounts["amount"][used[home]].astype(np.int64)
    found = [medians_by_key(keys[home], whole, taken[home])]
    if apart.any():
        amounts = paid[used[apart]].astype(np.float64)
        found.append(_medians_as_paid(keys[apart], amounts, taken[apart]))
    # No key is in both: a cell has one currency.
    joined = np.concatenate([medians.keys for medians in found])
    order = np.argsort(joined)
    return Medians(joined[order], np.concatenate([m.medians for m in found])[order])


def _columns(asked: GrowthQuestion, entries: Entries) -> list[Column]:
    """The parts of keys: those of the series, then what else divides cells."""
    region = "region" if asked.grouping.region_kind is None else _RECORDED
    names = dict.fromkeys((*asked.names, "role", region, "level", "currency"))
    return [_numbered(name, _ids(name, asked, entries)) for name in names]


def _ids(name: str, asked: GrowthQuestion, entries: Entries) -> npt.NDArray[Any]:
    """The ids that a column holds: one for each entry, or for what is told of rows each row."""
    if name in _OF_ROWS:
        return entries.rows[_OF_ROWS[name]]
    if name == "level":
        return np.asarray(entries.amounts["level"])
    if name in {"employment_type", "work_mode"}:
        kinds = entries.amounts["kinds"]
        return np.asarray(kinds >> 4 if name == "employment_type" else kinds & 15)
    recorded = _places(entries)["region" if name == _RECORDED else name]
    kind = asked.grouping.region_kind
    if name == "region" and kind is not None:
        return np.asarray(lifted(asked.question.catalogue, kind)[recorded])
    return np.asarray(recorded)


def lifted(catalogue: Catalogue, region_kind: str) -> Ints:
    """By the id of a region, that of the region of the kind that it lies in; 0 above it."""
    regions: Mapping[int, Any] = catalogue.regions.by_id
    found = np.zeros(max(regions) + 1, np.int64)
    for id, region in regions.items():
        found[id] = getattr(region, f"{region_kind}_id")
    return found


def _numbered(name: str, ids: npt.NDArray[Any]) -> Column:
    known = np.zeros((int(ids.max()) if len(ids) else 0) + 1, np.bool_)
    known[ids] = True
    return Column(name, np.flatnonzero(known), np.cumsum(known) - 1)


def _keys(asked: GrowthQuestion, columns: Sequence[Column], part: Entries, used: Ints) -> Ints:
    """The key of each entry that is used: its places in all columns, as one number."""
    keys = np.zeros(len(used), np.int64)
    for column in columns:
        if len(column.members) > 1:
            ids = _ids(column.name, asked, part)
            spread = column.name in _OF_ROWS
            of_entries = np.repeat(ids, part.rows["entries"]) if spread else ids
            keys *= len(column.members)
            keys += column.places[of_entries[used]]
    return keys


def _medians_as_paid(keys: Ints, amounts: Floats, taken: Mask) -> Medians:
    """As `medians_by_key`, of amounts that may be fractions, or too large to stand beside a key."""
    whole = amounts.astype(np.int64)
    if (whole == amounts).all() and _bits(keys) + _bits(whole) <= _WIDEST:
        return medians_by_key(keys, whole, taken)
    known, ranks = np.unique(amounts, return_inverse=True)
    return medians_by_key(keys, ranks.astype(np.int64), taken, known)


def _bits(numbers: Ints) -> int:
    return int(numbers.max()).bit_length() if len(numbers) else 0


def medians_by_key(keys: Ints, amounts: Ints, taken: Mask, known: Floats | None = None) -> Medians:
    """The median of each key with enough amounts, `taken` being those that others withdraw.

    `amounts` are places in `known` where that is given; keys and amounts are not below 0.
    """
    bits = _bits(amounts)
    if _bits(keys) + bits > _WIDEST:
        # There can be more keys than numbers, but never so many of them in use.
        members, numbered = np.unique(keys, return_inverse=True)
        found = medians_by_key(numbered.astype(np.int64), amounts, taken, known)
        return Medians(members[found.keys], found.medians)
    both = (keys << bits) | amounts
    both = without(np.sort(both[~taken]), np.sort(both[taken])) if taken.any() else np.sort(both)
    keys, amounts = both >> bits, both & ((1 << bits) - 1)
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    counts = np.diff(starts, append=len(keys))
    starts, counts = starts[counts >= MIN_CELL_COUNT], counts[counts >= MIN_CELL_COUNT]
    values = amounts if known is None else known[amounts]
    return Medians(keys[starts], _middle(values, starts, counts))


def _middle(values: npt.NDArray[Any], starts: Ints, counts: Ints) -> Floats:
    """The median of each run of ascending values, as `percentile_cont` interpolates it."""
    low, high = values[starts + (counts - 1) // 2], values[starts + counts // 2]
    return np.asarray(low + 0.5 * (high - low), np.float64)


def without(numbers: Ints, taken: Ints) -> Ints:
    """Ascending `numbers` without each of `taken` (ascending too), as often as it is there."""
    different, counts = np.unique(taken, return_counts=True)
    first = np.searchsorted(numbers, different)
    held = np.searchsorted(numbers, different, "right") - first
    counts = np.minimum(counts, held)
    offsets = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.delete(numbers, np.repeat(first, counts) + offsets)


def _rates(now: Medians, before: Medians, below: int) -> Iterator[tuple[int, float, int]]:
    """For each series (a key's part above `below`) the median of its cells' growth, their number"""
    keys, current, earlier = np.intersect1d(
        now.keys, before.keys, assume_unique=True, return_indices=True
    )
    bases = before.medians[earlier]
    paired = bases > 0
    series = keys[paired] // below
    growth = now.medians[current[paired]] / bases[paired] - 1
    order = np.lexsort((growth, series))
    series, growth = series[order], growth[order]
    starts = np.flatnonzero(np.diff(series, prepend=-1))
    counts = np.diff(starts, append=len(series))
    figures = _middle(growth, starts, counts)
    yield from zip(series[starts].tolist(), figures.tolist(), counts.tolist(), strict=True)


def _codes(catalogue: Catalogue, columns: Sequence[Column], series: int) -> tuple[str, ...]:
    """The codes of a series, as rows show them."""
    codes = []
    for column in reversed(columns):
        series, place = divmod(series, len(column.members))
        codes.append(code_of(catalogue, column.name, int(column.members[place])))
    return tuple(reversed(codes))


def code_of(catalogue: Catalogue, name: str, member: int) -> str:
    """The code of a dimension's member."""
    if name in _WORDS:
        return word_of(_WORDS[name], member)
    dimensions: Mapping[str, Any] = {
        "role": catalogue.roles,
        "region": catalogue.regions,
        "level": catalogue.levels,
        "industry": catalogue.industries,
        "source": catalogue.sources,
    }
    return str(dimensions[name].by_id[member].code)
