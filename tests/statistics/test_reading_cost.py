"""What is decided before figures are computed: in the answer's snapshot, and in one statement."""

from datetime import date

import pytest
from sqlalchemy import event, text

from app.core.database import Database
from app.core.errors import ConfidentialSource
from app.core.versions import read_versions
from app.dependencies import Services
from app.domain.dates import Window
from app.settings import Settings
from app.statistics.basis import Basis
from app.statistics.filters import Filters
from app.statistics.population import decide_population, population_of, read_ground
from app.statistics.reading import open_reading
from app.taxonomies.catalogue import CatalogueCache
from tests.support.builders import add_records, add_sources, salary

PUBLIC, HIDDEN, DEMO = "survey-a", "survey-b", "demo-z"
_HIDE = text("UPDATE sources SET confidential = true WHERE code = :code")


async def add_both(database: Database) -> None:
    hidden = {"confidential": True}
    await add_sources(database, **{PUBLIC: {}, HIDDEN: hidden, DEMO: {"demo": True}})
    await add_records(database, salary(50_000, source=PUBLIC), salary(60_000, source=HIDDEN))


@pytest.fixture
def services(settings: Settings, database: Database) -> Services:
    return Services(settings, database, CatalogueCache())


async def statements_of(services: Services, filters: Filters, basis: Basis) -> list[str]:
    """The statements that opening a reading runs."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    engine = services.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        async with open_reading(services, filters, basis):
            pass
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return seen


@pytest.mark.parametrize("basis", [Basis(), Basis(currency="EUR"), Basis(currency="GBP")])
async def test_opening_a_reading_is_one_statement_once_taxonomies_and_rates_are_known(
    services: Services, basis: Basis
) -> None:
    filters = Filters(role=("django-developer",))
    await statements_of(services, filters, basis)
    assert len(await statements_of(services, filters, basis)) == 1


async def test_a_rate_that_is_kept_is_that_of_its_currency_and_day(services: Services) -> None:
    known: dict[tuple[str, date], tuple[float | None, date | None]] = {}
    for _ in range(2):
        for currency in ("EUR", "GBP"):
            for day in (date(2022, 1, 2), date(2024, 3, 1)):
                filters = Filters(window=Window(None, day))
                async with open_reading(services, filters, Basis(currency=currency)) as reading:
                    rate = (reading.conversion.rate, reading.conversion.rate_on)
                    assert known.setdefault((currency, day), rate) == rate
    assert len(set(known.values())) == 4


async def test_the_ground_is_what_separate_statements_say(
    services: Services, database: Database
) -> None:
    await add_both(database)
    async with database.read() as session:
        versions, sources = await read_ground(session)
        assert versions == await read_versions(session)
        catalogue = await services.catalogue.at(session, versions)
        codes = {source.id: source.code for source in catalogue.sources}
        by_code = {codes[source.id]: source for source in sources}
        for filters in (Filters(), Filters(source=(PUBLIC,)), Filters(source_kind=("reported",))):
            found = population_of(sources, catalogue, filters)
            assert found == await decide_population(session, catalogue, filters)
            seen = {codes[source_id] for source_id in found.source_ids}
            assert PUBLIC in seen
            assert seen.isdisjoint({HIDDEN, DEMO})
        with pytest.raises(ConfidentialSource):
            population_of(sources, catalogue, Filters(source=(HIDDEN,)))
    assert by_code[PUBLIC].holds
    assert not by_code[HIDDEN].holds
    assert not by_code[DEMO].holds


async def test_a_source_that_has_just_become_confidential_is_gone_at_once(
    services: Services, database: Database
) -> None:
    await add_both(database)
    async with open_reading(services, Filters(), Basis()) as reading:
        known = {source.id: source.code for source in reading.catalogue.sources}
        before = {known[source_id] for source_id in reading.question.population.source_ids}
    async with database.write() as session:
        # Without an advance of the epoch: the taxonomies in memory do not know.
        await session.execute(_HIDE, {"code": PUBLIC})
    async with open_reading(services, Filters(), Basis()) as reading:
        after = {known[source_id] for source_id in reading.question.population.source_ids}
    assert before - after == {PUBLIC}
    with pytest.raises(ConfidentialSource):
        async with open_reading(services, Filters(source=(PUBLIC,)), Basis()):
            pass
