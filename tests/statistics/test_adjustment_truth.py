"""Adjusted figures over the real indices of the BEA and the BLS, against plain NumPy."""

import csv
from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.core.database import Database
from app.rates.index_loading import import_indices
from app.rates.index_profiles import get_index_profile
from tests.statistics.conftest import Ask
from tests.support.builders import Row, add_records, salary
from tests.support.importing import data_file

TODAY = date(2026, 11, 22)
STATES = {
    "US": "United States",
    "US-CA": "California",
    "US-DC": "District of Columbia",
    "US-MS": "Mississippi",
    "US-NY": "New York",
    "US-WY": "Wyoming",
}
PLACES = [*STATES, "US-CA-SFO", "US-NY-NYC", "US-GU", "DE"]
WINDOWS: list[dict[str, str]] = [{}, {"from": "2015", "to": "2019-06"}, {"to": "2008"}]


def real_parities(path: Path) -> dict[tuple[str, int], float]:
    """Index by name of the state and year, from the lines about all items."""
    with path.open(newline="") as file:
        lines = [line for line in csv.reader(file, skipinitialspace=True) if len(line) > 8]
    years = [int(name) for name in lines[0][8:]]
    return {
        (line[1], year): float(value)
        for line in lines[1:]
        if line[6].strip() == "RPPs: All items"
        for year, value in zip(years, line[8:], strict=True)
    }


def real_prices(path: Path) -> dict[str, float]:
    """Index by month, 2024-01, and its mean by year, 2024."""
    with path.open(newline="") as file:
        months = {row["Date"][:7]: float(row["Index"]) for row in csv.DictReader(file)}
    years = defaultdict(list)
    for month, value in months.items():
        years[month[:4]].append(value)
    return months | {year: float(np.mean(values)) for year, values in years.items()}


def random_records() -> list[Row]:
    rng = np.random.default_rng(11)
    records = []
    for amount in rng.integers(20_000, 400_000, 1_500):
        year, month = rng.integers(2005, 2027), rng.integers(1, 13)
        on = f"{year}-{month:02}-{rng.integers(1, 29):02}"[: rng.choice([4, 7, 10])]
        records.append(salary(int(amount), region=str(rng.choice(PLACES)), on=on))
    # The month without an index, and the last that there is.
    records += [salary(90_000, region="US-CA", on=on) for on in ("2025-10-07", "2026-05", "2026")]
    return records


class Truth:
    """The factor of a record, from the files."""

    def __init__(self, parities: dict[tuple[str, int], float], prices: dict[str, float]) -> None:
        self.parities, self.prices = parities, prices

    def factor(self, record: Row, words: str, year: int) -> float | None:
        """None without an index."""
        factor = 1.0
        if "price_parity" in words:
            state = STATES.get(record["region"][:5] if record["region"] != "US" else "US")
            if state is None:
                return None
            factor /= self.parities[state, year] / 100
        if "cpi:" in words:
            digits = {1: 7, 2: 7, 3: 4}[record["precision"]]
            written = record["observed_on"].isoformat()[:digits]
            if record["region"][:2] != "US" or written not in self.prices:
                return None
            factor *= self.prices[words.partition("cpi:")[2][:7]] / self.prices[written]
        return factor


def inside(record: Row, window: dict[str, str]) -> bool:
    first, last = record["observed_on"].isoformat(), record["observed_until"].isoformat()
    ends = {"2019-06": "2019-06-30", "2008": "2008-12-31"}
    start = f"{window['from']}-01-01" if "from" in window else "0000"
    return bool(first >= start and last <= ends.get(window.get("to", ""), "9999"))


@pytest.fixture
async def truth(database: Database) -> Truth:
    parities, prices = data_file("bea_rpp_state.csv"), data_file("us_cpi.csv")
    for profile, path in (("bea_rpp_state", parities), ("us_cpi", prices)):
        await import_indices(database, path.read_bytes(), get_index_profile(profile), TODAY)
    return Truth(real_parities(parities), real_prices(prices))


async def test_figures_equal_those_of_the_files(ask: Ask, database: Database, truth: Truth) -> None:
    records = random_records()
    await add_records(database, *records)
    for window in WINDOWS:
        year = {None: 2023, "2019-06": 2019, "2008": 2008}[window.get("to")]
        for words in ("price_parity", "cpi:2024-01", "cpi:1999-12,price_parity"):
            answer = await ask(
                adjust=words, group_by="region", measures="count,mean,p10,p50,p90", **window
            )
            expected: dict[str, list[float]] = defaultdict(list)
            left_out = 0
            for record in (record for record in records if inside(record, window)):
                factor = truth.factor(record, words, year)
                amounts = expected[record["region"]]
                left_out += factor is None
                if factor is not None:
                    amounts.append(record["annual_amount"] * factor)
            assert_rows(answer, expected)
            assert answer["meta"]["coverage"]["no_index"] == left_out > 0
            for used in answer["meta"]["adjust"]:
                assert used.get("year", used.get("to")) in (year, "2024-01", "1999-12")


def assert_rows(answer: dict[str, Any], expected: dict[str, list[float]]) -> None:
    assert {row["region"] for row in answer["data"]} == set(expected)
    for row in answer["data"]:
        amounts = np.array(expected[row["region"]])
        assert row["count"] == len(amounts)
        assert row["status"] == ("ok" if len(amounts) else "no_index")
        for name, share in (("p10", 10), ("p50", 50), ("p90", 90)):
            wanted = pytest.approx(np.percentile(amounts, share)) if len(amounts) else None
            assert row[name] == wanted, (row["region"], name)
        assert row["mean"] == (pytest.approx(amounts.mean()) if len(amounts) else None)
