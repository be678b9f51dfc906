"""GET and POST /v1/salaries/rank."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from app.access.scopes import Scope, requires
from app.core.formats import FORMAT_HELP, choose_format, render_table
from app.core.rows import Kind
from app.dependencies import ServicesDep
from app.statistics.basis import BasisParameters
from app.statistics.coarser import find_nearest
from app.statistics.documentation import META, describe_measures, responses
from app.statistics.kinds import column_kinds
from app.statistics.rank import COLUMNS, FIGURES, check_amounts, find_ranks, parse_amount
from app.statistics.rank_items import RankRequest, parse_items
from app.statistics.rank_many import (
    ITEM_COLUMNS,
    describe_question,
    describe_ranks,
    item_rows,
    rank_questions,
)
from app.statistics.reading import open_reading, parse_question

router = APIRouter(tags=["salaries"])

NOT_KEPT: Final = {"Cache-Control": "no-store"}
"""The amounts are somebody's pay: no cache on the way keeps them."""

_KINDS: Final = {"currency": Kind.TEXT, "pay_period": Kind.TEXT}

_ROW: Final[dict[str, Any]] = {
    "amount": 125000.0,
    "currency": "USD",
    "pay_period": "year",
    "rank": 0.6214,
    "n": 412,
    "rank_low": 0.5737,
    "rank_high": 0.6669,
    "p50": 118500.0,
    "compa_ratio": 1.0549,
    "status": "ok",
}
_QUERY: Final[dict[str, Any]] = {
    "role": ["django-developer"],
    "level": ["senior"],
    "pay_kind": ["base", "unspecified"],
    "from": None,
    "to": None,
    "last": None,
    "window": "all time",
    "bound": "mid",
    "exact": False,
}
_DESCRIBED: Final = {
    name: value for name, value in META.items() if name not in {"groups", "truncated"}
}
_META: Final[dict[str, Any]] = {**_DESCRIBED, "query": {**_QUERY, "amount": 125000.0}}
_ITEMS_META: Final[dict[str, Any]] = {
    "items": 1,
    "questions": [{**_DESCRIBED, "query": _QUERY, "items": 1}],
    "data_version": "4-9f1c2a7b-1204",
}


class RankParameters(BasisParameters):
    """Parameters of one rank."""

    amount: str = Field(
        description="The amount, in `currency` per `pay_period`.", examples=["125000"]
    )


@router.get(
    "/salaries/rank",
    summary="Where an amount stands",
    dependencies=[requires(Scope.STATS_READ)],
    responses=responses(f"One row. {describe_measures(FIGURES.values())}", _ROW, _META, FIGURES),
)
async def get_salary_rank(
    request: Request, services: ServicesDep, parameters: Annotated[RankParameters, Query()]
) -> Response:
    """The share of the records that match the filters and are paid less than `amount`.

    An address ends up in the logs of proxies: POST keeps amounts out of it. With
    population=released the rank is interpolated between the percentiles of the release.
    """
    chosen = choose_format(parameters.format, request.headers.get("accept"))
    amount = parse_amount(parameters.amount)
    filters, basis = parse_question(parameters)
    async with open_reading(services, filters, basis) as reading:
        for error in await check_amounts(reading, [amount]):
            if error is not None:
                raise error
        found = await find_ranks(reading, [amount])
        nearest = await find_nearest(reading, found.totals.records)
    query = {**filters.echo(), **basis.echo(), "amount": float(amount)}
    meta = {"query": query, **describe_ranks(reading, found), "nearest": nearest}
    kinds = column_kinds(COLUMNS, FIGURES, **_KINDS)
    response = await render_table(found.rows, meta, COLUMNS, chosen, "salary-rank", kinds)
    response.headers.update(NOT_KEPT)
    return response


@router.post(
    "/salaries/rank",
    summary="Where many amounts stand",
    dependencies=[requires(Scope.STATS_READ)],
    responses=responses(
        "One row for each item, in their order; `question` is its place in `meta.questions`. "
        f"{describe_measures(FIGURES.values())}",
        {"id": "a-1", **_ROW, "question": 0},
        _ITEMS_META,
        FIGURES,
    ),
)
async def rank_salaries(
    request: Request,
    services: ServicesDep,
    asked: RankRequest,
    format: Annotated[str | None, Query(description=FORMAT_HELP)] = None,
) -> Response:
    """Up to 1,000 amounts at once, each with its own filters, currency and pay period.

    Nothing of it is stored or logged. Where an item cannot be answered as it is, nothing is:
    `errors` names the items and what is wrong with them. `meta.questions` says, for each set of
    records that items are about, how its figures were made.
    """
    chosen = choose_format(format, request.headers.get("accept"))
    questions = parse_items(asked.items)
    async with services.database.heavy_read() as session:
        found = await rank_questions(services, session, questions)
    meta = {
        "items": len(asked.items),
        "questions": [
            describe_question(question, *ranks)
            for question, ranks in zip(questions, found, strict=True)
        ],
        "data_version": str(found[0][0].version),
    }
    rows = item_rows(asked.items, questions, found)
    kinds = column_kinds(ITEM_COLUMNS, FIGURES, **_KINDS, id=Kind.TEXT, question=Kind.WHOLE)
    response = await render_table(rows, meta, ITEM_COLUMNS, chosen, "salary-ranks", kinds)
    response.headers.update(NOT_KEPT)
    return response
