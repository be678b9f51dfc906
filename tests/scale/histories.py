"""Histories of writes for property-based tests: every way in which salary records change."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from hypothesis import strategies as st
from sqlalchemy import text

from app.access.caller import COMMAND_LINE
from app.core.database import Database
from app.core.errors import Conflict
from app.core.versions import advance_epoch
from app.dependencies import Services
from app.domain.dates import ALL_TIME, parse_interval
from app.domain.dates import Window as Days
from app.ingest.importer import Importer, Outcome
from app.ingest.media import MediaType
from app.ingest.options import ImportOptions
from app.ingest.profiles import Profile
from app.ingest.undo import undo_import
from app.rates import import_rates
from app.records.deletion import Selection, delete_records
from app.settings import Settings
from app.tables import SalaryRecord
from app.taxonomies.catalogue import CatalogueCache
from app.taxonomies.rematching import _leave
from tests.ingest.conftest import SPAN, csv_of
from tests.support.builders import add_sources
from tests.support.reading import pieces_of

LATER: Final = "LATER"
"""Stands for the day after the newest seeded rate: pay in pounds is pending there."""

Row = dict[str, str]
Step = tuple[Any, ...]

_SOURCES: Final = st.sampled_from(("acme", "acme", "wire", "wire", "closed"))
_IDS: Final = st.sampled_from(("1", "2", "3", ""))
_DAYS: Final = (LATER, LATER, LATER, "2025-03-10", "2025-03-31", "2025-04-02", "2025-03", "2025")
_PAID: Final = (
    {"amount": "90000"},
    {"amount_min": "80000", "amount_max": "100001"},
    {"amount_min": "70000"},
    {"amount": "25.49", "pay_period": "hour"},
    {"amount": "3333.33", "pay_period": "month", "fte": "0.3"},
    {"amount": "50000", "currency": "GBP"},
    {"amount": "900", "currency": "GBP"},
    {"amount_min": "40000", "amount_max": "41000.5", "currency": "GBP"},
    {"amount_max": "60000", "currency": "GBP"},
)
_JOBS: Final = (
    {"role": "django-developer"},
    {"role": "data-scientist", "title": "Senior Data Engineer"},
    {"title": "Senior Data Engineer"},
    {"title": "Grand Falconer"},
)
_REST: Final = {
    "region": st.sampled_from(("US", "DE")),
    "level": st.sampled_from(("", "entry")),
    "employment_type": st.sampled_from(("full_time", "contract")),
    "work_mode": st.sampled_from(("", "remote")),
    "pay_kind": st.sampled_from(("base", "total")),
    "industry": st.sampled_from(("", "information")),
    "url": st.sampled_from(("", "https://example.org/1")),
}


@st.composite
def _rows(draw: st.DrawFn) -> list[Row]:
    rows = []
    for _ in range(draw(st.integers(1, 6))):
        row = {"currency": "USD", "source": draw(_SOURCES), "external_id": draw(_IDS)}
        row |= draw(st.sampled_from(_PAID)) | draw(st.sampled_from(_JOBS))
        row |= {"observed_on": draw(st.sampled_from(_DAYS))}
        rows.append(row | {name: draw(values) for name, values in _REST.items()})
    return rows


_WRITE: Final = st.tuples(st.just("write"), _rows(), st.sampled_from(("", "", "abort", "dry_run")))
_OTHERS: Final = st.one_of(
    st.tuples(st.just("undo"), st.integers(0, 9)),
    st.tuples(st.just("delete"), _SOURCES, st.sampled_from(("1", "2", "3"))),
    st.tuples(st.just("clear"), _SOURCES, st.sampled_from(("", "2025-03", "2025-03-10"))),
    st.tuples(st.just("rates"), st.sampled_from(("0.85", "1.5"))),
    st.tuples(
        st.just("rematch"),
        st.sampled_from(("data-scientist", "data-analyst")),
        st.sampled_from(("mid", "entry")),
    ),
)
HISTORIES: Final = st.lists(st.tuples(_WRITE, _OTHERS), min_size=1, max_size=4).map(
    lambda pairs: [step for pair in pairs for step in pair]
)


@dataclass
class Writers:
    """Carries out steps in a database with the sources acme, wire (span) and closed
    (confidential). `later` is the day that LATER stands for."""

    settings: Settings
    database: Database
    later: date
    services: Services = field(init=False)
    imports: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.services = Services(self.settings, self.database, CatalogueCache())

    async def add_sources(self) -> None:
        """Once, to a database that was emptied."""
        await add_sources(
            self.database,
            acme={},
            wire={"recurrence": SPAN, "kind": "posted"},
            closed={"confidential": True},
        )

    async def begin_again(self) -> None:
        """Without records and cells, with the titles and rates that were seeded."""
        self.imports.clear()
        async with self.database.write() as session:
            for table in ("salary_records", "salary_identities", "salary_cells", "imports"):
                await session.execute(text(f"DELETE FROM {table}"))
            await session.execute(text("DELETE FROM titles WHERE id <> 0"))
            found = await session.execute(
                text("DELETE FROM exchange_rates WHERE observed_on >= :day RETURNING 1"),
                {"day": self.later},
            )
            if found.first() is not None:
                await advance_epoch(session)

    async def carry_out(self, step: Step) -> None:
        """Do what a step says; what it must refuse changes nothing."""
        name, *arguments = step
        steps: dict[str, Callable[..., Awaitable[Any]]] = {
            "write": self.write,
            "undo": self._undo,
            "delete": self._delete,
            "clear": self._clear,
            "rates": self._load_rates,
            "rematch": self._rematch,
        }
        await steps[name](*arguments)

    async def write(self, rows: Sequence[Row], mode: str = "") -> Outcome:
        """Import rows; `mode` is abort, dry_run or nothing."""
        dated = [
            row | {"observed_on": row["observed_on"].replace(LATER, str(self.later))}
            for row in rows
        ]
        asked: dict[str, Any] = {mode: True} if mode else {}
        options = ImportOptions(MediaType.CSV, Profile.identity("salary"), batch="history", **asked)
        body = pieces_of(csv_of(*dated))
        outcome = await Importer(self.services, options, COMMAND_LINE).run(body)
        self.imports.append(outcome.report["import"])
        return outcome

    async def _undo(self, number: int) -> None:
        if self.imports:
            with suppress(Conflict):  # undone already
                async with self.database.write() as session:
                    await undo_import(session, self.imports[number % len(self.imports)])

    async def _delete(self, source: str, external_id: str) -> None:
        found = (
            "SELECT r.key FROM salary_records r JOIN sources s ON s.id = r.source_id"
            " WHERE s.code = :source AND r.external_id = :id"
        )
        async with self.database.read() as session:
            key = await session.scalar(text(found), {"source": source, "id": external_id})
        if key is not None:
            await self._remove(source, key=key)

    async def _clear(self, source: str, window: str) -> None:
        days = ALL_TIME
        if window:
            interval = parse_interval(window)
            days = Days(interval.first, interval.last)
        await self._remove(source, window=days)

    async def _remove(self, source: str, **what: Any) -> None:
        async with self.database.read() as session:
            catalogue, _ = await self.services.catalogue.current(session)
        selection = Selection(catalogue.sources.get(source), **what)
        await delete_records(self.database, SalaryRecord, selection, COMMAND_LINE)

    async def _load_rates(self, pounds: str) -> None:
        content = f"Date,USD,GBP,\n{self.later},1.1,{pounds},".encode()
        await import_rates(self.database, content, "USD", self.later + timedelta(days=30))

    async def _rematch(self, role: str, level: str) -> None:
        """The stored titles mean another role and level now; their records follow."""
        other = (
            "UPDATE titles SET role_id = (SELECT id FROM roles WHERE code = :role),"
            " level_id = (SELECT id FROM levels WHERE code = :level) WHERE id <> 0"
        )
        async with self.database.write() as session:
            await session.execute(text(other), {"role": role, "level": level})
            roles = await session.scalars(text("SELECT DISTINCT role_id FROM salary_records"))
            sources = await session.scalars(text("SELECT id FROM sources"))
        for role_id in roles.all():
            await _leave(self.database, SalaryRecord, role_id, sources.all(), lambda records: None)
