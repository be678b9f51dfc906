"""Benchmarks that anyone can repeat: `python -m bench`, on a PostgreSQL of its own.

A benchmark is a module with `async def run(stage: Stage) -> list[Measure]`, registered in
`BENCHMARKS`. Wherever possible it measures against a baseline taken in the same run, so that the
ratio means the same on any machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

BENCHMARKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "import": "bench.import_bench",
        "statistics": "bench.statistics_bench",
        "idle": "bench.idle_bench",
        "releases": "bench.releases_bench",
    }
)
"""Name to module, in the order in which they run."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One line of the table.

    `bar` is about `ratio` where there is a baseline, about `measured` otherwise; `at_least` says
    which side of it is good. A measure without a bar is shown for information.
    """

    name: str
    measured: float
    unit: str
    baseline: float | None = None
    bar: float | None = None
    at_least: bool = False

    @property
    def ratio(self) -> float | None:
        """Measured / baseline; None without a baseline."""
        return None if self.baseline is None else self.measured / self.baseline

    @property
    def passed(self) -> bool:
        """Whether the bar is met; true where there is none."""
        if self.bar is None:
            return True
        judged = self.measured if self.ratio is None else self.ratio
        return judged >= self.bar if self.at_least else judged <= self.bar
