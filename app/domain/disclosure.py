"""What a release may show: the rules, as pure functions of the facts of groups.

A group is any set of records: a node of the lattice, what is left of a node when others are
subtracted from it, or the records that changed between two releases. Its facts are whole numbers:
records, distinct employers (records without one are one employer together) and the records of its
largest employer. All functions take NumPy arrays of equal shape, one element per group.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

PERCENTILES: Final = (10, 25, 50, 75, 90)


@dataclass(frozen=True)
class Policy:
    """Every number that decides what a release shows (DESIGN section 3, 'Releases').

    `max_share`: an employer's largest share of a group's records. `count_step` and `money_step`:
    what counts and yearly amounts in the base currency are rounded to. `alike_mass` and
    `alike_gap`: a node is hidden when two of its published percentiles that enclose at least this
    share of its records are closer to each other than this fraction of the lower one.
    """

    min_records: int = 5
    min_employers: int = 5
    max_share: float = 0.25
    quartile_records: int = 10
    tail_records: int = 20
    tail_employers: int = 10
    count_step: int = 5
    money_step: int = 1000
    alike_mass: float = 0.4
    alike_gap: float = 0.05


class Why(StrEnum):
    """Why a node with records is not shown; for administrators only."""

    FEW_RECORDS = "few_records"
    FEW_EMPLOYERS = "few_employers"
    ONE_EMPLOYER_DOMINATES = "one_employer_dominates"
    TOO_ALIKE = "too_alike"
    # Hidden to protect others: what a line leaves, what lines together determine, what the
    # rounded figures bound, what percentiles tell of a hidden part.
    PART_OF_A_LINE = "part_of_a_line"
    AUDIT = "audit"
    BOUNDS = "bounds"
    # Meets the minimum now, but too little changed since it was last hidden or shown.
    CHANGE_TOO_SMALL = "change_too_small"
    OUT_OF_SCOPE = "out_of_scope"


class Facts(NamedTuple):
    """Facts of groups; arrays of int64 of one shape."""

    records: "npt.NDArray[np.int64]"
    employers: "npt.NDArray[np.int64]"
    largest: "npt.NDArray[np.int64]"


def meets_minimum(facts: Facts, policy: Policy) -> "npt.NDArray[np.bool_]":
    """True where a group is large and mixed enough to be shown."""
    flags: npt.NDArray[np.bool_] = (
        (facts.records >= policy.min_records)
        & (facts.employers >= policy.min_employers)
        & (facts.largest <= policy.max_share * facts.records)
    )
    return flags


def is_safe(facts: Facts, policy: Policy) -> "npt.NDArray[np.bool_]":
    """True where a group that can be computed gives nobody away: it is empty or large enough."""
    flags: npt.NDArray[np.bool_] = meets_minimum(facts, policy) | (facts.records == 0)
    return flags


def shows_quartiles(facts: Facts, policy: Policy) -> "npt.NDArray[np.bool_]":
    """True where p25, p75 and the mean of a shown node are published."""
    flags: npt.NDArray[np.bool_] = facts.records >= policy.quartile_records
    return flags


def shows_tails(facts: Facts, policy: Policy) -> "npt.NDArray[np.bool_]":
    """True where p10 and p90 of a shown node are published (with them always the quartiles)."""
    flags: npt.NDArray[np.bool_] = (
        shows_quartiles(facts, policy)
        & (facts.records >= policy.tail_records)
        & (facts.employers >= policy.tail_employers)
    )
    return flags


def rounded(values: "npt.NDArray[np.float64 | np.int64]", step: int) -> "npt.NDArray[np.int64]":
    """To the nearest multiple of `step`; halves upwards."""
    import numpy as np

    result: npt.NDArray[np.int64] = (np.floor(values / step + 0.5) * step).astype(np.int64)
    return result


def too_alike(percentiles: "npt.NDArray[np.float64]", policy: Policy) -> "npt.NDArray[np.bool_]":
    """True where published percentiles enclose a large share of a node's records narrowly.

    `percentiles`: shape (nodes, 5) in the order of `PERCENTILES`, NaN where not published. Where
    everybody is paid about the same, knowing that a person is in the node is knowing their pay,
    so the node is hidden as a whole: withholding some percentiles only would say why.
    """
    import numpy as np

    alike = np.zeros(len(percentiles), dtype=bool)
    for low in range(len(PERCENTILES)):
        for high in range(low + 1, len(PERCENTILES)):
            if PERCENTILES[high] - PERCENTILES[low] >= 100 * policy.alike_mass:
                a, b = percentiles[:, low], percentiles[:, high]
                alike |= b - a < policy.alike_gap * a  # a comparison with NaN is false
    return alike


def why_hidden(facts: Facts, policy: Policy) -> "npt.NDArray[np.object_]":
    """The first part of the minimum that each group misses; an empty text where it misses none."""
    import numpy as np

    return np.select(
        [
            facts.records < policy.min_records,
            facts.employers < policy.min_employers,
            facts.largest > policy.max_share * facts.records,
        ],
        [Why.FEW_RECORDS.value, Why.FEW_EMPLOYERS.value, Why.ONE_EMPLOYER_DOMINATES.value],
        default="",
    ).astype(object)
