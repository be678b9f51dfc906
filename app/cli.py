"""The `payband` command. Each command calls the same functions as HTTP does."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from app.core.database import Database
from app.core.errors import NotFound, PaybandError, WrongSetting
from app.settings import Settings, build_settings

Result = TypeVar("Result")

cli = typer.Typer(
    name="payband",
    help="Salary and demand statistics as a service. Settings are environment variables "
    "PAYBAND_*; without PAYBAND_DATABASE_URL a private PostgreSQL is started in ./.payband.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
keys_cli = typer.Typer(help="API keys: create, list, revoke.", no_args_is_help=True)
titles_cli = typer.Typer(help="Job titles: match one, list the unmatched.", no_args_is_help=True)
rates_cli = typer.Typer(help="Exchange rates: import, show.", no_args_is_help=True)
cli.add_typer(keys_cli, name="keys")
cli.add_typer(titles_cli, name="titles")
cli.add_typer(rates_cli, name="rates")


def main() -> NoReturn:
    """Entry point: expected failures become one line and exit status 1, or 2 for a setting."""
    try:
        cli()
    except WrongSetting as error:
        _fail(error, 2)
    except PaybandError as error:
        _fail(error, 1)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)


def _fail(error: PaybandError, status: int) -> NoReturn:
    typer.echo(f"payband: {error.detail}", err=True)
    sys.exit(status)


@contextmanager
def _database_url(settings: Settings) -> Iterator[str]:
    """The configured database, or the private one, started for as long as it is used."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    from app.core.embedded import embedded_postgres

    with embedded_postgres(settings.data_dir) as url:
        yield url


@asynccontextmanager
async def _database(settings: Settings, url: str, *, check: bool) -> AsyncIterator[Database]:
    from app.core.migrations import check_schema

    database = Database(settings, url)
    try:
        if check:
            async with database.read() as session:
                await check_schema(session)
        yield database
    finally:
        await database.close()


def _with_database(
    act: Callable[[Settings, Database], Awaitable[Result]], *, check: bool = True
) -> Result:
    settings = build_settings()

    async def run(url: str) -> Result:
        if settings.database_url is None:
            from app.setup import prepare

            await prepare(settings, url, demo=False)
        async with _database(settings, url, check=check) as database:
            return await act(settings, database)

    with _database_url(settings) as url:
        return asyncio.run(run(url))


@cli.command()
def serve() -> None:
    """Serve HTTP. With the private PostgreSQL, prepare everything first.

    Example: PORT=8080 payband serve
    """
    from app.serve import serve as serve_http
    from app.setup import greet, prepare

    settings = build_settings()
    with _database_url(settings) as url:
        if settings.database_url is None:
            prepared = asyncio.run(prepare(settings, url, demo=settings.demo))
            greet(settings, prepared)
        serve_http(settings, url)


@cli.command()
def migrate() -> None:
    """Bring the database to this build's schema and seed taxonomies and exchange rates.

    Safe when two run at once. Example: PAYBAND_DATABASE_URL=postgresql://... payband migrate
    """
    from app.setup import prepare

    settings = build_settings()
    with _database_url(settings) as url:
        prepared = asyncio.run(prepare(settings, url, demo=False, admin_key=False))
    typer.echo(f"schema {prepared.revision}; taxonomies and rates are in place")


@cli.command()
def demo(
    remove: Annotated[bool, typer.Option("--remove", help="Remove the demo data.")] = False,
) -> None:
    """Load the synthetic demo data, or remove it. Example: payband demo --remove"""
    from app.demo import load_demo, remove_demo

    async def act(settings: Settings, database: Database) -> str:
        if remove:
            return f"{await remove_demo(database)} demo records removed"
        loaded = await load_demo(settings, database, today=datetime.now(UTC).date())
        return f"{loaded} demo records loaded" if loaded else "the demo data is already there"

    typer.echo(_with_database(act))
