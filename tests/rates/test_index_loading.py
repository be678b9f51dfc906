"""Price indices in the database: loading, loading again, and what `payband rates` prints."""

import io
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console

from app.core.database import Database
from app.core.errors import InvalidBody, NotFound, Refused, UnknownValue
from app.core.versions import read_version
from app.rates.command import choose_profile, import_file, show
from app.rates.index_loading import import_indices
from app.rates.index_profiles import IndexProfile, get_index_profile
from app.rates.index_store import list_indexed_regions, list_indices
from tests.support.importing import data_file

TODAY = date(2026, 6, 15)
CPI = b"Date,Index\n2024-01-01,300\n2024-02-01,310\n"
PARITY = b"""GeoFIPS,Description,2022,2023
"00000","RPPs: All items",100,100
"06000","RPPs: All items",112.484,111.9
"""


@pytest.fixture
def profile() -> IndexProfile:
    return get_index_profile("us_cpi")


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=120)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return " ".join(console.file.getvalue().replace("│", " ").split())


async def load(database: Database, content: bytes, profile: IndexProfile) -> tuple[int, ...]:
    """New, changed and unchanged values, and by how much the epoch advanced."""
    before = await epoch(database)
    report = await import_indices(database, content, profile, TODAY)
    advanced = await epoch(database) - before
    return report.inserted, report.changed, report.unchanged, advanced


async def epoch(database: Database) -> int:
    async with database.read() as session:
        return (await read_version(session)).epoch


async def stored(database: Database, kind: str, code: str) -> dict[str, float]:
    async with database.read() as session:
        indices = await list_indices(session, kind, code, 10_000)
    return {first.isoformat(): value for first, value in indices}


async def test_the_same_file_again_changes_nothing(
    database: Database, profile: IndexProfile
) -> None:
    assert await load(database, CPI, profile) == (2, 0, 0, 1)
    assert await load(database, CPI, profile) == (0, 0, 2, 0)


async def test_changed_values_replace_and_what_is_not_named_stays(
    database: Database, profile: IndexProfile
) -> None:
    await load(database, CPI, profile)
    revised = b"Date,Index\n2024-02-01,311.5\n2024-03-01,312\n"
    assert await load(database, revised, profile) == (1, 1, 0, 1)
    assert await stored(database, "cpi", "US") == {
        "2024-01-01": 300.0,
        "2024-02-01": 311.5,
        "2024-03-01": 312.0,
    }


async def test_a_bad_file_stores_nothing(database: Database, profile: IndexProfile) -> None:
    with pytest.raises(InvalidBody, match="line 4, column Index"):
        await load(database, CPI + b"2024-03-01,-5\n", profile)
    assert await stored(database, "cpi", "US") == {}


async def test_a_region_that_the_taxonomy_lacks_stores_nothing(database: Database) -> None:
    profile = get_index_profile("bea_rpp_state")
    odd = replace(profile, regions={**profile.regions, "06000": "US-QQ"})
    with pytest.raises(InvalidBody, match="not in the taxonomy: US-QQ"):
        await load(database, PARITY, odd)
    assert await stored(database, "parity", "US") == {}


async def test_the_real_files(database: Database, console: Console) -> None:
    for name, kind, new in (("bea_rpp_state.csv", "parity", 832), ("us_cpi.csv", "cpi", 1360)):
        await import_file(database, data_file(name), "USD", TODAY, console)
        assert f"new indices {new:,}" in printed(console)
        async with database.read() as session:
            summaries = await list_indexed_regions(session, kind)
        assert sum(summary.periods for summary in summaries) == new
    assert (await stored(database, "parity", "US-NY"))["2008-01-01"] == 111.455
    await import_file(database, data_file("us_cpi.csv"), "USD", TODAY, console, kind="cpi")
    assert "unchanged 1,360" in printed(console)


async def test_a_load_says_what_it_read(
    database: Database, console: Console, tmp_path: Path
) -> None:
    path = tmp_path / "parity.csv"
    path.write_bytes(PARITY)
    await import_file(database, path, "USD", TODAY, console, kind="parity")
    said = printed(console)
    assert "Price parities from parity.csv" in said
    assert "profile bea_rpp_state" in said
    for words in ("regions 2", "years 2", "from 2022", "to 2023", "new indices 4"):
        assert words in said


async def test_what_is_loaded_is_shown(
    database: Database, console: Console, profile: IndexProfile
) -> None:
    for kind in ("parity", "cpi"):
        with pytest.raises(NotFound, match=f"payband rates import FILE --kind {kind}"):
            await show(database, kind, None, console)
    await load(database, CPI, profile)
    await load(database, PARITY, get_index_profile("bea_rpp_state"))
    await show(database, "cpi", None, console)
    assert "US United States 2 2024-01 2024-02 310" in printed(console)
    await show(database, "parity", "US-CA", console)
    assert "2023 111.9 2022 112.484" in printed(console)
    with pytest.raises(NotFound, match="no indices of price parities for 'DE'"):
        await show(database, "parity", "DE", console)
    with pytest.raises(UnknownValue, match="Nearest: parity"):
        await show(database, "parities", None, console)


def test_a_file_is_what_its_header_says_unless_told() -> None:
    cpi, ecb = ["Date", "Index", "Inflation"], ["Date", "USD"]
    names = {"us_cpi": get_index_profile("us_cpi"), "bea": get_index_profile("bea_rpp_state")}
    assert choose_profile(cpi, None, None) == names["us_cpi"]
    assert choose_profile(cpi, "cpi", "us_cpi") == names["us_cpi"]
    assert choose_profile(cpi, "ecb", None) is None
    assert choose_profile(ecb, None, None) is None
    # What is not there is then said by the reader of that kind.
    assert choose_profile(ecb, "parity", None) == names["bea"]
    assert choose_profile(ecb, None, "bea_rpp_state") == names["bea"]
    with pytest.raises(Refused, match="bea_rpp_state is of kind parity, not cpi"):
        choose_profile(cpi, "cpi", "bea_rpp_state")
    with pytest.raises(UnknownValue, match="Nearest: ecb"):
        choose_profile(cpi, "euro", None)
