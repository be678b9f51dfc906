"""Groups as numbers: the place of a group in the order of rows is its code.

A code combines the place of a member along each dimension, so that ascending codes are the
grouping's own order. This module loads numpy: import it where it is used, not when the service
starts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Final

import numpy as np

from app.domain.periods import MONTHS
from app.statistics.grouping import Dimension, Grouping
from app.statistics.members import Members, is_period, members_of, periods_between
from app.statistics.tallies import AMOUNT_BITS, Ints
from app.taxonomies.catalogue import Catalogue

MOST_CODES: Final = 1 << (62 - AMOUNT_BITS)
"""Codes from which on they would not fit beside an amount into 64 bits."""
_JANUARY_1970: Final = 1970 * 12


@dataclass(frozen=True, slots=True)
class Axis:
    """One dimension of an answer: its members, and the place of each id among them."""

    dimension: Dimension
    members: Members
    places: Ints

    @property
    def size(self) -> int:
        """How many places there are."""
        return max(len(self.members.ids), 1)


@dataclass(frozen=True, slots=True)
class Axes:
    """The dimensions of an answer."""

    all: tuple[Axis, ...]

    @property
    def codes(self) -> int:
        """How many codes there may be."""
        return prod(axis.size for axis in self.all)

    def combine(self, ids: Mapping[str, Ints]) -> Ints | int:
        """What the dimensions in `ids` (by name, all of one length) add to codes."""
        whole: Ints | int = 0
        for axis, stride in zip(self.all, self._strides(), strict=True):
            if axis.dimension.name in ids:
                steps = axis.places * stride
                if self.codes < 2**31:
                    steps = steps.astype(np.int32)
                whole = whole + steps[ids[axis.dimension.name]]
        return whole

    def split(self, codes: Ints) -> list[Ints]:
        """The places along each axis that codes are made of."""
        found = zip(self.all, self._strides(), strict=True)
        return [codes // stride % axis.size for axis, stride in found]

    def _strides(self) -> list[int]:
        sizes = [axis.size for axis in self.all]
        return [prod(sizes[place + 1 :]) for place in range(len(sizes))]


def axes_of(grouping: Grouping, catalogue: Catalogue, days: Ints) -> Axes:
    """The axes of a grouping; `days` (since 1970-01-01) are all that there are data of."""
    return Axes(tuple(_axis(item, grouping, catalogue, days) for item in grouping.dimensions))


def _axis(dimension: Dimension, grouping: Grouping, catalogue: Catalogue, days: Ints) -> Axis:
    name = dimension.name
    if is_period(dimension):
        numbers = _numbers(name, days)
        first, last = int(numbers.min(initial=2**31)), int(numbers.max(initial=0))
        members = periods_between(name, first, last)
        # Ids are numbers of periods here; from the first one on, places follow each other.
        return Axis(dimension, members, np.maximum(np.arange(last + 1) - first, 0))
    members = members_of(dimension, catalogue)
    kind = grouping.region_kind if name == "region" else None
    places = catalogue.derived(
        f"places of {name} {kind}", lambda: _places(members, catalogue, kind)
    )
    return Axis(dimension, members, places)


def _places(members: Members, catalogue: Catalogue, kind: str | None) -> Ints:
    """By id of a record's member: the place of the member that it is shown under."""
    place = {id: place for place, id in enumerate(members.ids)}
    found = np.zeros(max(members.ids, default=0) + 1, np.int64)
    for id in members.ids:
        shown = id if kind is None else getattr(catalogue.regions.by_id[id], f"{kind}_id")
        found[id] = place[shown]
    return found


def period_ids(axes: Axes, days: Ints) -> dict[str, Ints]:
    """For `combine`: the periods of days (since 1970-01-01)."""
    names = [axis.dimension.name for axis in axes.all if is_period(axis.dimension)]
    return {name: _numbers(name, days) for name in names}


def _numbers(interval: str, days: Ints) -> Ints:
    """As `app.domain.periods.period_number`."""
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    numbers: Ints = (months + _JANUARY_1970) // MONTHS[interval]
    return numbers


def dense(codes: Ints, most: int) -> tuple[Ints, Ints]:
    """The distinct codes (below `most`), ascending, and which of them each one is."""
    if most > 4 * len(codes) + 65_536:
        distinct, which = np.unique(codes, return_inverse=True)
        return distinct, which.reshape(-1)
    there = np.zeros(most, np.bool_)
    there[codes] = True
    return np.flatnonzero(there), (np.cumsum(there) - 1)[codes]


def columns_at(axis: Axis, places: Ints) -> list[list[Any]]:
    """The columns of a dimension for members at `places`."""
    chosen = places.tolist()
    return [[column[place] for place in chosen] for column in axis.members.columns]
