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
from app.statistics.statement import Question, placed_sql, salaries_sql
from app.tables import DemandRecord, SalaryRecord

COLUMNS: Final = (
    *("title", "level", "level_name", "level_rank", "focus_area"),
    *("records", "share", "status"),
)
KINDS: Final = texts_except(COLUMNS, whole=("level_rank", "records"), number=("share",))
MOST_SPELLINGS: Final = 10_000
"""Spellings that are read at most, the most frequent ones: a bound on the work."""
MOST_COUNTED: Final = 100_000
"""Records of pay up to which all are counted, unless exact=true is asked."""
SAMPLED: Final = 20_000
"""Of more, about so many are, on pages drawn at random."""
APPROXIMATE: Final = "approximate"


async def find_titles(ground: Ground) -> Table:
    """Titles, each once however it is spelled, with the level and focus area they were matched to.

    Of the public records of pay and of demand, beside a release as well: titles of confidential
    sources are in no answer. Of very many records a sample is counted, and `method` says so.
    """
    question = _about_titles(ground)
    sample = await _choose_sample(ground, question)
    connection = await ground.reading.session.connection()
    found = (await connection.exec_driver_sql(build_titles(ground, question, sample))).all()
    stating = found[0].stating if found else 0
    rows = _merged(found, stating, ground)
    sources = tuple(sorted({source_id for row in found for source_id in row.sources}))
    about: Row = {"records": stating, "method": "exact"}
    if sample < 1:
        about |= {"method": APPROXIMATE, "sampled_share": sample}
    return Table(COLUMNS, KINDS, rows[: ground.shape.limit], len(rows), about, sources)


def _about_titles(ground: Ground) -> Question:
    """The question about pay whose titles are counted."""
    beside = ground.beside.question
    # Beside a release the question about pay has no records of its own.
    filters = with_default_pay_kind(
        beside.filters if ground.reading.release is not None else ground.reading.filters
    )
    return replace(ground.reading.question, population=beside.population, filters=filters)


async def _choose_sample(ground: Ground, question: Question) -> float:
    """The share of the records of pay that are counted; 1: all.

    Cells hold no titles, and records of a popular role are on every page of the table.
    """
    from app.cells.reading import count_entries
    from app.statistics.entries import scope_of

    if question.basis.exact:
        return 1.0
    held = await count_entries(ground.reading.session, scope_of(question))
    return 1.0 if held <= MOST_COUNTED else round(SAMPLED / held, 6)


def build_titles(ground: Ground, question: Question, sample: float = 1.0) -> str:
    """SQL for `text`, `level_id`, `focus_area`, `records`, `sources` of a title, and `stating`."""
    beside = ground.beside.question
    pay_placed = placed_sql(SalaryRecord, question.filters, NO_GROUPS) or "true"
    demand_placed = placed_sql(DemandRecord, beside.filters, NO_GROUPS) or "true"
    named = "r.title_id <> 0"
    records, weight = salaries_sql(question), "1"
    if sample < 1:
        # The same pages each time: an answer stays what it is while the data do.
        sampled = f" AS r TABLESAMPLE SYSTEM ({sample * 100:.6f}) REPEATABLE (0) "
        records, weight = records.replace(" AS r ", sampled, 1), f"{1 / sample!r}"
    pay = f"SELECT r.title_id, r.source_id, {weight}::float8 AS weight {records}"
    demand = f"SELECT r.title_id, r.source_id, 1 AS weight {demand_sql(beside)}"
    stated = f"{pay} AND {named} AND {pay_placed} UNION ALL {demand} AND {named}"
    counted = " ".join(
        (
            "SELECT title_id, round(sum(weight))::bigint AS records,",
            "array_agg(DISTINCT source_id) AS sources",
            f"FROM ({stated} AND {demand_placed}) AS stated GROUP BY title_id",
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
