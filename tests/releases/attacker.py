"""An attacker with linear programming, who knows all that releases publish, and the policy.

Unknown are the counts, by pay, of every cell for every interval of releases. The attacker is even
told which of those hold anything, though not how much. Each published figure of any release is a
constraint, as wide as its rounding. What the attacker then tries to prove is in `Finding`.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.optimize import linprog

from app.domain.disclosure import Policy
from app.releases.lattice import ALL, KEY, RegionTree

Floats = npt.NDArray[np.float64]
CELL = ["role", "region", "level", "source", "year", "quarter", "first", "last"]
MONEY_PRECISION = 0.02
BELOW, INSIDE, ABOVE = range(3)


@dataclass(frozen=True)
class Finding:
    """Something proven: `what` of the hidden node at a release, and how closely."""

    what: str
    node: tuple[int, ...]
    release: int
    low: float
    high: float
    truth: float


@dataclass(frozen=True)
class Target:
    """A hidden node with records at a release: its cells, those of them that are in no published
    part of the node, and, for judging, the amounts in these."""

    node: tuple[int, ...]
    release: int
    cells: npt.NDArray[np.bool_]
    secret: npt.NDArray[np.bool_]
    amounts: Floats


def paths(cell: dict[str, int], tree: RegionTree) -> list[tuple[int, ...]]:
    """Keys of all nodes that hold a cell, written independently of the code under test."""
    regions = [ALL, *tree.path(cell["region"])]
    periods = [0, *(p for p in (cell["year"], cell["quarter"]) if p)]
    return [
        (source, role, region, level, period)
        for source in (ALL, cell["source"])
        for role in (ALL, cell["role"])
        for region in regions
        for level in (ALL, cell["level"])
        for period in periods
    ]


class Attacker:
    """`releases`: the published nodes of each, in order, from 1."""

    def __init__(
        self,
        population: pl.DataFrame,
        releases: list[pl.DataFrame],
        tree: RegionTree,
        policy: Policy,
    ) -> None:
        self.policy, self.releases = policy, releases
        groups = population.group_by(CELL, maintain_order=True).agg("amount", "employer", "record")
        self.cells = groups.select(CELL).to_dicts()
        self.amounts = groups["amount"].to_list()
        self.people = [
            list(zip(records, employers, strict=True))
            for records, employers in zip(groups["record"], groups["employer"], strict=True)
        ]
        self.alive = np.array(
            [[c["first"] <= r <= c["last"] for c in self.cells] for r in range(len(releases) + 1)]
        )
        self.holders: dict[tuple[int, ...], npt.NDArray[np.bool_]] = {}
        for i, cell in enumerate(self.cells):
            for key in paths(cell, tree):
                flags = self.holders.setdefault(key, np.zeros(len(self.cells), dtype=bool))
                flags[i] = True
        self.figures = self._figures()
        self.published = np.array([self.members(*figure) for figure in self.figures])

    def _figures(self) -> dict[tuple[tuple[int, ...], int], dict[str, Any]]:
        """What is published of each (node, base); one of those with the very same records."""
        published = {}
        for release in self.releases:
            for row in release.iter_rows(named=True):
                node = tuple(row[name] for name in KEY)
                published[self.members(node, row["base"]).tobytes()] = ((node, row["base"]), row)
        return dict(published.values())

    def members(self, node: tuple[int, ...], release: int) -> npt.NDArray[np.bool_]:
        flags: npt.NDArray[np.bool_] = self.holders[node] & self.alive[release]
        return flags

    def targets(self) -> Iterator[Target]:
        """Every group of cells that is a node at a release and never was published."""
        seen = {self.members(node, base).tobytes() for node, base in self.figures}
        for release in range(1, len(self.releases) + 1):
            for node in self.holders:
                cells = self.members(node, release)
                if cells.any() and cells.tobytes() not in seen:
                    seen.add(cells.tobytes())
                    secret = cells & ~self._published_inside(cells)
                    yield Target(node, release, cells, secret, self._amounts_in(secret))

    def fails(self, cells: npt.NDArray[np.bool_]) -> bool:
        """Whether the records of cells miss the minimum: a record with several versions counts
        once, and for each of its employers."""
        people = {person for i in np.flatnonzero(cells) for person in self.people[i]}
        records = len({record for record, _ in people})
        largest = Counter(employer for _, employer in people)
        return records > 0 and not (
            records >= self.policy.min_records
            and len(largest) >= self.policy.min_employers
            and max(largest.values()) <= self.policy.max_share * records
        )

    def _amounts_in(self, cells: npt.NDArray[np.bool_]) -> Floats:
        chosen = [np.array(self.amounts[i], dtype=float) for i in np.flatnonzero(cells)]
        return np.concatenate([np.zeros(0), *chosen])

    def _published_inside(self, cells: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        parts = self.published[~(self.published & ~cells).any(axis=1)]
        return np.asarray(parts.any(axis=0))

    def findings(self, targets: list[Target]) -> list[Finding]:
        """All that can be proven of these targets."""
        found = []
        counts = _Program(*self.count_rows())
        sums = _Program(*self.sum_rows())
        for target in targets:
            low, high = counts.range(target.cells.astype(float))
            if np.ceil(low - 1e-6) == np.floor(high + 1e-6):
                count = len(self._amounts_in(target.cells))
                found.append(Finding("count", target.node, target.release, low, high, count))
            if counts.least(target.secret.astype(float)) < 1e-6:
                continue  # it may be empty for all that can be known: no pay can be proven in it
            found += self._total(sums, target)
            found += self._pays(target)
        return found

    def _total(self, sums: "_Program", target: Target) -> list[Finding]:
        size = len(self.cells)
        low, high = sums.range(np.concatenate([np.zeros(size), target.secret.astype(float)]))
        if not np.isfinite(high) or high - low > MONEY_PRECISION * (high + low):
            return []
        total = float(target.amounts.sum())
        return [Finding("total", target.node, target.release, low, high, total)]

    def _pays(self, target: Target) -> list[Finding]:
        """Windows as narrow as 2 % around something that must hold a record of the target."""
        found = []
        for low in self._window_starts(target):
            high = low * (1 + MONEY_PRECISION) / (1 - MONEY_PRECISION)
            program = _Program(*self.pay_rows(low, high))
            objective = np.zeros((3, len(self.cells)))
            objective[INSIDE] = target.secret
            least = program.least(objective.ravel())
            if least > 1e-6:
                found.append(Finding("pay", target.node, target.release, low, high, float(least)))
        return found

    def _window_starts(self, target: Target) -> list[float]:
        """Only a window with a record in it can be proven to hold one. Those that start at the
        low end of a published figure hold as much of what is known as any."""
        half = self.policy.money_step / 2
        figures = {
            row[name] - half
            for row in self.figures.values()
            for name in ("p10", "p25", "p50", "p75", "p90")
            if row[name] is not None
        }
        widest = (1 + MONEY_PRECISION) / (1 - MONEY_PRECISION)
        starts = [
            start
            for start in sorted(figures)
            if ((start <= target.amounts) & (target.amounts <= start * widest)).any()
        ]
        return starts[:: max(1, len(starts) // 6)]

    def count_rows(self) -> tuple[Floats, Floats]:
        """Rows a of a x <= b, for the counts of cells."""
        step = self.policy.count_step
        rows, limits = [], []
        for (node, base), row in self.figures.items():
            cells = self.members(node, base).astype(float)
            count = int(row["count"] or 0)
            least = max(count - step // 2, self.policy.min_records)
            rows += [cells, -cells]
            limits += [count + (step - 1) // 2, -least]
        return np.array(rows), np.array(limits, dtype=float)

    def sum_rows(self) -> tuple[Floats, Floats]:
        """For the counts of cells followed by the sums of their pay."""
        counts, limits = self.count_rows()
        half = self.policy.money_step / 2
        rows, more = [], []
        for (node, base), row in self.figures.items():
            if row["mean"] is not None:
                cells = self.members(node, base).astype(float)
                rows.append(np.concatenate([cells * (row["mean"] - half), -cells]))
                rows.append(np.concatenate([cells * -(row["mean"] + half), cells]))
                more += [0.0, 0.0]
        wide = np.hstack([counts, np.zeros_like(counts)])
        return np.vstack([wide, *rows]), np.concatenate([limits, more])

    def pay_rows(self, low: float, high: float) -> tuple[Floats, Floats]:
        """For the counts of cells below, inside and above a window of pay: the order statistics.

        A percentile q at the fraction f of n records has at least f (n - 1) records at or below
        it and (1 - f)(n - 1) at or above.
        """
        counts, limits = self.count_rows()
        rows = [np.tile(row, 3) for row in counts]
        more = list(limits)
        half = self.policy.money_step / 2
        for (node, base), figures in self.figures.items():
            cells = self.members(node, base).astype(float)
            for percent in (10, 25, 50, 75, 90):
                value = figures[f"p{percent}"]
                if value is None:
                    continue
                share = percent / 100
                where = {
                    (BELOW,): value + half < low,
                    (BELOW, INSIDE): value + half <= high,
                }
                for bins, holds in where.items():
                    if holds:
                        rows.append(_at_least(cells, bins, share))
                        more.append(share)
                where = {
                    (ABOVE,): value - half > high,
                    (INSIDE, ABOVE): value - half >= low,
                }
                for bins, holds in where.items():
                    if holds:
                        rows.append(_at_least(cells, bins, 1 - share))
                        more.append(1 - share)
        return np.array(rows), np.array(more)


def _at_least(cells: Floats, bins: tuple[int, ...], share: float) -> Floats:
    """Row of: records in the bins >= share x (all records - 1)."""
    row = np.tile(cells * share, (3, 1))
    for place in bins:
        row[place] -= cells
    return row.ravel()


class _Program:
    """A polyhedron of unknowns >= 0 with rows x <= limits."""

    def __init__(self, rows: Floats, limits: Floats) -> None:
        self.rows, self.limits = rows, limits

    def least(self, objective: Floats) -> float:
        done = linprog(objective, A_ub=self.rows, b_ub=self.limits, method="highs")
        if done.status == 3:
            return -np.inf
        assert done.status == 0, done.message
        return float(done.fun or 0.0)

    def range(self, objective: Floats) -> tuple[float, float]:
        return self.least(objective), -self.least(-objective)


class Algebra:
    """What exact counts would determine: a group of cells whose indicator is a combination of
    those of published nodes, found with the whole null space."""

    def __init__(self, attacker: Attacker) -> None:
        self.attacker = attacker
        rows = attacker.published.astype(float).reshape(-1, len(attacker.cells))
        _, sizes, directions = np.linalg.svd(rows, full_matrices=True)
        rank = int((sizes > 1e-9).sum())
        self.null_space = directions[rank:]

    def determines(self, cells: npt.NDArray[np.bool_]) -> bool:
        return bool(np.abs(self.null_space @ cells.astype(float)).max(initial=0) < 1e-7)

    def findings(self, members: int) -> list[npt.NDArray[np.bool_]]:
        """Groups that miss the minimum and are determined: hidden nodes, and all sets of up to
        `members` cells."""
        groups = [target.cells for target in self.attacker.targets()]
        for size in range(1, members + 1):
            for chosen in combinations(range(len(self.attacker.cells)), size):
                flags = np.zeros(len(self.attacker.cells), dtype=bool)
                flags[list(chosen)] = True
                groups.append(flags)
        return [cells for cells in groups if self.attacker.fails(cells) and self.determines(cells)]
