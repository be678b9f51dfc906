"""What `payband rates` does about price indices: load a file, list regions, show one of them."""

from datetime import date
from typing import Final

from rich.console import Console
from rich.table import Table

from app.core.database import Database
from app.core.errors import NotFound
from app.rates.index_files import PERIODS
from app.rates.index_loading import import_indices
from app.rates.index_profiles import IndexProfile
from app.rates.index_store import list_indexed_regions, list_indices

TITLES: Final = {"parity": "Price parities", "cpi": "Consumer prices"}


async def import_index_file(
    database: Database,
    name: str,
    content: bytes,
    profile: IndexProfile,
    today: date,
    console: Console,
) -> None:
    """Load a file of indices; prints what that did.

    Raises InvalidBody for a file that is not as the profile says.
    """
    with console.status(f"Loading {name} ..."):
        report = await import_indices(database, content, profile, today)
    periods = report.table.periods
    table = Table(title=f"{TITLES[profile.kind]} from {name}", show_header=False)
    for label, value in (
        ("read as", f"{profile.title}: profile {profile.name}"),
        ("regions", f"{len(report.table.regions):,}"),
        (f"{PERIODS[profile.kind]}s", f"{len(periods):,}"),
        ("from", shown_period(profile.kind, periods[0])),
        ("to", shown_period(profile.kind, periods[-1])),
        ("lines that are not of the table", f"{report.table.skipped:,}"),
        ("new indices", f"{report.inserted:,}"),
        ("changed indices", f"{report.changed:,}"),
        ("unchanged", f"{report.unchanged:,}"),
    ):
        table.add_row(label, value)
    console.print(table)


async def show_indexed_regions(database: Database, kind: str, console: Console) -> None:
    """Print every region that has an index. Raises NotFound where there are none."""
    async with database.read() as session:
        summaries = await list_indexed_regions(session, kind)
    if not summaries:
        raise NotFound(
            f"no indices of {TITLES[kind].lower()} are loaded; "
            f"run `payband rates import FILE --kind {kind}`"
        )
    unit = f"{PERIODS[kind]}s"
    table = Table("region", "name", unit, "first", "newest", "index", title=TITLES[kind])
    for item in summaries:
        ends = (shown_period(kind, item.first_on), shown_period(kind, item.last_on))
        table.add_row(item.code, item.name, f"{item.periods:,}", *ends, f"{item.value:.10g}")
    console.print(table)


async def show_region(
    database: Database, kind: str, code: str, console: Console, limit: int = 12
) -> None:
    """Print the newest indices of one region. Raises NotFound where it has none."""
    async with database.read() as session:
        indices = await list_indices(session, kind, code, limit)
    if not indices:
        raise NotFound(
            f"no indices of {TITLES[kind].lower()} for {code[:40]!r}; "
            f"`payband rates show --kind {kind}` lists the regions that have them"
        )
    table = Table(PERIODS[kind], "index", title=f"{code}, {TITLES[kind].lower()}, newest")
    for first, value in indices:
        table.add_row(shown_period(kind, first), f"{value:.10g}")
    console.print(table)


def shown_period(kind: str, first: date) -> str:
    """A period by its first day: 2023, or 2023-07."""
    return f"{first:%Y}" if PERIODS[kind] == "year" else f"{first:%Y-%m}"
