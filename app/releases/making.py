"""Makes a release: population, versions, computation, storage, in one transaction.

The transaction is READ COMMITTED, so that others may write while it computes; what it reads of the
records is one statement. A lock keeps two from being made at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from app.access.audit import record
from app.access.caller import Caller
from app.core.database import Database, WriteSession
from app.core.errors import Conflict, Refused
from app.core.versions import advance_epoch
from app.domain.closed_periods import closed_through, period_of
from app.domain.disclosure import Policy
from app.releases import store
from app.releases.hidden import describe_hidden
from app.releases.lattice import ALL, History, RegionTree, ReleaseResult, compute_release
from app.releases.population import (
    Versions,
    build_population,
    closed_only,
    compare_versions,
    placed,
)
from app.settings import Settings
from app.statistics.population import CONFIDENTIAL_SERIES
from app.taxonomies.catalogue import Catalogue, CatalogueCache

if TYPE_CHECKING:
    import polars as pl

TIME_LIMIT_S: Final = 3600
"""Limit of one statement, and of the wait between two: the computation may be long."""

_NOW: Final = (
    "record",
    *("source", "role", "region", "level"),
    *("first_day", "last_day", "employer", "amount"),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which release. `source`: a code, None for all confidential sources; `hidden_limit`: so many
    hidden nodes a dry run lists. `today` decides which periods are closed (UTC)."""

    caller: Caller
    source: str | None = None
    dry_run: bool = False
    hidden_limit: int = 1000
    today: date = field(default_factory=lambda: datetime.now(UTC).date())


@dataclass(frozen=True, slots=True)
class Made:
    """What was made, or would be (`id` and `made_at` None).

    `summary` counts nodes by state and, where hidden, by why; `hidden` lists some, largest first;
    `seconds` is how long each step took.
    """

    id: int | None
    source: str | None
    made_at: datetime | None
    through: date
    figures: int
    base_currency: str
    policy: Mapping[str, Any]
    summary: Mapping[str, int]
    hidden: list[dict[str, Any]]
    seconds: Mapping[str, float] = field(default_factory=dict)


Tell = Callable[[str], None]


async def make_release(
    settings: Settings, url: str, asked: Asked, tell: Tell = lambda _: None
) -> Made:
    """Make a release; `tell` hears of each step as it begins.

    Raises UnknownValue and Refused (422) for sources, Conflict (409, code `locked`) while another
    release is being made, Unavailable (503). Holds the event loop while it computes.
    """
    patient = replace(settings, statement_timeout_s=TIME_LIMIT_S, pool_size=2, heavy_queries=1)
    database = Database(patient, url)
    try:
        async with database.write() as session:
            return await _Making(settings, session, asked, _Clock(tell)).run()
    finally:
        await database.close()


class _Clock:
    """Tells of steps, and how long each took."""

    def __init__(self, tell: Tell) -> None:
        self._tell, self._step, self._since = tell, "", perf_counter()
        self.seconds: dict[str, float] = {}

    def begin(self, step: str) -> None:
        now = perf_counter()
        if self._step:
            self.seconds[self._step] = round(now - self._since, 2)
        self._step, self._since = step, now
        if step:
            self._tell(step)


class _Making:
    """One release in the making; the steps share the session."""

    def __init__(
        self, settings: Settings, session: WriteSession, asked: Asked, clock: _Clock
    ) -> None:
        self.settings, self.session, self.asked, self.clock = settings, session, asked, clock
        self.through = closed_through(asked.today)

    async def run(self) -> Made:
        asked, begin = self.asked, self.clock.begin
        if not await store.try_lock(self.session):
            raise Conflict("Another release is being made; wait until it is there.", code="locked")
        catalogue, _ = await CatalogueCache().current(self.session)
        series, scope = _series(catalogue, asked.source)
        previous = await self._previous(series)
        number = len(previous) + 1
        begin("reading records")
        versions = await self._versions(series, number)
        begin("reading earlier releases")
        history = await self._history(series, number, previous)
        regions = versions.frame["region"].unique().to_list()
        parents = await store.read_regions(self.session, series, regions)
        begin("computing")
        result = compute_release(
            closed_only(versions.frame, self.through),
            history,
            RegionTree(parents),
            Policy(**self.settings.release_policy),  # type: ignore[arg-type]
            scope=scope,
        )
        made_id, made_at = None, None
        if not asked.dry_run:
            begin("storing")
            await store.keep_regions(self.session, series, parents)
            await store.write_versions(
                self.session, series, versions.added, versions.ended, number - 1
            )
            made_id, made_at = await self._store(series, number, scope, result)
        begin("")
        limit = asked.hidden_limit if asked.dry_run else 0
        return Made(
            id=made_id,
            source=asked.source,
            made_at=made_at,
            through=self.through,
            figures=len(result.nodes),
            base_currency=self.settings.base_currency,
            policy=self.settings.release_policy,
            summary=dict(result.summary),
            hidden=describe_hidden(result.hidden, catalogue, limit),
            seconds=self.clock.seconds,
        )

    async def _previous(self, series: int) -> list[Any]:
        """The releases before. Raises Refused (422) where one of them reaches further."""
        previous = await store.read_previous(self.session, series)
        if any(release.through > self.through for release in previous):
            raise Refused(
                f"A release through a day after {self.through} exists; is the clock right?",
                code="clock_behind",
            )
        return previous

    async def _versions(self, series: int, number: int) -> Versions:
        query = build_population(series, self.through)
        now = placed(await store.read_frame(self.session, query, _NOW))
        return compare_versions(now, await store.read_versions(self.session, series), number)

    async def _history(self, series: int, number: int, previous: list[Any]) -> History:
        return History(
            number=number,
            shown=await store.read_shown(self.session, series),
            scopes=tuple(
                None if release.scope_id is None else frozenset({release.scope_id})
                for release in previous
            ),
            closed=tuple(period_of(release.through, "quarter") for release in previous),
        )

    async def _store(
        self, series: int, number: int, scope: frozenset[int] | None, result: ReleaseResult
    ) -> tuple[int, datetime]:
        values = {
            "series": series,
            "number": number,
            "scope_id": None if scope is None else min(scope),
            "figures": len(result.nodes),
            "through": self.through,
            "base_currency": self.settings.base_currency,
            "source_ids": _own_figures(result.nodes),
            "policy": self.settings.release_policy,
        }
        made = await store.insert_release(self.session, values)
        await store.write_nodes(self.session, made.id, result.nodes)
        details = {"release": made.id, "source": self.asked.source, "figures": len(result.nodes)}
        await record(self.session, self.asked.caller, "release.make", **details)
        await advance_epoch(self.session)
        return made.id, made.made_at


def _series(catalogue: Catalogue, code: str | None) -> tuple[int, frozenset[int] | None]:
    """The series of a source and what of it is decided anew; raises UnknownValue (422)."""
    if code is None:
        return CONFIDENTIAL_SERIES, None
    source = catalogue.sources.get(code)
    if source.confidential:
        return CONFIDENTIAL_SERIES, frozenset({source.id})
    return source.id, None


def _own_figures(nodes: "pl.DataFrame") -> list[int]:
    sources: list[int] = nodes["source"].unique().sort().to_list()
    return [source for source in sources if source != ALL]
