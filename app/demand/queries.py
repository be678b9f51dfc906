"""Demand statistics: the statement run, its rows read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.demand.reading import DemandReading
from app.demand.shape import DemandShape
from app.demand.statement import TOTALS, build_demand
from app.statistics.queries import Answer, Totals
from app.statistics.shape import check_groups


@dataclass(frozen=True, slots=True)
class DemandAnswer(Answer):
    """`share_of` says what shares are of: open or new; None without rows."""

    share_of: str | None = None


async def find_demand(reading: DemandReading, shape: DemandShape) -> DemandAnswer:
    """The figures.

    Raises UnknownValue for codes that are not known, Refused for too many groups (422).
    """
    connection = await reading.session.connection()
    found = (await connection.exec_driver_sql(build_demand(reading.question, shape))).all()
    columns = (*shape.grouping.columns, *(measure.name for measure in shape.measures), "status")
    totals, has_open = read_totals(found[0][-len(TOTALS) :])
    check_groups(totals.groups)
    if not totals.groups:
        return DemandAnswer(columns, [], totals)
    return DemandAnswer(columns, found, totals, "open" if has_open else "new")


def read_totals(columns: Sequence[Any]) -> tuple[Totals, bool]:
    """The totals from the columns of TOTALS, and whether there are open positions."""
    values = dict(zip(TOTALS, columns, strict=True))
    has_open = bool(values.pop("has_open"))
    source_ids = tuple(values.pop("sources") or ())
    return Totals(**values, source_ids=source_ids), has_open
