"""`data` and `meta` of an answer: rows in the currency asked, and what they were made of."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from anyio import to_thread

from app.core.formats import THREAD_ROWS
from app.core.versions import DataVersion
from app.domain.vocabulary import SOURCE_KINDS, word_of
from app.statistics.exchange import Conversion
from app.statistics.population import Population
from app.statistics.queries import Answer, Totals
from app.statistics.statement import LEFT_OUT
from app.taxonomies.catalogue import Catalogue

OK: Final = "ok"


async def rows_of(answer: Answer) -> list[dict[str, Any]]:
    """Rows as they are shown: columns of the dimensions, measures, `status`."""
    if len(answer.rows) > THREAD_ROWS:
        return await to_thread.run_sync(_rows_of, answer)
    return _rows_of(answer)


def _rows_of(answer: Answer) -> list[dict[str, Any]]:
    # Not strict: rows are longer than the columns (see Answer).
    return [{**dict(zip(answer.columns, row, strict=False)), "status": OK} for row in answer.rows]


def describe_totals(
    totals: Totals,
    shown: int,
    population: Population,
    catalogue: Catalogue,
    version: DataVersion,
    left_out: Sequence[str] = LEFT_OUT,
) -> dict[str, Any]:
    """The part of `meta` that every grouped answer has."""
    return {
        "method": "exact",
        "max_relative_error": 0,
        "groups": totals.groups,
        "records": totals.records,
        "coverage": {name: getattr(totals, name) for name in left_out},
        "truncated": totals.groups > shown,
        "data_version": str(version),
        "data_as_of": totals.newest,
        "sources": describe_sources(totals.source_ids, catalogue),
        "demo": not population.demo_ids.isdisjoint(totals.source_ids),
    }


def describe_sources(source_ids: Iterable[int], catalogue: Catalogue) -> list[dict[str, Any]]:
    """Sources as they are credited: with licence and address."""
    sources = [catalogue.sources.by_id[source_id] for source_id in source_ids]
    return [
        {
            "code": source.code,
            "name": source.name,
            "kind": word_of(SOURCE_KINDS, source.kind),
            "licence": source.licence,
            "url": source.url,
        }
        for source in sources
    ]


def describe_conversion(conversion: Conversion) -> dict[str, Any]:
    """The part of `meta` about money."""
    return {
        "currency": conversion.currency,
        "pay_period": conversion.pay_period,
        "exchange_rate": conversion.rate,
        "exchange_rate_on": conversion.rate_on,
        "unconverted": conversion.unconverted,
    }


def columns_of(answer: Answer) -> Sequence[str]:
    """The columns of the rows that `rows_of` gives."""
    return (*answer.columns, "status")
