"""The job titles that public records of the role state, most frequent first."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from app.core.rows import texts_except
from app.demand.statement import demand_sql
from app.domain.folding import fold
from app.guide.ground import Ground, Row, Table
from app.statistics.grouping import NO_GROUPS
from app.statistics.population import with_default_pay_kind
from app.statistics.statement import placed_sql, salaries_sql
from app.tables import DemandRecord, SalaryRecord

COLUMNS: Final = (
    *("title", "level", "level_name", "level_rank", "focus_area"),
    *("records", "share", "status"),
)
KINDS: Final = texts_except(COLUMNS, whole=("level_rank", "records"), number=("share",))
MOST_SPELLINGS: Final = 10_000
"""Spellings that are read at most, the most frequent ones: a bound on the work."""


async def find_titles(ground: Ground) -> Table:
    """Titles, each once however it is spelled, with the level and focus area they were matched to.

    Of the public records of pay and of demand, beside a release as well: titles of confidential
    sources are in no answer.
    """
    connection = await ground.reading.session.connection()
    found = (await connection.exec_driver_sql(build_titles(ground))).all()
    stating = found[0].stating if found else 0
    rows = _merged(found, stating, ground)
    sources = tuple(sorted({source_id for row in found for source_id in row.sources}))
    about = {"records": stating}
    return Table(COLUMNS, KINDS, rows[: ground.shape.limit], len(rows), about, sources)


def build_titles(ground: Ground) -> str:
    """SQL for `text`, `level_id`, `focus_area`, `records`, `sources` of a title, and `stating`."""
    beside = ground.beside.question
    # Beside a release the question about pay has no records of its own.
    filters = with_default_pay_kind(
        beside.filters if ground.reading.release is not None else ground.reading.filters
    )
    question = replace(ground.reading.question, population=beside.population, filters=filters)
    pay_placed = placed_sql(SalaryRecord, filters, NO_GROUPS) or "true"
    demand_placed = placed_sql(DemandRecord, beside.filters, NO_GROUPS) or "true"
    named = "r.title_id <> 0"
    columns = "SELECT r.title_id, r.source_id"
    pay = f"{columns} {salaries_sql(question)} AND {named} AND {pay_placed}"
    demand = f"{columns} {demand_sql(beside)} AND {named} AND {demand_placed}"
    counted = " ".join(
        (
            "SELECT title_id, count(*) AS records, array_agg(DISTINCT source_id) AS sources",
            f"FROM ({pay} UNION ALL {demand}) AS stated GROUP BY title_id",
        )
    )
    return " ".join(
        (
            "SELECT t.text, t.level_id, t.focus_area, c.records, c.sources,",
            "(sum(c.records) OVER ())::bigint AS stating",
            f"FROM ({counted}) AS c JOIN titles AS t ON t.id = c.title_id",
            f'ORDER BY c.records DESC, t.text COLLATE "C" LIMIT {MOST_SPELLINGS}',
        )
    )


def _merged(found: Iterable[Any], stating: int, ground: Ground) -> Sequence[Row]:
    """One row for each title; spellings come most frequent first."""
    levels = ground.reading.catalogue.levels.by_id
    merged: dict[str, Row] = {}
    for row in found:
        level = levels[row.level_id]
        head = {"level": level.code, "level_name": level.name, "level_rank": level.rank}
        title = {"title": row.text, **head, "focus_area": row.focus_area, "records": 0}
        merged.setdefault(fold(row.text), title)["records"] += row.records
    rows = sorted(merged.values(), key=lambda row: (-row["records"], fold(row["title"])))
    return [{**row, "share": round(row["records"] / stating, 6), "status": "ok"} for row in rows]
