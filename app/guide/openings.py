"""Where the role is wanted and what for: industries and skills of demand records."""

from typing import Final

from app.core.rows import Kind
from app.demand.measures import MEASURES
from app.demand.queries import find_demand
from app.demand.shape import DemandShape
from app.demand.skills import COLUMNS as SKILL_COLUMNS
from app.demand.skills import KINDS as SKILL_KINDS
from app.demand.skills import find_skills
from app.domain.folding import fold
from app.domain.vocabulary import UNSPECIFIED
from app.guide.ground import Ground, Row, Table
from app.statistics.grouping import DIMENSIONS, Grouping
from app.statistics.kinds import column_kinds
from app.statistics.queries import Totals
from app.statistics.shape import MAX_GROUPS, SortKey

PUBLISHED: Final = "published"


def _about(totals: Totals, **coverage: int) -> Row:
    return {
        "demand_records": totals.records,
        "coverage": {"precision": totals.precision, **coverage},
        "data_as_of": totals.newest,
    }


async def find_industries(ground: Ground) -> Table:
    """Demand by industry, the largest share first; openings of no industry count in the shares."""
    grouping = Grouping((DIMENSIONS["industry"],))
    order = (SortKey("share", descending=True, measure=MEASURES["share"]),)
    shape = DemandShape(grouping, tuple(MEASURES.values()), order, MAX_GROUPS)
    answer = await find_demand(ground.beside, shape)
    words = ground.published_words("industries")
    found = (dict(zip(answer.columns, values, strict=False)) for values in answer.rows)
    rows = [
        {**row, PUBLISHED: fold(row["industry"]) in words}
        for row in found
        if row["industry"] != UNSPECIFIED
    ]
    columns = (*answer.columns[:-1], PUBLISHED, "status")
    return Table(
        columns,
        column_kinds(columns, MEASURES, published=Kind.TRUTH),
        rows[: ground.shape.limit],
        len(rows),
        {"share_of": answer.share_of, **_about(answer.totals)},
        answer.totals.source_ids,
    )


async def find_top_skills(ground: Ground) -> Table:
    """The skills that most demand records name."""
    answer = await find_skills(ground.beside, ground.shape.limit)
    words = ground.published_words("skills")
    rows = [{**row, PUBLISHED: fold(row["skill"]) in words} for row in answer.rows]
    return Table(
        (*SKILL_COLUMNS[:-1], PUBLISHED, "status"),
        {**SKILL_KINDS, PUBLISHED: Kind.TRUTH},
        rows,
        answer.totals.groups,
        _about(answer.totals, no_skills=answer.no_skills),
        answer.totals.source_ids,
    )
