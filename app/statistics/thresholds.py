"""Where amounts lie among thresholds: what histograms and ranks count.

Amounts are compared as they are shown: in the currency and pay period asked, to as many decimals.
Converting the thresholds instead would leave it to the last bit of a division on which side of an
edge the amounts lie that equal it. Thresholds are bound, not written into the statement: they may
be somebody's pay, and statements are logged by databases.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from anyio import to_thread

from app.statistics.reading import Reading
from app.statistics.statement import MONEY_DECIMALS, Question, salaries_sql, value_sql

if TYPE_CHECKING:
    from app.statistics.amounts_read import Amounts

_SCALE: Final = 10**MONEY_DECIMALS


@dataclass(frozen=True, slots=True)
class Counts:
    """Of ascending thresholds: how many amounts are `below` each and how many `equal` it."""

    below: tuple[int, ...]
    equal: tuple[int, ...]
    total: int

    def between(self) -> list[int]:
        """How many amounts there are from each threshold up to the next; from the last on, all."""
        return [
            after - before
            for before, after in zip(self.below, (*self.below[1:], self.total), strict=True)
        ]


async def count_amounts(reading: Reading, thresholds: Sequence[Fraction]) -> Counts:
    """The counts at `thresholds`, ascending and different, in the currency and period asked.

    From rollups or cells, else one statement over the records; exact either way. Raises
    UnknownValue (422) for codes that are not known.
    """
    from app.statistics.amounts_read import find_amounts

    scaled = [float(round(threshold * _SCALE)) for threshold in thresholds]
    amounts = await find_amounts(reading)
    if amounts is None:
        return await count_records(reading, scaled)
    return await to_thread.run_sync(_count, amounts, reading.question.factor * _SCALE, scaled)


def _count(amounts: "Amounts", factor: float, scaled: Sequence[float]) -> Counts:
    import numpy as np

    from app.statistics.amounts_read import count_at

    reached, equal = count_at(amounts, factor, np.array(scaled))
    below = np.cumsum(reached)[:-1]
    return Counts(tuple(below.tolist()), tuple(equal.tolist()), int(reached.sum()))


async def count_records(reading: Reading, scaled: Sequence[float]) -> Counts:
    """The counts at thresholds that are multiplied with 10**MONEY_DECIMALS, from the records."""
    connection = await reading.session.connection()
    found = await connection.exec_driver_sql(build_counts(reading.question), (list(scaled),))
    counted = [0] * (len(scaled) + 1)
    equal = [0] * len(scaled)
    for row in found.all():
        counted[row.place] += row.records
        if row.on_threshold:
            equal[row.place - 1] += row.records
    below = [sum(counted[: place + 1]) for place in range(len(scaled))]
    return Counts(tuple(below), tuple(equal), sum(counted))


def build_counts(question: Question) -> str:
    """SQL over `$1`, ascending thresholds: `place` (how many of them an amount reaches), whether
    it is equal to the last of these, and how many amounts there are of each.
    """
    shown = f"round(({value_sql(question)})::float8 * {question.factor * _SCALE!r}::float8)"
    return "\n".join(
        (
            "SELECT place, amount = ($1::float8[])[place] AS on_threshold, count(*) AS records",
            "FROM (",
            "SELECT amount, width_bucket(amount, $1::float8[]) AS place FROM (",
            f"SELECT {shown} AS amount {salaries_sql(question)}",
            ") AS shown WHERE amount IS NOT NULL) AS placed GROUP BY 1, 2",
        )
    )
