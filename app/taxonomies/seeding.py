"""Puts the seed taxonomies into the database.

Only what is missing is inserted, by code: what an administrator changed stays as it is, and what a
newer version adds arrives. A fingerprint of the seed data tells a second run that there is nothing
to do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from importlib.resources import files
from typing import Any, Final

from sqlalchemy import insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as insert_or_skip

from app.core.database import WriteSession
from app.core.versions import advance_epoch
from app.domain.title_words import fold_title
from app.domain.vocabulary import PAY_PERIODS, RECURRENCES, REGION_KINDS, SOURCE_KINDS
from app.tables import Benchmark, Epoch, Industry, Level, Region, Role, Source, TitleAlias
from app.taxonomies import seed as seeds
from app.taxonomies.lineage import Lineage, build_lineage

REGION_COLUMNS: Final = (
    *("id", "code", "name", "kind", "parent_id", "ancestors"),
    *("country_id", "subdivision_id", "metro_id", "alpha3", "cbsa", "aliases"),
)
_NEW_REGION_IDS: Final = text(
    "SELECT nextval('regions_id_seq') FROM generate_series(1, CAST(:count AS int))"
)
Coded = type[Level] | type[Role] | type[Industry] | type[Source]


@dataclass(frozen=True, slots=True)
class SeedReport:
    """How many rows were inserted; all 0 where everything was there."""

    levels: int = 0
    roles: int = 0
    industries: int = 0
    regions: int = 0
    titles: int = 0
    sources: int = 0
    benchmarks: int = 0

    @property
    def changed(self) -> bool:
        """Whether anything was inserted."""
        return any(getattr(self, name) for name in self.__slots__)


async def seed(session: WriteSession) -> SeedReport:
    """Insert what is missing of the taxonomies and of the guide's benchmarks; safe to repeat.

    Advances the epoch if something was inserted. Two at once: the second waits, then finds
    everything.
    """
    done = await session.scalar(select(Epoch.seeded).with_for_update())
    if done == fingerprint():
        return SeedReport()
    report = SeedReport(
        levels=await _seed_coded(session, Level, _level_rows()),
        roles=await _seed_coded(session, Role, _role_rows()),
        industries=await _seed_coded(session, Industry, _industry_rows()),
        regions=await _seed_regions(session),
        titles=await _seed_titles(session),
        sources=await _seed_coded(session, Source, [_source_row()]),
        benchmarks=await _seed_benchmarks(session),
    )
    await session.execute(update(Epoch).values(seeded=fingerprint()))
    if report.changed:
        await advance_epoch(session)
    return report


@cache
def fingerprint() -> str:
    """A hash of everything that the seed rows are made of."""
    folder = files("app.taxonomies")
    parts = [version("pycountry").encode(), folder.joinpath("seed.py").read_bytes()]
    data = sorted(folder.joinpath("data").iterdir(), key=lambda item: item.name)
    parts += [item.read_bytes() for item in data if item.name.endswith(".toml")]
    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


async def _seed_coded(session: WriteSession, table: Coded, rows: Sequence[dict[str, Any]]) -> int:
    known = set(await session.scalars(select(table.code)))
    missing = [row for row in rows if row["code"] not in known]
    if missing:
        await session.execute(insert(table), missing)
    return len(missing)


def _level_rows() -> list[dict[str, Any]]:
    return [
        {"code": row.code, "name": row.name, "rank": row.rank, "aliases": list(row.aliases)}
        for row in seeds.seed_levels()
    ]


def _role_rows() -> list[dict[str, Any]]:
    return [
        {
            "code": row.code,
            "name": row.name,
            "family": row.family,
            "soc": row.soc,
            "isco": row.isco,
            "facts": dict(row.facts),
        }
        for row in seeds.seed_roles()
    ]


def _industry_rows() -> list[dict[str, Any]]:
    return [
        {"code": row.code, "name": row.name, "naics": row.naics, "aliases": list(row.aliases)}
        for row in seeds.seed_industries()
    ]


def _source_row() -> dict[str, Any]:
    row = seeds.seed_guide_source()
    return {
        "code": row.code,
        "name": row.name,
        "kind": SOURCE_KINDS[row.kind],
        "recurrence": RECURRENCES["replace"],
    }


async def _seed_regions(session: WriteSession) -> int:
    columns = (Region.code, Region.id, Region.ancestors)
    nearest = (Region.country_id, Region.subdivision_id, Region.metro_id)
    ids: dict[str, int] = {}
    lineages: dict[str, Lineage] = {}
    for row in await session.execute(select(*columns, *nearest)):
        ids[row.code] = row.id
        lineages[row.code] = Lineage(
            tuple(row.ancestors), row.country_id, row.subdivision_id, row.metro_id
        )
    missing = [row for row in seeds.seed_regions() if row.code not in ids]
    new_ids = await session.scalars(_NEW_REGION_IDS, {"count": len(missing)})
    rows = []
    for place, region_id in zip(missing, new_ids, strict=True):
        kind = REGION_KINDS[place.kind]
        above = None if place.parent is None else lineages[place.parent]
        lineage = build_lineage(region_id, kind, above)
        parent_id = None if place.parent is None else ids[place.parent]
        ids[place.code], lineages[place.code] = region_id, lineage
        rows.append(_region_row(place, kind, parent_id, lineage))
    if rows:
        driver = await session.driver()
        await driver.copy_records_to_table("regions", records=rows, columns=REGION_COLUMNS)
    return len(rows)


def _region_row(
    place: seeds.RegionSeed, kind: int, parent_id: int | None, lineage: Lineage
) -> tuple[Any, ...]:
    return (
        *(lineage.ancestors[0], place.code, place.name, kind, parent_id, list(lineage.ancestors)),
        *(lineage.country_id, lineage.subdivision_id, lineage.metro_id),
        *(place.alpha3, place.cbsa, list(place.aliases)),
    )


async def _seed_titles(session: WriteSession) -> int:
    known = set(await session.scalars(select(TitleAlias.text)))
    roles = await _ids(session, Role)
    levels = await _ids(session, Level)
    missing: dict[str, dict[str, Any]] = {}
    for title in seeds.seed_titles():
        folded = fold_title(title.text)
        if folded not in known:
            missing.setdefault(
                folded,
                {
                    "text": folded,
                    "role_id": roles[title.role],
                    "level_id": levels[title.level],
                    "focus_area": title.focus_area,
                },
            )
    if missing:
        await session.execute(insert(TitleAlias), list(missing.values()))
    return len(missing)


async def _seed_benchmarks(session: WriteSession) -> int:
    sources, roles = await _ids(session, Source), await _ids(session, Role)
    regions, levels = await _ids(session, Region), await _ids(session, Level)
    rows = [
        {
            "source_id": sources[row.source],
            "role_id": roles[row.role],
            "region_id": regions[row.region],
            "level_id": levels[row.level],
            "industry_id": 0,
            "period": row.period,
            "period_from": date(int(row.period), 1, 1),
            "period_until": date(int(row.period), 12, 31),
            "currency": row.currency,
            "pay_period": PAY_PERIODS[row.pay_period],
            "low": row.low,
            "high": row.high,
            "open_ended": row.open_ended,
            "import_id": 0,
            "changed_import_id": 0,
        }
        for row in seeds.seed_benchmarks()
    ]
    statement = insert_or_skip(Benchmark).values(rows)
    made = await session.scalars(statement.on_conflict_do_nothing().returning(Benchmark.id))
    return len(made.all())


async def _ids(session: WriteSession, table: Coded | type[Region]) -> dict[str, int]:
    rows = await session.execute(select(table.code, table.id))
    return {row.code: row.id for row in rows}
