"""Titles of records: resolved, made into roles, matched again."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select, text

from app.core.database import Database, WriteSession
from app.core.versions import read_version
from app.tables import DemandRecord, Role, SalaryIdentity, SalaryRecord, Title, TitleAlias
from app.taxonomies.catalogue import CatalogueCache
from app.taxonomies.rematching import RematchReport, rematch
from app.taxonomies.titles import ResolvedTitle, resolve_titles, role_code
from tests.support.stored import role_id, store_demand, store_salary, store_source, store_title


async def _resolve(
    database: Database, *titles: str, create_roles: bool = False
) -> dict[str, ResolvedTitle]:
    async with database.write() as session:
        catalogue, _ = await CatalogueCache().current(session)
        return await resolve_titles(session, titles, catalogue, create_roles=create_roles)


async def _codes(database: Database, resolved: ResolvedTitle) -> tuple[str, str]:
    async with database.read() as session:
        catalogue, _ = await CatalogueCache().current(session)
    return (
        catalogue.roles.by_id[resolved.role_id].code,
        catalogue.levels.by_id[resolved.level_id].code,
    )


async def test_a_title_gives_role_and_level_and_keeps_its_row(database: Database) -> None:
    title = "Sr. Django Engineer"
    first = (await _resolve(database, title, "Beekeeper", title))[title]
    assert await _codes(database, first) == ("django-developer", "senior")
    assert (await _resolve(database, title))[title] == first
    async with database.read() as session:
        stored = await session.get(Title, first.title_id)
    assert stored is not None
    assert (stored.text, stored.method) == (title, "words")


async def test_no_title_is_the_row_for_none(database: Database) -> None:
    assert (await _resolve(database, ""))[""] == ResolvedTitle(0, 0, 0)
    assert (await _resolve(database))[""] == ResolvedTitle(0, 0, 0)


async def test_an_unmatched_title_stays_with_its_text(database: Database) -> None:
    resolved = (await _resolve(database, "Senior Beekeeper"))["Senior Beekeeper"]
    assert resolved.title_id > 0
    assert await _codes(database, resolved) == ("unspecified", "senior")


async def test_writers_with_the_same_new_titles_agree(database: Database) -> None:
    titles = [f"Beekeeper of hive {number}" for number in range(300)]
    answers = await asyncio.gather(
        _resolve(database, *titles), _resolve(database, *reversed(titles))
    )
    assert answers[0] == answers[1]
    assert len({resolved.title_id for resolved in answers[0].values()}) == 301


async def test_hostile_texts_are_stored_as_they_are(database: Database) -> None:
    titles = ["'; DROP TABLE titles; --", "=1+1", "x" * 3_000, "\u202eecafkcab", "%s %(a)s :x"]
    resolved = await _resolve(database, *titles, create_roles=True)
    async with database.read() as session:
        stored = set(await session.scalars(select(Title.text).where(Title.id != 0)))
    assert stored == set(titles)
    without_words = {title for title in titles if not resolved[title].role_id}
    assert without_words == {"=1+1"}


async def test_create_roles_makes_one_role_of_all_levels(database: Database) -> None:
    async with database.read() as session:
        before = await read_version(session)
    resolved = await _resolve(
        database, "Senior Beekeeper", "Beekeeper", "Data Engineer", "Senior", create_roles=True
    )
    assert await _codes(database, resolved["Senior Beekeeper"]) == ("beekeeper", "senior")
    assert await _codes(database, resolved["Beekeeper"]) == ("beekeeper", "unspecified")
    assert await _codes(database, resolved["Data Engineer"]) == ("data-engineer", "unspecified")
    assert await _codes(database, resolved["Senior"]) == ("unspecified", "senior")
    async with database.read() as session:
        name = await session.scalar(select(Role.name).where(Role.code == "beekeeper"))
        assert name == "Beekeeper"
        assert (await read_version(session)).epoch == before.epoch + 1


async def test_a_created_role_is_known_to_the_next_chunk(database: Database) -> None:
    await _resolve(database, "Senior Beekeeper", create_roles=True)
    resolved = (await _resolve(database, "Jr Beekeeper"))["Jr Beekeeper"]
    assert await _codes(database, resolved) == ("beekeeper", "entry")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["beekeeper"], "beekeeper"),
        (["c++", "beekeeper"], "c-plus-plus-beekeeper"),
        (["c#", "beekeeper"], "c-sharp-beekeeper"),
    ],
)
def test_role_codes_are_made_of_words(words: list[str], code: str) -> None:
    assert role_code(words) == code


def test_role_codes_differ_where_letters_do_not_suffice() -> None:
    codes = {role_code([word]) for word in ("養蜂家", "養蜂", "unspecified", "x" * 80, "x" * 81)}
    assert len(codes) == 5
    assert all(len(code) <= 64 and code.isascii() and code != "unspecified" for code in codes)


async def _teach(database: Database, title: str, role: str) -> None:
    async with database.write() as session:
        session.add(TitleAlias(text=title, role_id=await role_id(session, role), level_id=0))
        await session.execute(text("UPDATE epoch SET epoch = epoch + 1, stamp = gen_random_uuid()"))


async def _roles_of(session: WriteSession, table: Any) -> dict[Any, tuple[str, int]]:
    rows = await session.execute(
        select(table.key, Role.code, table.level_id).join(Role, Role.id == table.role_id)
    )
    return {row.key: (row.code, row.level_id) for row in rows}


async def test_rematch_moves_what_came_from_the_title(database: Database) -> None:
    async with database.write() as session:
        source = await store_source(session, "acme")
        title = await store_title(session, "Senior Beekeeper")
        moved = await store_salary(session, source, title_id=title)
        stated = await store_salary(session, source, title_id=title, role_stated=True)
        level = await store_salary(session, source, title_id=title, level_id=1, level_stated=True)
        other = await store_salary(session, source)
        demand = await store_demand(session, source, title_id=title)
    await _teach(database, "beekeeper", "data-engineer")
    assert await rematch(database, CatalogueCache()) == RematchReport(1, 1, 4)
    async with database.write() as session:
        catalogue, version = await CatalogueCache().current(session)
        senior = catalogue.levels.get("senior").id
        assert await _roles_of(session, SalaryRecord) == {
            moved: ("data-engineer", senior),
            stated: ("unspecified", senior),
            level: ("data-engineer", 1),
            other: ("unspecified", 0),
        }
        assert await _roles_of(session, DemandRecord) == {demand: ("data-engineer", senior)}
        identity = await session.get(SalaryIdentity, (source, moved))
        assert identity is not None
        assert identity.role_id == catalogue.roles.get("data-engineer").id
        assert identity.previous_role_id == 0
        assert version.roles > 0
    assert (await rematch(database, CatalogueCache())).records_changed == 0


async def test_rematch_keeps_every_value_of_a_record(database: Database) -> None:
    async with database.write() as session:
        source = await store_source(session, "acme")
        title = await store_title(session, "Beekeeper")
        await store_salary(session, source, title_id=title, external_id="17", url="https://a.test")
        columns = [c for c in SalaryRecord.__table__.columns if c.name != "role_id"]
        before = (await session.execute(select(*columns))).all()
    await _teach(database, "beekeeper", "data-engineer")
    await rematch(database, CatalogueCache())
    async with database.read() as session:
        assert (await session.execute(select(*columns))).all() == before


async def test_rematch_goes_batch_by_batch(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.taxonomies.rematching.BATCH", 3)
    async with database.write() as session:
        source = await store_source(session, "acme")
        title = await store_title(session, "Beekeeper")
        for _ in range(8):
            await store_salary(session, source, title_id=title)
    await _teach(database, "beekeeper", "data-engineer")
    seen: list[int] = []
    report = await rematch(database, CatalogueCache(), seen.append)
    assert report.records_changed == 8
    assert [number for number in seen if number] == [3, 3, 2]


async def test_rematching_confidential_records_advances_no_version(database: Database) -> None:
    async with database.write() as session:
        source = await store_source(session, "secret", confidential=True)
        title = await store_title(session, "Beekeeper")
        await store_salary(session, source, title_id=title)
    await _teach(database, "beekeeper", "data-engineer")
    async with database.read() as session:
        before = await read_version(session)
    assert (await rematch(database, CatalogueCache())).records_changed == 1
    async with database.read() as session:
        assert await read_version(session) == before
