"""The items of one request ranked: each set of records that they are about is read once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.errors import Refused
from app.dependencies import Services
from app.statistics.coarser import find_nearest
from app.statistics.envelope import describe_answer
from app.statistics.grouping import NO_GROUPS
from app.statistics.queries import Answer
from app.statistics.rank import COLUMNS, Ranks, check_amounts, find_ranks
from app.statistics.rank_items import Errors, RankItem, RankQuestion
from app.statistics.reading import Reading, begin_reading
from app.statistics.released import build_nodes
from app.statistics.statement import salaries_sql

Nearest = Mapping[str, Any] | None
Answered = tuple[Reading, Ranks, Nearest]
"""A question's reading, the ranks of its amounts, and what to ask where it has no records."""

ITEM_COLUMNS: Final = ("id", *COLUMNS, "question")


async def rank_questions(
    services: Services, session: AsyncSession, questions: Sequence[RankQuestion]
) -> list[Answered]:
    """The ranks of each question's amounts, all in one snapshot.

    Raises Refused (422) naming every item that cannot be answered, before anything is counted.
    """
    errors = Errors()
    readings = []
    for question in questions:
        if errors.is_full:
            break
        try:
            readings.append(await _begin(services, session, question, errors))
        except Refused as error:
            errors.add(question.places[0], error)
    errors.check()
    found: list[Answered] = []
    # Questions about the same roles and window read the same cells.
    kept: dict[Any, Any] = {}
    for reading, question in zip(readings, questions, strict=True):
        try:
            ranks = await find_ranks(replace(reading, kept=kept), question.amounts)
            nearest = await find_nearest(reading, ranks.totals.records)
            found.append((reading, ranks, nearest))
        except Refused as error:
            errors.add(question.places[0], error)
    errors.check()
    return found


async def _begin(
    services: Services, session: AsyncSession, question: RankQuestion, errors: Errors
) -> Reading:
    """The reading of a question, its amounts judged. Raises Refused for the question itself."""
    reading = await begin_reading(services, session, question.filters, question.basis)
    _build(reading)
    verdicts = await check_amounts(reading, question.amounts)
    for place, error in zip(question.places, verdicts, strict=True):
        if error is not None and not errors.is_full:
            errors.add(place, error)
    return reading


def _build(reading: Reading) -> None:
    """Build what will be asked of the database: that raises for codes and windows."""
    if reading.release is None:
        salaries_sql(reading.question)
    else:
        build_nodes(reading.question, reading.release, NO_GROUPS)


def item_rows(
    items: Sequence[RankItem],
    questions: Sequence[RankQuestion],
    found: Sequence[Answered],
) -> list[dict[str, Any]]:
    """A row of ITEM_COLUMNS for each item, in their order."""
    rows: list[dict[str, Any]] = [{} for _ in items]
    for number, (question, (_, ranks, _)) in enumerate(zip(questions, found, strict=True)):
        for place, row in zip(question.places, ranks.rows, strict=True):
            rows[place] = {"id": items[place].id, **row, "question": number}
    return rows


def describe_question(
    question: RankQuestion, reading: Reading, ranks: Ranks, nearest: Nearest
) -> dict[str, Any]:
    """For `meta.questions`: how the figures of its items were made."""
    query = {**question.filters.echo(), **question.basis.echo()}
    described = {**describe_ranks(reading, ranks), "nearest": nearest}
    return {"query": query, "items": len(question.places), **described}


def describe_ranks(reading: Reading, ranks: Ranks) -> Mapping[str, Any]:
    """`meta` of ranks in one reading, without the query."""
    rows = [tuple(row.values()) for row in ranks.rows]
    described = describe_answer(reading, Answer(COLUMNS, rows, ranks.totals))
    # There is one group, however many amounts are asked about.
    return {name: value for name, value in described.items() if name not in {"groups", "truncated"}}
