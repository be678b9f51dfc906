"""What `payband import` does: a file through the pipeline, with a progress bar and a summary."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from app.access.caller import COMMAND_LINE
from app.core.database import Database
from app.core.errors import InvalidBody, Refused
from app.dependencies import Services
from app.domain.nearest import nearest
from app.ingest.fields import FIELDS, Kind
from app.ingest.importer import Importer, Outcome
from app.ingest.media import media_type_of_name
from app.ingest.options import ImportOptions
from app.ingest.profiles import Profile, load_profile
from app.ingest.stored_profiles import get_profile
from app.settings import Settings
from app.taxonomies.catalogue import CatalogueCache

REFRESH_S: Final = 0.2
SHOWN_ERRORS: Final = 10
SHOWN_WARNINGS: Final = 10
COUNTS: Final = (
    *("received", "inserted", "updated", "unchanged", "rejected", "skipped", "rate_pending"),
)


@dataclass(frozen=True)
class FileImport:
    """What is asked on the command line. `batch` None: the file's name."""

    path: Path
    profile: str | None = None
    kind: str | None = None
    source: str | None = None
    observed_on: str | None = None
    batch: str | None = None
    create_roles: bool = False
    dry_run: bool = False
    abort: bool = False


async def import_file(
    settings: Settings, database: Database, asked: FileImport, console: Console
) -> Outcome:
    """Import a file and print what became of it.

    Raises PaybandError for what cannot be imported, also where every row was rejected; the
    summary is printed before.
    """
    size = _size(asked.path)
    options = ImportOptions(
        media_type=media_type_of_name(asked.path.name),
        profile=await _profile(database, asked),
        source=asked.source,
        observed_on=asked.observed_on,
        batch=asked.batch or asked.path.name,
        create_roles=asked.create_roles,
        dry_run=asked.dry_run,
        abort=asked.abort,
        bytes_total=size,
    )
    importer = Importer(Services(settings, database, CatalogueCache()), options, COMMAND_LINE)
    with _progress(console, asked.path.name, size) as (progress, task):
        outcome = await _run(importer, asked.path, progress, task)
    print_summary(console, outcome.report, asked)
    if outcome.error is not None:
        raise outcome.error
    return outcome


async def _run(importer: Importer, path: Path, progress: Progress, task: TaskID) -> Outcome:
    from app.ingest.reader import file_body

    async def refresh() -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            rows = f"{importer.report.received:,} rows"
            progress.update(task, completed=importer.bytes_read, rows=rows)

    shown = asyncio.create_task(refresh())
    try:
        return await importer.run(file_body(path))
    finally:
        shown.cancel()
        with suppress(asyncio.CancelledError):
            await shown


def print_summary(console: Console, report: dict[str, Any], asked: FileImport) -> None:
    """Print the report: counts, the first errors, the commonest warnings."""
    note = " (dry run, nothing was written)" if asked.dry_run else ""
    console.print(escape(f"{asked.path.name}{note}"), highlight=False)
    table = Table(show_header=False)
    for name in COUNTS:
        table.add_row(name.replace("_", " "), f"{report[name]:,}")
    if not asked.dry_run:
        table.add_row("import", str(report["import"]))
    console.print(table)
    _print_errors(console, report)
    _print_warnings(console, report)


def _print_errors(console: Console, report: dict[str, Any]) -> None:
    errors = report["errors"][:SHOWN_ERRORS]
    if not errors:
        return
    table = Table("row", "field", "code", "message", title="Rejected rows")
    for error in errors:
        field = error["field"] or ""
        table.add_row(f"{error['row']:,}", *map(escape, (field, error["code"], error["message"])))
    console.print(table)
    more = len(report["errors"]) - len(errors) + report["errors_omitted"]
    if more:
        console.print(f"{more:,} more errors.")


def _print_warnings(console: Console, report: dict[str, Any]) -> None:
    warnings = report["warnings"]
    if not warnings:
        return
    table = Table("rows", "field", "value", "code", title="Warnings")
    for warning in warnings[:SHOWN_WARNINGS]:
        words = (warning["field"] or "", warning["value"] or "", warning["code"])
        table.add_row(f"{warning['rows']:,}", *map(escape, words))
    console.print(table)
    if len(warnings) > SHOWN_WARNINGS:
        console.print(f"{len(warnings) - SHOWN_WARNINGS:,} more warnings.")


@contextmanager
def _progress(console: Console, name: str, size: int) -> Iterator[tuple[Progress, TaskID]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[rows]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield progress, progress.add_task(escape(name), total=size, rows="")


async def _profile(database: Database, asked: FileImport) -> Profile:
    """A TOML file by its path, else a shipped or stored profile by its code."""
    if asked.profile is None:
        return Profile.identity(_kind(asked.kind))
    if asked.profile.endswith(".toml") or len(Path(asked.profile).parts) > 1:
        return load_profile(asked.profile)
    async with database.read() as session:
        return await get_profile(session, asked.profile)


def _kind(word: str | None) -> Kind:
    for kind in FIELDS:
        if kind == (word or "salary"):
            return kind
    near = ", ".join(nearest(word or "", FIELDS))
    raise Refused(f"kind {word!r} is not known; the nearest are: {near}.", code="unknown_value")


def _size(path: Path) -> int:
    try:
        if path.is_file():
            return path.stat().st_size
        reason = "it is no file" if path.exists() else "there is no such file"
    except OSError as error:
        reason = error.strerror or "it cannot be read"
    raise InvalidBody(f"{path} cannot be imported: {reason}.", code="no_such_file")
