"""The `payband` command. Each command calls the same functions as HTTP does."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import typer

from app.core.database import Database
from app.core.errors import PaybandError, WrongSetting
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
titles_cli = typer.Typer(
    help="Job titles: match one, list the unmatched, rematch all.", no_args_is_help=True
)
rates_cli = typer.Typer(
    help="Exchange rates and price indices: import, show.", no_args_is_help=True
)
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
    from app.core.migrations import check_base_currency, check_schema

    database = Database(settings, url)
    try:
        if check:
            async with database.read() as session:
                await check_schema(session)
                await check_base_currency(session, settings.base_currency)
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
    from app.setup import greet, prepare, prepare_apart

    settings = build_settings()
    with _database_url(settings) as url:
        if settings.database_url is None:
            if (settings.data_dir / "admin.key").exists():
                prepared = asyncio.run(prepare(settings, url, demo=settings.demo))
            else:
                typer.echo("Preparing the private database, once; this takes some ten seconds.")
                prepared = prepare_apart(settings, url, demo=settings.demo)
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
        today = datetime.now(UTC).date()
        loaded = await load_demo(settings, database, today=today, again=True)
        return f"{loaded} demo records loaded" if loaded else "the demo data is already there"

    typer.echo(_with_database(act))


@cli.command("import")
def import_command(  # noqa: PLR0913 - one for each option
    path: Annotated[Path, typer.Argument(help="File: .csv, .tsv, .json, .ndjson or .parquet.")],
    profile: Annotated[
        str | None, typer.Option(help="Import mapping: a name, or a TOML file by its path.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="salary (default), demand or benchmark, without a profile.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Source of rows that state none.")] = None,
    observed_on: Annotated[
        str | None, typer.Option(help="Day, month or year of rows that state none.")
    ] = None,
    batch: Annotated[
        str | None, typer.Option(help="What the file is called; default: its name.")
    ] = None,
    create_roles: Annotated[
        bool, typer.Option("--create-roles", help="Make a role of each title that matches none.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report only.")] = False,
    on_error: Annotated[
        str, typer.Option(help="abort: one rejected row, and nothing is written.")
    ] = "continue",
) -> None:
    """Import a file of any length. The same file again doubles nothing.

    Example: payband import ai_jobs_salaries.csv --profile ai_jobs
    """
    from rich.console import Console

    from app.ingest.command import FileImport, import_file

    if on_error not in ("continue", "abort"):
        raise typer.BadParameter("it is continue or abort", param_hint="--on-error")
    asked = FileImport(
        path,
        profile,
        kind,
        source,
        observed_on,
        batch,
        create_roles=create_roles,
        dry_run=dry_run,
        abort=on_error == "abort",
    )

    async def act(settings: Settings, database: Database) -> None:
        await import_file(settings, database, asked, Console())

    _with_database(act)


@cli.command("export")
def export_command(
    path: Annotated[Path, typer.Argument(help="File to write: .csv or .ndjson.")],
    kind: Annotated[str, typer.Option(help="salary or demand.")] = "salary",
    source: Annotated[
        list[str] | None,
        typer.Option(help="Only these sources; repeat, or separate by commas."),
    ] = None,
) -> None:
    """Write public records to a file that `payband import` takes.

    Example: payband export salaries.csv --source ai-jobs
    """
    from app.records.command import Exported, export_file

    async def act(settings: Settings, database: Database) -> Exported:
        return await export_file(database, path, kind, ",".join(source) if source else None)

    written = _with_database(act)
    typer.echo(f"{written.records:,} records written to {path}")
    if written.without_id:
        typer.echo(
            f"{written.without_id:,} records have no external_id: importing this file would add "
            "them again"
        )


@cli.command("release")
def release_command(
    source: Annotated[
        str | None,
        typer.Option(
            help="A confidential source: decide its figures alone. A public one: by itself."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be shown and hidden; write nothing.")
    ] = False,
    limit: Annotated[
        int, typer.Option(min=0, max=1_000_000, help="Most hidden nodes that --dry-run lists.")
    ] = 50,
) -> None:
    """Publish figures of confidential records through the last closed quarter, for good.

    Example: payband release --dry-run --limit 20
    """
    from rich.console import Console

    from app.releases.command import release

    async def act(settings: Settings, database: Database) -> None:
        await release(settings, database, source, Console(), dry_run=dry_run, limit=limit)

    _with_database(act)


@cli.command("compact")
def compact_command(
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Make all cells anew from the records.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Compare cells with the records; change nothing.")
    ] = False,
) -> None:
    """Merge the cells that were written since, as the service does, and repair unsound ones.

    Example: payband compact --check
    """
    from rich.console import Console

    from app.cells.command import Asked, compact_all

    if rebuild and check:
        raise typer.BadParameter("take one of --rebuild and --check")

    async def act(settings: Settings, database: Database) -> None:
        await compact_all(database, Asked(rebuild=rebuild, check=check), Console())

    _with_database(act)


@cli.command("openapi")
def openapi_command() -> None:
    """Print the OpenAPI document. Example: payband openapi > openapi.json"""
    import json

    from app.main import create_app

    document = create_app(build_settings(), "postgresql+asyncpg://unused").openapi()
    typer.echo(json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False))


@keys_cli.command("create")
def create_key_command(
    name: Annotated[str, typer.Argument(help="Who will use it.")],
    scope: Annotated[list[str], typer.Option(help="A scope; repeat, or separate by commas.")],
    days: Annotated[
        int | None, typer.Option(min=1, max=36500, help="Days until it expires.")
    ] = None,
) -> None:
    """Make a key and print it, once: only its hash is stored.

    Example: payband keys create "nightly load" --scope records:write --days 90
    """
    from app.access.keys import create_key

    scopes = [part.strip() for text in scope for part in text.split(",")]
    expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)

    async def act(settings: Settings, database: Database) -> tuple[str, str]:
        async with database.write() as session:
            return await create_key(session, name, scopes, expires_at)

    key_id, key = _with_database(act)
    typer.echo(f"key {key_id}; it is not shown again:", err=True)
    typer.echo(key)


@keys_cli.command("list")
def list_keys_command() -> None:
    """List all keys, without their secrets. Example: payband keys list"""
    from rich.console import Console
    from rich.table import Table

    from app.access.keys import KeyInfo, list_keys

    async def act(settings: Settings, database: Database) -> list[KeyInfo]:
        async with database.read() as session:
            return list(await list_keys(session))

    table = Table("id", "name", "scopes", "state", "expires", "last used")
    for key in _with_database(act):
        moments = (_moment(key.expires_at), _moment(key.last_used_at))
        table.add_row(key.id, key.name, " ".join(key.scopes), key.state, *moments)
    Console().print(table)


@keys_cli.command("revoke")
def revoke_key_command(
    key_id: Annotated[str, typer.Argument(help="As `keys list` shows.")],
) -> None:
    """End a key; running servers follow within seconds.

    Example: payband keys revoke k7q2m9x4tb
    """
    from app.access.keys import revoke_key

    async def act(settings: Settings, database: Database) -> bool:
        async with database.write() as session:
            return await revoke_key(session, key_id)

    typer.echo("revoked" if _with_database(act) else "it was revoked before")


@titles_cli.command("rematch")
def rematch_command() -> None:
    """Match all stored titles again, after aliases changed; their records follow.

    Example: payband titles rematch
    """
    from app.taxonomies.catalogue import CatalogueCache
    from app.taxonomies.rematching import RematchReport, rematch

    async def act(settings: Settings, database: Database) -> RematchReport:
        return await rematch(database, CatalogueCache())

    report = _with_database(act)
    typer.echo(
        f"{report.titles_changed:,} of {report.titles:,} titles changed their meaning, "
        f"{report.records_changed:,} records followed"
    )


@titles_cli.command("unmatched")
def unmatched_titles_command(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most titles shown.")] = 50,
) -> None:
    """List titles that no role was found for, those of most records first.

    Confidential sources count as well. Example: payband titles unmatched --limit 20
    """
    from rich.console import Console

    from app.taxonomies.command import show_unmatched

    async def act(settings: Settings, database: Database) -> None:
        await show_unmatched(database, limit, Console())

    _with_database(act)


@titles_cli.command("match")
def match_title_command(title: Annotated[str, typer.Argument(help="A job title.")]) -> None:
    """Say what a title means and why. Example: payband titles match "Sr. Django Engineer\""""
    from app.domain.titles import TitleMatch
    from app.taxonomies.catalogue import CatalogueCache
    from app.taxonomies.titles import match_titles

    async def act(settings: Settings, database: Database) -> TitleMatch:
        async with database.read() as session:
            catalogue, _ = await CatalogueCache().current(session)
        return (await match_titles([title], catalogue))[title]

    match = _with_database(act)
    typer.echo(f"role {match.role}, level {match.level}, confidence {match.confidence:.2f}")
    typer.echo(match.why)


@rates_cli.command("import")
def import_rates_command(
    path: Annotated[Path, typer.Argument(help="CSV as its publisher writes it.")],
    kind: Annotated[
        str | None,
        typer.Option(help="ecb (exchange rates), parity or cpi; default: as the header says."),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(help="How to read price indices: bea_rpp_state, us_cpi; default by header."),
    ] = None,
) -> None:
    """Load exchange rates and price the records that waited for them, or load price indices.

    Example: payband rates import eurofxref-hist.csv

    Example: payband rates import us_cpi.csv --kind cpi
    """
    from rich.console import Console

    from app.rates.command import import_file

    async def act(settings: Settings, database: Database) -> None:
        today, base = datetime.now(UTC).date(), settings.base_currency
        await import_file(database, path, base, today, Console(), kind=kind, profile=profile)

    _with_database(act)


@rates_cli.command("show")
def show_rates_command(
    code: Annotated[
        str | None, typer.Argument(help="A currency (ISO 4217) or a region; none: all.")
    ] = None,
    kind: Annotated[str, typer.Option(help="ecb (exchange rates), parity or cpi.")] = "ecb",
) -> None:
    """Show the loaded exchange rates or price indices.

    Example: payband rates show GBP

    Example: payband rates show --kind parity US-CA
    """
    from rich.console import Console

    from app.rates.command import show

    async def act(settings: Settings, database: Database) -> None:
        await show(database, kind, None if code is None else code.upper(), Console())

    _with_database(act)


def _moment(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M}"


if __name__ == "__main__":
    main()
