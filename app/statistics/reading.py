"""One snapshot of the database, and all that decides a question about pay in it.

Every route about pay opens a reading; what it then asks goes through `queries.find_statistics`
(records or a release), or, about records only, through a statement of its own over
`statement.value_sql` and `statement.records_sql`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.versions import DataVersion, Versions
from app.dependencies import Services
from app.statistics.adjustment import find_adjustment
from app.statistics.basis import Basis, BasisParameters, parse_basis
from app.statistics.exchange import Conversion, find_conversion
from app.statistics.filters import Filters, parse_filters
from app.statistics.population import (
    NO_RECORDS,
    Release,
    decide_release,
    population_of,
    read_ground,
    with_default_pay_kind,
)
from app.statistics.released import check_released
from app.statistics.statement import Question
from app.taxonomies.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Reading:
    """A snapshot, and the question without its shape.

    `release` is where the figures of `population=released` come from; the question's own population
    is empty then. `kept` holds what was read for one answer and serves the next (see
    `cell_reading.keeping`); None: nothing is kept.
    """

    session: AsyncSession
    versions: Versions
    question: Question
    conversion: Conversion
    base_currency: str
    today: date
    services: Services = field(compare=False, repr=False)
    release: Release | None = None
    kept: dict[Any, Any] | None = field(default=None, compare=False, repr=False)

    @property
    def version(self) -> DataVersion:
        """The version of the data that answers depend on: of the roles that are asked for."""
        return self.versions.of(self.filters.role_ids(self.catalogue))

    @property
    def catalogue(self) -> Catalogue:
        """The taxonomies of the snapshot."""
        return self.question.catalogue

    @property
    def filters(self) -> Filters:
        """What was asked."""
        return self.question.filters

    def describe(self) -> dict[str, Any]:
        """The part of `meta` about population and money."""
        conversion = self.conversion
        released = {} if self.release is None else {"release": self.release.describe()}
        return {
            "population": self.question.basis.population,
            **released,
            "currency": conversion.currency,
            "pay_period": conversion.pay_period,
            "exchange_rate": conversion.rate,
            "exchange_rate_on": conversion.rate_on,
            "unconverted": conversion.unconverted,
            **self.question.adjustment.described,
        }


def parse_question(parameters: BasisParameters) -> tuple[Filters, Basis]:
    """Filters and basis, checked as far as that goes without the database; raises 422s."""
    today = datetime.now(UTC).date()
    return with_default_pay_kind(parse_filters(parameters, today)), parse_basis(parameters)


@asynccontextmanager
async def open_reading(
    services: Services, filters: Filters, basis: Basis
) -> AsyncIterator[Reading]:
    """The reading of a question.

    Raises UnknownValue, Refused, ConfidentialSource (422) for codes, currencies and sources that
    cannot be answered, Unavailable (503).
    """
    async with services.database.heavy_read() as session:
        yield await begin_reading(services, session, filters, basis)


async def begin_reading(
    services: Services, session: AsyncSession, filters: Filters, basis: Basis
) -> Reading:
    """A reading in a snapshot that is open already: for answers of several questions."""
    base, today = services.settings.base_currency, datetime.now(UTC).date()
    versions, sources = await read_ground(session)
    catalogue = await services.catalogue.at(session, versions)
    release, until = None, today
    if basis.is_released:
        check_released(filters, basis)
        release = await decide_release(session, sources, catalogue, filters)
        population, until = NO_RECORDS, release.through
    else:
        population = population_of(sources, catalogue, filters)
    conversion = await find_conversion(session, versions.stamp, base, filters, basis, until)
    question = Question(
        catalogue,
        population,
        filters,
        basis,
        native=basis.is_native(filters, base),
        factor=conversion.factor,
        adjustment=await find_adjustment(session, catalogue, basis, filters, today),
    )
    return Reading(session, versions, question, conversion, base, today, services, release)
