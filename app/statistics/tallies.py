"""Amounts counted by group: what figures are computed from, whatever they were read from.

This module loads numpy: import it where it is used, not when the service starts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from app.cells.strings import bucket_amounts

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

AMOUNT_BITS: Final = 24
"""Annual amounts are below 2**24."""
VALUE_BITS: Final = AMOUNT_BITS
"""Of the keys of pairs: amounts, or numbers of buckets."""
_VALUES: Final = (1 << VALUE_BITS) - 1
_MOST_BITS: Final = 62
_LOW_BITS: Final = 24
_LOW: Final = (1 << _LOW_BITS) - 1


class Ranked(Protocol):
    """The amounts of each group in their order."""

    def at(self, groups: Ints, ranks: Ints) -> Floats:
        """The amount of that rank, from 0 on, in each of the groups."""

    def around(self, groups: Ints, places: Floats) -> tuple[Floats, Floats]:
        """The amounts at the ranks below and above a place between ranks; both are that of the
        rank where it is one."""


@dataclass(frozen=True, slots=True)
class Squares:
    """Sums of squares of whole amounts, exact: `high` * 2**24 + `low`."""

    high: Ints
    low: Ints

    def variances(self, counts: Ints, totals: Ints) -> Floats:
        """Sample variances; NaN for one amount."""
        columns = (counts, totals, self.high, self.low)
        parts = zip(*(column.tolist() for column in columns), strict=True)
        # Whole numbers beyond 64 bits: nothing is lost where large sums are subtracted.
        return np.array(
            [
                (n * ((high << _LOW_BITS) + low) - total * total) / (n * (n - 1))
                if n > 1
                else np.nan
                for n, total, high, low in parts
            ],
            np.float64,
        )


@dataclass(frozen=True, slots=True)
class Made:
    """What figures are made of, and what enters none, over all groups.

    `by_source` counts amounts by the id of their source; `newest` is in days since 1970-01-01.
    `withdrawn` is the last day of an amount that is taken back. `in_doubt`: `newest` may be the day
    of such an amount.
    """

    ranged: int = 0
    rate_pending: int = 0
    one_sided: int = 0
    out_of_bounds: int = 0
    precision: int = 0
    newest: int | None = None
    by_source: Mapping[int, int] = field(default_factory=dict)
    withdrawn: int | None = None
    in_doubt: bool = False

    @property
    def newest_on(self) -> date | None:
        """`newest` as a date."""
        return None if self.newest is None else EPOCH + self.newest * _DAY


EPOCH: Final = date(1970, 1, 1)
_DAY: Final = date(1970, 1, 2) - EPOCH


@dataclass(frozen=True, slots=True)
class Tally:
    """The groups that have amounts, by ascending code: one number for each in every array.

    `variances` are there where they were asked for, `ranked` where amounts were.
    """

    codes: Ints
    counts: Ints
    totals: npt.NDArray[Any]
    variances: Floats | None
    ranked: Ranked | None
    made: Made

    def named(self, codes: Ints) -> "Tally":
        """The same groups, whose codes were places among these codes."""
        return replace(self, codes=codes[self.codes])


@dataclass(frozen=True, slots=True)
class Needs:
    """What measures need of a tally beside counts and totals."""

    amounts: bool = True
    variances: bool = False


@dataclass(frozen=True, slots=True)
class Singles:
    """Amounts one by one: those of a group begin at its `starts`."""

    amounts: npt.NDArray[Any]
    starts: Ints

    def at(self, groups: Ints, ranks: Ints) -> Floats:
        """As Ranked."""
        return np.asarray(self.amounts[self.starts[groups] + ranks], np.float64)

    def around(self, groups: Ints, places: Floats) -> tuple[Floats, Floats]:
        """As Ranked."""
        below, above = np.floor(places), np.ceil(places)
        return self.at(groups, below.astype(np.int64)), self.at(groups, above.astype(np.int64))


@dataclass(frozen=True, slots=True)
class Counted:
    """Values with counts: `until` is how many there are up to each, `before` in earlier groups.

    Values are amounts, or numbers of buckets: then `amounts` has what stands for each bucket.
    """

    values: npt.NDArray[Any]
    until: Ints
    before: Ints
    amounts: Floats | None = None

    def at(self, groups: Ints, ranks: Ints) -> Floats:
        """As Ranked."""
        return self._amounts(self._find(self.before[groups] + ranks))

    def around(self, groups: Ints, places: Floats) -> tuple[Floats, Floats]:
        """As Ranked."""
        below = np.floor(places).astype(np.int64) + self.before[groups]
        found = self._find(below)
        # The next amount is another one where all of this one are used up.
        last = (self.until[found] == below + 1) & (places != np.floor(places))
        return self._amounts(found), self._amounts(found + last)

    def _find(self, ranks: Ints) -> Ints:
        return np.searchsorted(self.until, ranks, side="right")

    def _amounts(self, places: Ints) -> Floats:
        values = self.values[places]
        return values.astype(np.float64) if self.amounts is None else self.amounts[values]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Values with counts, in the order of groups and values: a key is a group's code above
    VALUE_BITS bits of a value. Keys may occur more than once; no count is below 1."""

    keys: Ints
    counts: npt.NDArray[Any]

    @property
    def groups(self) -> Ints:
        """The code of each pair."""
        return self.keys >> VALUE_BITS

    @property
    def values(self) -> Ints:
        """The value of each pair."""
        return self.keys & _VALUES

    def including(self, codes: Ints, values: npt.NDArray[Any], counts: Ints) -> "Pairs":
        """Together with a few others, whose counts may be below zero."""
        if not len(codes):
            return self
        added = pairs_key(codes, values)
        order = np.argsort(added)
        added, counts = added[order], counts[order]
        places = np.searchsorted(self.keys, added)
        keys = np.insert(self.keys, places, added)
        both = np.insert(self.counts.astype(np.int64, copy=False), places, counts)
        if counts.min() < 1:
            starts = starts_of(keys)
            keys, both = keys[starts], sums(both, starts)
            keys, both = keys[both > 0], both[both > 0]
        return Pairs(keys, both)


def pairs_key(codes: npt.NDArray[Any], values: npt.NDArray[Any]) -> Ints:
    """The keys of `Pairs`."""
    return (codes.astype(np.int64) << VALUE_BITS) | values.astype(np.int64)


def order_pairs(
    codes: npt.NDArray[Any], values: npt.NDArray[Any], counts: npt.NDArray[Any]
) -> Pairs:
    """Pairs in their order; counts may be below zero. Codes are below 2**38."""
    codes, values, counts = _sorted_pairs(codes, values, counts)
    return Pairs(pairs_key(codes, values), counts)


def tally_whole(codes: Ints, amounts: Ints, needs: Needs, made: Made) -> Tally:
    """The tally of whole amounts one by one. Codes are below 2**38."""
    found = _packed(codes, amounts)
    assert found is not None, "codes and amounts have bounds"
    keys, (_, bits) = found
    keys.sort()
    groups, values = keys >> bits, keys & ((1 << bits) - 1)
    starts = starts_of(groups)
    counts = np.diff(starts, append=len(groups))
    totals = sums(values, starts)
    variances = None
    if needs.variances:
        squares = values.astype(np.int64) ** 2
        both = Squares(sums(squares >> _LOW_BITS, starts), sums(squares & _LOW, starts))
        variances = both.variances(counts, totals)
    codes = groups[starts].astype(np.int64)
    return Tally(codes, counts, totals, variances, Singles(values, starts), made)


def tally_paid(codes: Ints, amounts: Floats, needs: Needs, made: Made) -> Tally:
    """The tally of amounts that are not whole, one by one."""
    order = np.lexsort((amounts, codes))
    groups, values = codes[order], amounts[order]
    starts = starts_of(groups)
    counts = np.diff(starts, append=len(groups))
    totals = sums(values, starts)
    variances = None
    if needs.variances:
        deviations = values - np.repeat(totals / counts, counts)
        squares = sums(deviations * deviations, starts)
        variances = np.full(len(counts), np.nan)
        np.divide(squares, counts - 1, out=variances, where=counts > 1)
    return Tally(groups[starts], counts, totals, variances, Singles(values, starts), made)


def tally_counted(pairs: Pairs, needs: Needs, made: Made) -> Tally:
    """The tally of whole amounts with counts."""
    groups, values = pairs.groups, pairs.values
    counts = pairs.counts.astype(np.int64)
    until, starts = np.cumsum(counts), starts_of(groups)
    sizes, totals = sums(counts, starts), sums(values * counts, starts)
    variances = None
    if needs.variances:
        squares = values**2
        high, low = (squares >> _LOW_BITS) * counts, (squares & _LOW) * counts
        variances = Squares(sums(high, starts), sums(low, starts)).variances(sizes, totals)
    ranked = Counted(values, until, np.cumsum(sizes) - sizes)
    return Tally(groups[starts], sizes, totals, variances, ranked, made)


def rank_buckets(pairs: Pairs) -> Counted:
    """The amounts of all groups that have any: those that stand for their buckets."""
    values, starts = pairs.values, starts_of(pairs.groups)
    until = np.cumsum(pairs.counts, dtype=np.int64)
    before = np.concatenate((np.zeros(1, np.int64), until))[starts]
    amounts = bucket_amounts(np.arange(int(values.max(initial=0)) + 1))
    return Counted(values, until, before, amounts)


Numbers = npt.NDArray[Any]


def _sorted_pairs(
    codes: Numbers, values: Numbers, counts: Numbers
) -> tuple[Numbers, Numbers, Numbers]:
    """Pairs by group and value. No count is below 1; values may occur more than once."""
    least = min(int(counts.min(initial=0)), 0)
    found = _packed(codes, values, counts if least == 0 else counts - least)
    if found is None:
        order = np.lexsort((values, codes))
        codes, values, counts = codes[order], values[order], counts[order]
    else:
        # The count rides in the low bits: numbers are sorted many times faster than places.
        keys, (_, value_bits, count_bits) = found
        keys.sort()
        counts = keys & ((1 << count_bits) - 1)
        counts = counts if least == 0 else counts.astype(np.int64) + least
        keys >>= count_bits
        values, codes = keys & ((1 << value_bits) - 1), keys >> value_bits
    if least == 0 and counts.all():
        return codes, values, counts
    starts = np.union1d(starts_of(codes), starts_of(values))
    codes, values, counts = codes[starts], values[starts], sums(counts, starts)
    return codes[counts > 0], values[counts > 0], counts[counts > 0]


def _packed(*columns: Numbers) -> tuple[Numbers, list[int]] | None:
    """Columns of numbers from 0 on as one, the first in the highest bits, and the bits of each.

    None where 62 bits are not enough. In 32 bits, where these are: twice as fast to sort.
    """
    bits = [int(column.max(initial=0)).bit_length() for column in columns]
    if sum(bits) > _MOST_BITS:
        return None
    kind: type[Any] = np.uint32 if sum(bits) <= 32 else np.int64
    keys = columns[0].astype(kind)
    for column, width in zip(columns[1:], bits[1:], strict=True):
        keys <<= kind(width)
        keys |= column.astype(kind, copy=False)
    return keys, bits


def starts_of(ordered: npt.NDArray[Any]) -> Ints:
    """Where each run of equal members begins."""
    if not len(ordered):
        return np.zeros(0, np.int64)
    differs = np.concatenate((np.ones(1, np.bool_), ordered[1:] != ordered[:-1]))
    return np.flatnonzero(differs)


def sums(values: npt.NDArray[Any], starts: Ints) -> npt.NDArray[Any]:
    """The sum of each run."""
    wide = None if values.dtype.kind == "f" else np.int64
    return np.add.reduceat(values, starts, dtype=wide) if len(starts) else values[:0]
