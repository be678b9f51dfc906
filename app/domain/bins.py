"""Edges of a histogram: round ones, or so many equal ones; the last bin is open.

Bins hold amounts from their lower edge up to the next one, which belongs to the next bin. The
first bin begins near the lowest percent of the amounts and also takes what lies below it; the last
one begins above the highest percent and has no upper edge. So a few extreme amounts do not squeeze
all others into one bin. Fractions, so that edges are exactly what they look like.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import count as counting
from math import ceil, floor, log
from typing import Final

MAX_BINS: Final = 200
TYPICAL_BINS: Final = 20
"""What the automatic step aims at: it gives between 13 and 28 closed bins."""

ROUND_FACTORS: Final = (Fraction(1), Fraction(2), Fraction(5, 2), Fraction(5))
FINEST_EXPONENT: Final = -5
FINEST: Final = Fraction(1, 10**6)
"""No edge needs more decimals than money has."""

SIGNIFICANT_DIGITS: Final = 3
"""Of the width of equal bins."""


@dataclass(frozen=True, slots=True)
class Bins:
    """`edges` are the lower edges, ascending, `step` apart; None for a single bin."""

    edges: tuple[Fraction, ...]
    step: Fraction | None


def exact(amount: float) -> Fraction:
    """The number that `amount` is written as: 0.1 is one tenth."""
    return Fraction(repr(amount))


def stepped_bins(low: float, high: float, step: Fraction) -> Bins:
    """Bins at multiples of `step`, from the last one up to `low` to the first one above `high`."""
    first, last = floor(exact(low) / step), floor(exact(high) / step) + 1
    return Bins(tuple(step * place for place in range(first, last + 1)), step)


def count_bins(low: float, high: float, step: Fraction) -> int:
    """How many bins `stepped_bins` would make."""
    return floor(exact(high) / step) - floor(exact(low) / step) + 2


def round_bins(low: float, high: float) -> Bins:
    """Bins at multiples of a round step, about 20 of them up to `high`."""
    return stepped_bins(low, high, round_step(_width(low, high) / TYPICAL_BINS))


def least_step(low: float, high: float) -> Fraction:
    """The smallest round step that makes at most MAX_BINS bins."""
    near = (exact(high) - exact(low)) / MAX_BINS
    return next(step for step in round_steps(near) if count_bins(low, high, step) <= MAX_BINS)


def equal_bins(low: float, high: float, count: int) -> Bins:
    """`count` bins, the open one included, as wide as each other up to the first edge above `high`.

    The width is rounded up to 3 digits. `count` is at least 1.
    """
    closed = max(count - 1, 1)
    width = _width(low, high) / closed if high > low else _width(low, high) / TYPICAL_BINS
    unit = max(Fraction(10) ** (_exponent(width) - SIGNIFICANT_DIGITS + 1), FINEST)
    first = floor(exact(low) / unit) * unit
    if count == 1:
        return Bins((first,), None)
    # The next multiple above, never the same: the last edge lies above `high`.
    step = max(floor((exact(high) - first) / closed / unit) + 1, ceil(width / unit)) * unit
    return Bins(tuple(first + step * place for place in range(count)), step)


def round_step(width: Fraction) -> Fraction:
    """The round step nearest to `width` > 0 in proportion."""
    return min(_steps_around(width), key=lambda step: abs(log(step / width)))


def round_steps(width: Fraction) -> Iterator[Fraction]:
    """All round steps from `width` on, ascending."""
    for exponent in counting(max(_exponent(width) if width > 0 else 0, FINEST_EXPONENT)):
        for factor in ROUND_FACTORS:
            step = factor * Fraction(10) ** exponent
            if step >= width:
                yield step


def _steps_around(width: Fraction) -> list[Fraction]:
    exponent = max(_exponent(width), FINEST_EXPONENT)
    steps = [factor * Fraction(10) ** exponent for factor in ROUND_FACTORS]
    return [*steps, Fraction(10) ** (exponent + 1)]


def _exponent(width: Fraction) -> int:
    """The power of ten of the first digit of `width` > 0."""
    exponent = len(str(floor(width))) - 1 if width >= 1 else -len(str(floor(1 / width)))
    return exponent if Fraction(10) ** exponent <= width else exponent - 1


def _width(low: float, high: float) -> Fraction:
    """What the bins are to span: of amounts that are all the same, the amount itself."""
    return (exact(high) - exact(low)) or exact(high) or Fraction(1)
