"""`meta` of an answer: what its rows were made of, and in which money they are."""

from collections.abc import Iterable, Sequence
from typing import Any

from app.core.versions import DataVersion
from app.domain.vocabulary import SOURCE_KINDS, word_of
from app.statistics.population import Population, Release
from app.statistics.queries import Answer, Totals
from app.statistics.reading import Reading
from app.statistics.statement import LEFT_OUT
from app.taxonomies.catalogue import Catalogue


def describe_answer(reading: Reading, answer: Answer) -> dict[str, Any]:
    """`meta` of an answer about pay, without the query."""
    question, totals = reading.question, answer.totals
    described = describe_totals(
        totals, len(answer.rows), question.population, question.catalogue, reading.version
    )
    if reading.release is not None:
        return {**reading.describe(), **described, **describe_rounding(reading.release)}
    coverage = {**described["coverage"], "range_share": range_share(totals)}
    return {
        **reading.describe(),
        **described,
        "method": answer.method,
        "max_relative_error": answer.max_relative_error,
        "coverage": coverage,
    }


def describe_rounding(release: Release) -> dict[str, Any]:
    """How figures of a release are meant: computed exactly, then rounded; nothing is said of what
    entered none, since that would count confidential records."""
    steps = {name: release.policy.get(f"{name}_step") for name in ("count", "money")}
    return {"max_relative_error": None, "rounded_to": steps, "coverage": {}}


def range_share(totals: Totals) -> float | None:
    """The share of the used records that state a range; None without records."""
    return round(totals.ranged / totals.records, 6) if totals.records else None


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
