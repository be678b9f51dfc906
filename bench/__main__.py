"""`python -m bench [NAME ...] [--rows N]`: run benchmarks and print a table.

Exit status 1 where a bar is missed.
"""

import argparse
import asyncio
import sys
from importlib import import_module

from rich.console import Console
from rich.table import Table

from bench import BENCHMARKS, Measure
from bench.stage import Stage, open_folder, prepare_stage

WIDTH = 140
"""Of the table where it is not shown on a terminal."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}")
    parser.add_argument("--rows", type=int, help="salary rows (1 or 10 million, as each needs)")
    asked = parser.parse_args()
    unknown = set(asked.names) - set(BENCHMARKS)
    if unknown or (asked.rows is not None and asked.rows < 1):
        parser.error(f"names are {', '.join(BENCHMARKS)}; --rows is at least 1")
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    with open_folder() as (url, folder):
        stage = Stage(url, folder, asked.rows or 1)
        run = _run(stage, asked.names or list(BENCHMARKS), asked.rows, console)
        measures = asyncio.run(run)
    console.print(render(measures))
    return 0 if all(measure.passed for measure in measures) else 1


async def _run(stage: Stage, names: list[str], rows: int | None, console: Console) -> list[Measure]:
    measures: list[Measure] = []
    with console.status("Preparing a database ...") as status:
        await prepare_stage(stage)
        for name in names:
            benchmark = BENCHMARKS[name]
            sized = stage.of(rows or benchmark.rows)
            status.update(f"Running {name}, {sized.rows:,} rows ...")
            run = import_module(benchmark.module).run
            found = await asyncio.wait_for(run(sized), benchmark.limit_of(sized.rows))
            # Shown at once as well: a run over all of them takes half an hour.
            console.print(render(found))
            measures += found
    return measures


def render(measures: list[Measure]) -> Table:
    """The table: what was measured, against what, and whether that is good enough."""
    table = Table("name", "baseline", "measured", "ratio", "bar", "")
    for item in measures:
        baseline = "" if item.baseline is None else f"{item.baseline:,.4g} {item.unit}"
        ratio = "" if item.ratio is None else f"{item.ratio:.3f}"
        sign = ">=" if item.at_least else "<="
        bar = "" if item.bar is None else f"{sign} {item.bar:,g}"
        verdict = "" if item.bar is None else ("met" if item.passed else "MISSED")
        table.add_row(item.name, baseline, f"{item.measured:,.4g} {item.unit}", ratio, bar, verdict)
    return table


if __name__ == "__main__":
    sys.exit(main())
