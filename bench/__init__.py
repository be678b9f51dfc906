"""Benchmarks that anyone can repeat: `python -m bench`, on a PostgreSQL of its own.

A benchmark is a module with `async def run(stage: Stage) -> list[Measure]`, registered in
`BENCHMARKS`. Wherever possible it measures against a baseline taken in the same run, so that the
ratio means the same on any machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Where a benchmark is; `rows` is what it runs with unless `--rows` says otherwise.

    `limit_s` is for that many rows: more rows get as much more time.
    """

    module: str
    rows: int
    limit_s: float

    def limit_of(self, rows: int) -> float:
        """Seconds after which it is given up."""
        return self.limit_s * max(1.0, rows / self.rows)


BENCHMARKS: Final[Mapping[str, Benchmark]] = MappingProxyType(
    {
        "import": Benchmark("bench.import_bench", MILLION, 1200),
        "statistics": Benchmark("bench.statistics_bench", MILLION, 900),
        "idle": Benchmark("bench.idle_bench", MILLION, 300),
        "releases": Benchmark("bench.releases_bench", MILLION, 900),
        # The first of these loads the records that all of them use: give it time for that.
        "answers": Benchmark("bench.answers_bench", 10 * MILLION, 1800),
        "shelf": Benchmark("bench.shelf_bench", 10 * MILLION, 1800),
        "start": Benchmark("bench.start_bench", 10 * MILLION, 1200),
        "edge": Benchmark("bench.edge_bench", 10 * MILLION, 1200),
        "blocking": Benchmark("bench.blocking_bench", 10 * MILLION, 1200),
        "freshness": Benchmark("bench.freshness_bench", 10 * MILLION, 1200),
        "polling": Benchmark("bench.polling_bench", 10 * MILLION, 1200),
    }
)
"""By name, in the order in which they run."""


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
