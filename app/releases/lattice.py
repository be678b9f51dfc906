"""The one door to computing a release: population and history in, shown nodes out.

Pure: no SQL, no clock, no chance (the audits' random vectors come from fixed seeds), so the same
input gives the same release, row by row. The work itself is in `app.releases.computation` and the
modules it names; they load NumPy and Polars, so this module imports them when called.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from app.domain.disclosure import Policy

if TYPE_CHECKING:
    import polars as pl

# What a node is, in every frame here: -1 is `all`, except for the period, where 0 is `all`,
# 2025 a year and 20251 a quarter.
ALL: Final = -1
WHOLE_TIME: Final = 0
KEY: Final = ("source", "role", "region", "level", "period")
FIGURES: Final = ("count", "employers", "mean", "p10", "p25", "p50", "p75", "p90")


@dataclass(frozen=True)
class RegionTree:
    """`parent` of each region id; a country's parent is 0, and so is that of a region unknown here.

    Region 0 itself (`unspecified`) is a child of all regions together.
    """

    parent: Mapping[int, int]

    def path(self, region: int) -> tuple[int, ...]:
        """From the country down to the region itself; at most as long as the tree is deep.

        Raises:
            ValueError: the parents of a region go in a circle.
        """
        steps = [region]
        while (above := self.parent.get(steps[-1], 0)) != 0 and steps[-1] != 0:
            if above in steps:
                raise ValueError(f"the parents of region {region} go in a circle")
            steps.append(above)
        return tuple(reversed(steps))


@dataclass(frozen=True)
class History:
    """What was published before in this series.

    `number`: of the release being computed, 1 for the first. `shown`: one row per node of each
    earlier release that showed it: `release`, the columns of `KEY`, `base` and those of `FIGURES`;
    None or empty for the first. `scopes`: of releases 1 to number - 1 in order, the `scope` each
    was computed with (missing ones count as None). `closed`: of the same releases, the last closed
    quarter (20254); without it every period counts as decided since the first release.
    """

    number: int = 1
    shown: "pl.DataFrame | None" = None
    scopes: tuple[frozenset[int] | None, ...] = ()
    closed: tuple[int, ...] = ()


@dataclass(frozen=True)
class ReleaseResult:
    """`nodes`: the shown ones: `KEY`, `base` (the release whose population the figures describe),
    `FIGURES` (int64; counts rounded to `count_step`, money to `money_step`, null where not
    published). `hidden`: nodes with records that are not shown: `KEY`, `records`, `employers`,
    `largest_share` (exact) and `why` (a value of `disclosure.Why`): for administrators only.
    `summary`: how many nodes are `shown`, of which `stale` with earlier figures, and `hidden`, and
    how many are hidden for each reason.
    """

    nodes: "pl.DataFrame"
    hidden: "pl.DataFrame"
    summary: Mapping[str, int] = field(default_factory=dict)


def compute_release(
    population: "pl.DataFrame",
    history: History,
    tree: RegionTree,
    policy: Policy,
    *,
    scope: frozenset[int] | None,
) -> ReleaseResult:
    """Decide what a release shows, and its figures.

    `population`: one row per version of a confidential record that is in the population now or was
    in that of an earlier release of the series; columns `record` (int64), `role`, `region` (as
    stated; 0 unspecified), `level`, `source`, `year` (closed, else 0), `quarter` (20251; closed,
    else 0) (int32), `employer` (int64, 0 not stated), `amount` (int32, a year in the base
    currency), `first` and `last` (int32): the first and last release that held this version. A
    changed record is two versions of one `record`. Versions of now have `last == history.number`.

    `scope`: the source ids to decide anew, None for everything; -1 in it stands for the nodes over
    all sources. Nodes out of scope keep their earlier figures and are never newly shown.

    Raises:
        ValueError: `tree` has a circle, or the population holds later releases than this one.
    """
    from app.releases.computation import Computation

    return Computation.of(population, history, tree, policy, scope).result()
