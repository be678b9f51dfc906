"""Seed taxonomies in the database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlalchemy import delete, select, text, update

from app.core.database import Database, WriteSession
from app.core.versions import read_version
from app.domain.vocabulary import REGION_KINDS
from app.tables import Benchmark, Epoch, Level, Region, Role, TitleAlias
from app.taxonomies.catalogue import CatalogueCache
from app.taxonomies.seeding import SeedReport, fingerprint, seed


async def _forget(session: WriteSession) -> None:
    """Make the next seeding look at every row again."""
    await session.execute(update(Epoch).values(seeded=None))


@asynccontextmanager
async def _undone(database: Database) -> AsyncIterator[WriteSession]:
    """A transaction that leaves nothing."""

    class Undo(Exception):
        pass

    with suppress(Undo):
        async with database.write() as session:
            yield session
            raise Undo


async def test_a_second_run_changes_nothing(database: Database) -> None:
    async with database.write() as session:
        before = await read_version(session)
        assert await session.scalar(select(Epoch.seeded)) == fingerprint()
        assert await seed(session) == SeedReport()
        await _forget(session)
        assert await seed(session) == SeedReport()
        assert await read_version(session) == before


async def test_what_an_administrator_changed_stays(database: Database) -> None:
    async with _undone(database) as session:
        await session.execute(update(Level).where(Level.code == "mid").values(name="Middling"))
        await _forget(session)
        assert not (await seed(session)).changed
        assert await session.scalar(select(Level.name).where(Level.code == "mid")) == "Middling"


async def test_what_is_missing_comes_back_and_every_answer_is_renewed(database: Database) -> None:
    async with _undone(database) as session:
        assert await session.get(TitleAlias, "django engineer") is not None
        await session.execute(delete(Region).where(Region.code == "US-CA-SFO"))
        await session.execute(delete(TitleAlias).where(TitleAlias.text == "django engineer"))
        await session.execute(delete(Benchmark).where(Benchmark.low == 85_000))
        await _forget(session)
        before = await read_version(session)
        assert await seed(session) == SeedReport(regions=1, titles=1, benchmarks=1)
        assert (await read_version(session)).epoch == before.epoch + 1


async def test_a_metro_area_knows_all_that_it_lies_in(database: Database) -> None:
    async with database.read() as session:
        catalogue, _ = await CatalogueCache().current(session)
    regions = catalogue.regions
    metro, state, country = (regions.get(code) for code in ("US-CA-SFO", "US-CA", "US"))
    assert metro.ancestors == (metro.id, state.id, country.id)
    assert (metro.country_id, metro.subdivision_id, metro.metro_id) == (
        country.id,
        state.id,
        metro.id,
    )
    assert (state.country_id, state.subdivision_id, state.metro_id) == (country.id, state.id, 0)
    assert country.ancestors == (country.id,)


async def test_every_region_stands_under_its_parent(database: Database) -> None:
    async with database.read() as session:
        wrong = await session.scalars(
            text(
                "SELECT r.code FROM regions r LEFT JOIN regions p ON p.id = r.parent_id WHERE"
                " r.ancestors <> ARRAY[r.id] || coalesce(p.ancestors, '{}')"
                " OR (r.id > 0 AND r.country_id = 0)"
            )
        )
        assert list(wrong) == []


async def test_there_is_as_much_as_promised(database: Database) -> None:
    async with database.read() as session:
        catalogue, _ = await CatalogueCache().current(session)
    kinds = [region.kind for region in catalogue.regions]
    assert kinds.count(REGION_KINDS["country"]) >= 249
    assert kinds.count(REGION_KINDS["subdivision"]) >= 5_000
    assert kinds.count(REGION_KINDS["metro"]) >= 80
    assert len(catalogue.roles.by_id) > 80
    assert sum(len(level.aliases) for level in catalogue.levels) >= 40
    assert catalogue.roles.get("django-developer").soc is not None


async def test_the_guide_keeps_its_facts(database: Database) -> None:
    async with database.read() as session:
        facts = await session.scalar(select(Role.facts).where(Role.code == "django-developer"))
    assert facts is not None
    assert facts["experience_years"] == {"low": 2, "high": 5}
    assert facts["source"]["code"] == "published-guide"
