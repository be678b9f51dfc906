"""What was read of rollups, kept between answers: they change only when compaction changes them.

Between two writes the same questions are asked again and again, and only the entries that are in no
rollup yet differ. What is kept of a question is right for one state of the rollups, which the
snapshot of each answer names (`Versions.merges`).
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from app.statistics.figures_rollups import Base

KEPT_BYTES: Final = 32_000_000
"""Bound of one process: the question that was not asked for the longest is forgotten."""


class KeptRollups:
    """Bases by question. Used from the event loop alone."""

    def __init__(self, limit_bytes: int = KEPT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._bases: OrderedDict[Hashable, tuple[Hashable, Base]] = OrderedDict()
        self.used_bytes = 0

    def find(self, question: Hashable, state: Hashable) -> "Base | None":
        """What is kept of a question in that state of the rollups."""
        known = self._bases.get(question)
        if known is None or known[0] != state:
            return None
        self._bases.move_to_end(question)
        return known[1]

    def keep(self, question: Hashable, state: Hashable, base: "Base") -> None:
        """Keep it, in place of what was known of an earlier state."""
        known = self._bases.pop(question, None)
        if known is not None:
            self.used_bytes -= known[1].size
        self._bases[question] = (state, base)
        self.used_bytes += base.size
        while self.used_bytes > self._limit_bytes:
            _, (_, oldest) = self._bases.popitem(last=False)
            self.used_bytes -= oldest.size
