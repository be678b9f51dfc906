"""One snapshot of the database, and what decides a question about demand in it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.versions import DataVersion
from app.demand.statement import DemandQuestion
from app.dependencies import Services
from app.statistics.envelope import describe_totals
from app.statistics.filters import Filters
from app.statistics.population import (
    DEFAULT_PAY_KINDS,
    decide_population,
    population_of,
    read_ground,
)
from app.statistics.queries import Totals
from app.statistics.reading import Reading
from app.taxonomies.catalogue import Catalogue

PAY_ONLY: Final = ("employment_type", "work_mode", "pay_kind", "paid_in")
"""Filters on what demand records do not state."""


@dataclass(frozen=True, slots=True)
class DemandReading:
    """A snapshot, and the question without its shape."""

    session: AsyncSession
    version: DataVersion
    question: DemandQuestion

    @property
    def filters(self) -> Filters:
        """What was asked."""
        return self.question.filters

    @property
    def catalogue(self) -> Catalogue:
        """The taxonomies of the snapshot."""
        return self.question.catalogue

    def asking(self, filters: Filters) -> "DemandReading":
        """The same snapshot and population with other filters."""
        return replace(self, question=replace(self.question, filters=filters))

    def describe(
        self, totals: Totals, shown: int, left_out: tuple[str, ...] = ("precision",)
    ) -> dict[str, Any]:
        """`meta` of an answer about demand, without the query."""
        question = self.question
        described = describe_totals(
            totals, shown, question.population, question.catalogue, self.version, left_out
        )
        return {"population": "live", **described}


@asynccontextmanager
async def open_demand(
    services: Services, filters: Filters, measure: str | None = None
) -> AsyncIterator[DemandReading]:
    """The reading of a question; `measure` is new, open or None for both.

    Raises UnknownValue, ConfidentialSource (422), Unavailable (503).
    """
    async with services.database.heavy_read() as session:
        versions, sources = await read_ground(session)
        catalogue = await services.catalogue.at(session, versions)
        population = population_of(sources, catalogue, filters)
        question = DemandQuestion(catalogue, population, filters, measure)
        yield DemandReading(session, versions.of(filters.role_ids(catalogue)), question)


async def demand_beside(reading: Reading) -> DemandReading:
    """The public demand that stands beside pay, in the same snapshot.

    Filters on what only pay has do not apply to it. Beside a release, the release's source does
    not either: releases are of pay alone.
    """
    filters = replace(reading.filters, employment_type=(), work_mode=(), pay_kind=(), paid_in=())
    population = reading.question.population
    if reading.release is not None:
        filters = replace(filters, source=(), source_kind=())
        population = await decide_population(reading.session, reading.catalogue, filters)
    question = DemandQuestion(reading.catalogue, population, filters)
    return DemandReading(reading.session, reading.version, question)


def not_of_demand(reading: Reading) -> list[str]:
    """The filters on pay that `demand_beside` does not apply, by name.

    The usual kinds of pay are no filter that anybody asked for.
    """
    filters = reading.filters
    asked = {name for name in PAY_ONLY if getattr(filters, name)}
    if filters.pay_kind == DEFAULT_PAY_KINDS:
        asked.discard("pay_kind")
    if reading.release is not None:
        asked |= {name for name in ("source", "source_kind") if getattr(filters, name)}
    return sorted(asked)
