"""What `payband rates` does: load a file, list what is loaded, show one currency or region."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from app.core.database import Database
from app.core.errors import InvalidBody, NotFound, Refused, UnknownValue
from app.domain.currencies import judge_currency
from app.domain.nearest import nearest
from app.rates import index_profiles
from app.rates.ecb import SIZE_LIMIT
from app.rates.index_command import import_index_file, show_indexed_regions, show_region
from app.rates.index_files import read_header
from app.rates.index_profiles import (
    IndexProfile,
    find_index_profile,
    get_index_profile,
    shipped_index_profiles,
)
from app.rates.loading import import_rates
from app.rates.store import list_currencies, list_quotes

ECB: Final = "ecb"
KINDS: Final = (ECB, *index_profiles.KINDS)
"""What a file can be: exchange rates of the ECB, or price indices of a kind."""


async def import_file(
    database: Database,
    path: Path,
    base: str,
    today: date,
    console: Console,
    *,
    kind: str | None = None,
    profile: str | None = None,
) -> None:
    """Load a file of exchange rates or price indices; prints what that did.

    `kind` is one of KINDS and `profile` a shipped profile of indices; without them the file's
    header says what it is. Raises UnknownValue and Refused for kinds and profiles that do not
    exist or do not fit together, InvalidBody for a file that is not as its publisher writes it.
    """
    content = _content(path)
    chosen = choose_profile(read_header(content), kind, profile)
    if chosen is None:
        await import_rates_file(database, path.name, content, base, today, console)
    else:
        await import_index_file(database, path.name, content, chosen, today, console)


def choose_profile(
    header: Sequence[str], kind: str | None, profile: str | None
) -> IndexProfile | None:
    """The profile of a file of indices with that header; None for one of exchange rates.

    Raises UnknownValue naming the nearest kind or profile, Refused where one is not of the other.
    """
    _check_kind(kind)
    if profile is not None:
        chosen = get_index_profile(profile)
        if kind not in (None, chosen.kind):
            raise Refused(f"The profile {profile} is of kind {chosen.kind}, not {kind}.")
        return chosen
    if kind == ECB:
        return None
    # Where nothing fits, the kind's first profile says what is missing.
    of_kind = (item for item in shipped_index_profiles() if item.kind == kind)
    return find_index_profile(header, kind) or next(of_kind, None)


async def import_rates_file(
    database: Database, name: str, content: bytes, base: str, today: date, console: Console
) -> None:
    """Load an ECB history and price what waited for it; prints what that did.

    Raises InvalidBody for a file that is not as the ECB writes it.
    """
    with console.status(f"Loading {name} ..."):
        rates, repriced = await import_rates(database, content, base, today)
    table = Table(title=f"Exchange rates from {name}", show_header=False)
    for label, value in (
        ("currencies", f"{rates.currencies:,}"),
        ("days", f"{rates.days:,}"),
        ("newest day", rates.newest.isoformat()),
        ("new rates", f"{rates.inserted:,}"),
        ("changed rates", f"{rates.changed:,}"),
        ("pending records priced", f"{repriced.priced:,}"),
        ("of them out of bounds", f"{repriced.out_of_bounds:,}"),
        ("still pending", f"{repriced.still_pending:,}"),
    ):
        table.add_row(label, value)
    console.print(table)


async def show(database: Database, kind: str, code: str | None, console: Console) -> None:
    """Print what is loaded of one of KINDS, or only of one currency or region.

    Raises UnknownValue for an unknown kind, NotFound where there is nothing.
    """
    _check_kind(kind)
    if kind == ECB and code is not None:
        await show_currency(database, code, console)
    elif kind == ECB:
        await show_currencies(database, console)
    elif code is not None:
        await show_region(database, kind, code, console)
    else:
        await show_indexed_regions(database, kind, console)


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


def _check_kind(kind: str | None) -> None:
    if kind is not None and kind not in KINDS:
        close = nearest(kind, KINDS)
        raise UnknownValue(
            f"There is no kind {kind[:40]!r} of rates. Nearest: {close[0]}. "
            f"All: {', '.join(KINDS)}.",
            code="unknown_kind",
            parameter="kind",
            nearest=close,
        )


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise InvalidBody(f"{path} cannot be read: {error.strerror}") from None
