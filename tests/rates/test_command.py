"""What `payband rates` prints."""

import io
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import text

from app.core.database import Database
from app.core.errors import InvalidBody, NotFound
from app.rates.command import import_file, show_currencies, show_currency

TODAY = date(2026, 4, 20)


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=100)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


async def test_a_load_is_summed_up(database: Database, console: Console, tmp_path: Path) -> None:
    async with database.read() as session:
        per_eur = await session.scalar(
            text("SELECT per_eur FROM exchange_rates WHERE (currency, observed_on) = ('USD', :on)"),
            {"on": date(2022, 12, 30)},
        )
    path = tmp_path / "rates.csv"
    path.write_text(f"Date,USD,\n2022-12-30,{per_eur},\n")
    await import_file(database, path, "USD", TODAY, console)
    assert "2022-12-30" in printed(console)
    assert "changed rates" in printed(console)


async def test_files_that_cannot_be_read(
    database: Database, console: Console, tmp_path: Path
) -> None:
    with pytest.raises(InvalidBody, match="cannot be read: No such file"):
        await import_file(database, tmp_path / "none.csv", "USD", TODAY, console)
    with pytest.raises(InvalidBody, match="cannot be read: Is a directory"):
        await import_file(database, tmp_path, "USD", TODAY, console)


async def test_the_list_has_every_currency(database: Database, console: Console) -> None:
    await show_currencies(database, console)
    assert "7.5365" in printed(console)
    assert {"USD", "HRK", "TRY"} <= set(printed(console).split())


async def test_one_currency(database: Database, console: Console) -> None:
    await show_currency(database, "hrk", console, limit=1)
    assert "2022-12-30" in printed(console)
    assert "2022-12-29" not in printed(console)


@pytest.mark.parametrize(("code", "says"), [("CLP", "the ECB has none"), ("USDD", "nearest: USD")])
async def test_a_currency_without_rates(
    database: Database, console: Console, code: str, says: str
) -> None:
    with pytest.raises(NotFound, match=says):
        await show_currency(database, code, console)
