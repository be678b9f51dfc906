"""What `payband rates` does: load a file, list the currencies, show one of them."""

from datetime import date
from pathlib import Path

from rich.console import Console
from rich.table import Table

from app.core.database import Database
from app.core.errors import InvalidBody, NotFound
from app.domain.currencies import judge_currency
from app.rates.ecb import SIZE_LIMIT
from app.rates.loading import import_rates
from app.rates.store import list_currencies, list_quotes


async def import_file(
    database: Database, path: Path, base: str, today: date, console: Console
) -> None:
    """Load an ECB history file and price what waited for it; prints what that did.

    Raises InvalidBody for a file that cannot be read or is not as the ECB writes it.
    """
    with console.status(f"Loading {path.name} ..."):
        rates, repriced = await import_rates(database, _content(path), base, today)
    table = Table(title=f"Exchange rates from {path.name}", show_header=False)
    for name, value in (
        ("currencies", f"{rates.currencies:,}"),
        ("days", f"{rates.days:,}"),
        ("newest day", rates.newest.isoformat()),
        ("new rates", f"{rates.inserted:,}"),
        ("changed rates", f"{rates.changed:,}"),
        ("pending records priced", f"{repriced.priced:,}"),
        ("of them out of bounds", f"{repriced.out_of_bounds:,}"),
        ("still pending", f"{repriced.still_pending:,}"),
    ):
        table.add_row(name, value)
    console.print(table)


async def show_currencies(database: Database, console: Console) -> None:
    """Print every currency that has rates. Raises NotFound where there are none."""
    async with database.read() as session:
        summaries = await list_currencies(session)
    if not summaries:
        raise NotFound("no exchange rates are loaded; run `payband rates import FILE`")
    table = Table("currency", "days", "first", "newest", "per euro", title="Exchange rates (ECB)")
    for item in summaries:
        days = (f"{item.days:,}", item.first_on.isoformat(), item.last_on.isoformat())
        table.add_row(item.currency, *days, str(item.per_eur))
    console.print(table)


async def show_currency(
    database: Database, currency: str, console: Console, limit: int = 10
) -> None:
    """Print the newest rates of one currency. Raises NotFound where it has none."""
    verdict = judge_currency(currency)
    async with database.read() as session:
        quotes = await list_quotes(session, verdict.code, limit)
    if not quotes:
        raise NotFound(
            f"no rates of {verdict.code[:40]!r}; {verdict.message or 'the ECB has none'}"
        )
    table = Table("day", "per euro", title=f"{verdict.code}, newest rates (ECB)")
    for day, per_eur in quotes:
        table.add_row(day.isoformat(), str(per_eur))
    console.print(table)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise InvalidBody(f"{path} cannot be read: {error.strerror}") from None
