"""Statistics over HTTP against the same SQL typed into psql, taken in turns in one run."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

import httpx
from sqlalchemy import text

from app.access.caller import COMMAND_LINE
from app.core.database import Database
from app.dependencies import Services
from app.statistics.basis import parse_basis
from app.statistics.filters import parse_filters
from app.statistics.population import decide_population, with_default_pay_kind
from app.statistics.shape import StatisticsParameters, parse_shape
from app.statistics.statement import Question, build_statistics
from app.taxonomies.catalogue import CatalogueCache
from bench import Measure
from bench.import_bench import run_payband
from bench.psql import typed_ms
from bench.service import serving
from bench.stage import SOURCE, Stage

REPEATS: Final = 9
ALLOWANCE_MS: Final = 5.0
BAR: Final = 1.15
QUERIES: Final = {
    "region x level, all roles": "group_by=region,level&limit=10000",
    "one role by level": "group_by=level&role={role}",
    "role x month, 12 months": "group_by=role,month&from=2025-01&to=2025-12&limit=10000",
    "one region, by role, sorted": "group_by=role&region={region}&sort=-p50&measures=count,p50",
}
_LOADED: Final = text(
    "SELECT count(*) FROM salary_records r JOIN sources s ON s.id = r.source_id"
    " WHERE s.code = :code"
)


async def run(stage: Stage) -> list[Measure]:
    """One line for each kind of question; `measured` is HTTP less the 5 ms that are allowed."""
    await _load(stage)
    async with stage.database() as database, _served(stage) as client:
        codes = await _popular(database)
        return [
            await _compared(stage, database, client, name, query.format_map(codes))
            for name, query in QUERIES.items()
        ]


async def _load(stage: Stage) -> None:
    """Import the rows, unless another benchmark has left them."""
    async with stage.database() as database:
        async with database.read() as session:
            loaded = await session.scalar(_LOADED, {"code": SOURCE})
        if (loaded or 0) < stage.rows:
            await import_salaries(stage, database, await stage.salaries())
            # The service would do it by itself, in the middle of a measurement.
            await asyncio.to_thread(run_payband, stage, ["compact"])


async def import_salaries(stage: Stage, database: Database, path: Path) -> None:
    """Import a generated file through the pipeline."""
    from app.ingest.importer import Importer
    from app.ingest.media import media_type_of_name
    from app.ingest.options import ImportOptions
    from app.ingest.profiles import Profile

    options = ImportOptions(
        media_type_of_name(path.name), Profile.identity("salary"), batch=path.name
    )
    services = Services(stage.settings, database, CatalogueCache())
    await Importer(services, options, COMMAND_LINE).run(_blocks(path))


async def _blocks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while block := await asyncio.to_thread(file.read, 1 << 20):
            yield block


@asynccontextmanager
async def _served(stage: Stage) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service, which runs in a process of its own on the stage's database."""
    # Answers that are kept would be measured once and then not at all.
    async with (
        serving(stage, cache_bytes="0") as service,
        httpx.AsyncClient(base_url=service.url, timeout=60) as client,
    ):
        yield client


async def _popular(database: Database) -> dict[str, str]:
    """The role and the region with most records."""
    found = {}
    async with database.read() as session:
        for name in ("role", "region"):
            statement = (
                f"SELECT t.code FROM {name}s t JOIN salary_records r ON r.{name}_id = t.id"
                " GROUP BY t.code ORDER BY count(*) DESC, t.code LIMIT 1"
            )
            found[name] = str(await session.scalar(text(statement)))
    return found


async def _compared(
    stage: Stage, database: Database, client: httpx.AsyncClient, name: str, query: str
) -> Measure:
    statement = await _statement(stage, database, query)
    over_http, typed = [], []
    for _ in range(REPEATS):
        typed.append(await asyncio.to_thread(typed_ms, stage, statement))
        over_http.append(await _http_ms(client, query))
    # The fastest of each: what else the machine does disturbs three processes more than two.
    measured = min(over_http) - ALLOWANCE_MS
    return Measure(f"statistics: {name}", measured, "ms", baseline=min(typed), bar=BAR)


async def _statement(stage: Stage, database: Database, query: str) -> str:
    """The SQL that the service runs for a query string."""
    parameters = StatisticsParameters.model_validate(dict(parse_qsl(query)))
    filters = with_default_pay_kind(parse_filters(parameters, datetime.now(UTC).date()))
    shape = parse_shape(parameters)
    async with database.read() as session:
        catalogue, _ = await CatalogueCache().current(session)
        population = await decide_population(session, catalogue, filters)
    basis = parse_basis(parameters)
    native = basis.is_native(filters, stage.settings.base_currency)
    return build_statistics(Question(catalogue, population, filters, basis, native=native), shape)


async def _http_ms(client: httpx.AsyncClient, query: str) -> float:
    started = time.perf_counter()
    response = await client.get(f"/v1/salaries/statistics?{query}")
    taken = time.perf_counter() - started
    response.raise_for_status()
    return taken * 1000
