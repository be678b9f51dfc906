"""Where a benchmark runs: a temporary PostgreSQL, migrated and seeded, and generated files."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
from sqlalchemy import make_url, text

from app.core.database import Database
from app.core.embedded import embedded_postgres
from app.settings import Settings
from bench.generate import Codes, write_salaries

SOURCE = "bench"
_SOURCE = text(
    "INSERT INTO sources (code, name, kind) VALUES (:code, 'Benchmark', 1)"
    " ON CONFLICT (code) DO NOTHING"
)
_CODES = "SELECT code FROM {table} WHERE id > 0 ORDER BY id LIMIT {limit}"


@dataclass(frozen=True)
class Stage:
    """What a benchmark gets: `rows` is the size it runs with."""

    url: str
    folder: Path
    rows: int

    @property
    def settings(self) -> Settings:
        """Settings of a service on this stage's database, with time for long statements."""
        return Settings(
            database_url=self.url, data_dir=self.folder / "data", statement_timeout_s=600
        )

    @property
    def plain_url(self) -> str:
        """The url as psql and drivers take it."""
        url = make_url(self.url).set(drivername="postgresql")
        return url.render_as_string(hide_password=False)

    def of(self, rows: int) -> "Stage":
        """The same stage with another size."""
        return replace(self, rows=rows)

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection outside of any pool and transaction, without time limits."""
        connection = await asyncpg.connect(self.plain_url)
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """A pool on the stage's database."""
        database = Database(self.settings, self.url)
        try:
            yield database
        finally:
            await database.close()

    async def salaries(self, rows: int | None = None) -> Path:
        """A CSV file of salary records of the source `bench`, made once per size."""
        rows = self.rows if rows is None else rows
        path = self.folder / f"salaries-{rows}.csv"
        if not path.exists():
            async with self.database() as database:
                codes = await read_codes(database)
            write_salaries(path, rows, codes)
        return path


@contextmanager
def open_folder() -> Iterator[tuple[str, Path]]:
    """A temporary PostgreSQL (its url) and a folder; both are gone afterwards."""
    with (
        TemporaryDirectory(prefix="payband-bench-") as folder,
        embedded_postgres(Path(folder) / "server", database="bench") as url,
    ):
        yield url, Path(folder)


async def prepare_stage(stage: Stage) -> None:
    """Migrate and seed, and add the source that benchmark rows name."""
    from app.setup import prepare

    await prepare(stage.settings, stage.url, demo=False, admin_key=False)
    async with stage.database() as database, database.write() as session:
        await session.execute(_SOURCE, {"code": SOURCE})


async def read_codes(database: Database) -> Codes:
    """50 roles, 400 regions, all levels and industries of the seeded taxonomies."""
    found = {}
    limits = {"roles": 50, "regions": 400, "levels": 6, "industries": 20}
    async with database.read() as session:
        for table, limit in limits.items():
            rows = await session.scalars(text(_CODES.format(table=table, limit=limit)))
            found[table] = tuple(rows)
        newest = await session.scalar(text("SELECT max(observed_on) FROM exchange_rates"))
    return Codes(SOURCE, newest=newest or datetime.now(UTC).date(), **found)
