"""The rank of an amount among published percentiles."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rank:
    """A share from 0 to 1 and the shares that enclose it; `share` None: only those are known."""

    share: float | None
    low: float
    high: float


def rank_among(amount: float, percentiles: Mapping[float, float]) -> Rank:
    """The rank of `amount`, interpolated linearly between `percentiles` (share to amount).

    `low` and `high` are the published shares on either side: how far the rank may be off, whatever
    lies between them. Beyond the outermost percentile no share is given. Of an amount that equals
    one or several percentiles, the middle of them. Raises ValueError without percentiles.
    """
    if not percentiles:
        raise ValueError("no percentiles")
    equal = [share for share, at in percentiles.items() if at == amount]
    if equal:
        return Rank((min(equal) + max(equal)) / 2, min(equal), max(equal))
    below = max((share for share, at in percentiles.items() if at < amount), default=None)
    above = min((share for share, at in percentiles.items() if at > amount), default=None)
    if below is None or above is None:
        return Rank(None, below or 0.0, 1.0 if above is None else above)
    part = (amount - percentiles[below]) / (percentiles[above] - percentiles[below])
    return Rank(below + part * (above - below), below, above)
