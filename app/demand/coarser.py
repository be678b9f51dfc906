"""The nearest coarser question about demand that has data (see `app.statistics.coarser`)."""

from dataclasses import replace
from typing import Any, Final

from app.demand.reading import DemandReading
from app.demand.statement import demand_sql
from app.statistics.coarser import Reach, coarser_filters, counts_sql, first_offer, widest
from app.statistics.grouping import NO_GROUPS, Grouping
from app.statistics.statement import placed_sql
from app.tables import DemandRecord

NAMES_SKILLS: Final = "cardinality(r.skills) > 0"
"""Of the records `r`: those that skills are counted in."""


async def find_nearest_demand(
    reading: DemandReading, records: int, grouping: Grouping = NO_GROUPS, counted: str = "true"
) -> dict[str, Any] | None:
    """For `meta.nearest`, as `find_nearest` of pay; `counted` is SQL for which records `r` count.

    None where the answer has `records`, and where no coarser question has any. Role, source and
    measure are never given up.
    """
    question = reading.question
    candidates = coarser_filters(question.filters, question.catalogue.regions)
    if records or not candidates:
        return None
    wide = replace(question, filters=widest(question.filters))
    placed = placed_sql(DemandRecord, wide.filters, grouping) or "true"
    value = f"CASE WHEN {placed} AND {counted} THEN 1 END"
    reach = Reach(DemandRecord, value, demand_sql(wide, grouping))
    statement = counts_sql(question.filters, question.catalogue, candidates, reach)
    connection = await reading.session.connection()
    counts = (await connection.exec_driver_sql(statement)).one()
    return first_offer(question.filters, candidates, counts)
