"""The real openings by US state: a stock, in thousands, at the end of each month."""

import csv
from collections import defaultdict

import httpx
import pytest

from app.core.database import Database
from app.settings import Settings
from tests.support.importing import data_file, import_file

URL = "/v1/demand/statistics"
NO_STATE = {"00", "MW", "NE", "SO", "WE"}


@pytest.mark.slow
async def test_openings_by_state_equal_the_file(
    client: httpx.AsyncClient, settings: Settings, database: Database
) -> None:
    path = data_file("jolts_job_openings.csv")
    report = await import_file(settings, database, path, "jolts")
    assert report["rejected"] == 0

    expected: dict[str, float] = defaultdict(float)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            if (
                row["seasonal"] == "S"
                and row["industry_code"] == "000000"
                and row["state_code"] not in NO_STATE
            ):
                expected[row["month"]] += float(row["openings_thousands"]) * 1000
    june = (await client.get(f"{URL}?from=2022-06&to=2022-06&group_by=region")).json()
    total = sum(row["openings_open"] for row in june["data"])
    assert len(june["data"]) == 51
    assert total == pytest.approx(expected["2022-06"])
    assert total == pytest.approx(11.04e6, rel=0.001)
    assert sum(row["share"] for row in june["data"]) == pytest.approx(1)

    year = (await client.get(f"{URL}?group_by=year&from=2021-01&to=2021-12")).json()
    months = [number for month, number in expected.items() if month.startswith("2021")]
    assert len(months) == 12
    assert year["data"][0]["openings_open"] == pytest.approx(sum(months) / 12)
    await check_trend(client, expected)
    country = (await client.get(f"{URL}?group_by=month&region=US&limit=10000")).json()
    assert {row["month"]: row["openings_open"] for row in country["data"]} == pytest.approx(
        dict(expected)
    )


async def check_trend(client: httpx.AsyncClient, expected: dict[str, float]) -> None:
    """The trend of all states, and its index, against the file."""
    asked = "/v1/demand/trend?from=2021-01&to=2022-06"
    answer = (await client.get(f"{asked}&base=2021-01")).json()
    rows = {row["month"]: row for row in answer["data"]}
    assert len(rows) == 18
    assert rows["2022-06"]["openings_open"] == pytest.approx(11.04e6, rel=0.001)
    assert rows["2022-06"]["index"] == pytest.approx(
        100 * expected["2022-06"] / expected["2021-01"], abs=1e-5
    )
    assert rows["2022-06"]["change_year"] == pytest.approx(
        expected["2022-06"] / expected["2021-06"] - 1, abs=1e-6
    )
    # A year before the window's first months is looked up.
    assert rows["2021-01"]["change_year"] == pytest.approx(
        expected["2021-01"] / expected["2020-01"] - 1, abs=1e-6
    )
    assert rows["2021-01"]["change_previous"] == pytest.approx(
        expected["2021-01"] / expected["2020-12"] - 1, abs=1e-6
    )
    years = (await client.get("/v1/demand/trend?interval=year&from=2020&to=2021")).json()["data"]
    means = [
        sum(number for month, number in expected.items() if month.startswith(year)) / 12
        for year in ("2020", "2021")
    ]
    assert [row["openings_open"] for row in years] == pytest.approx(means)
    assert years[1]["change_year"] == pytest.approx(means[1] / means[0] - 1, abs=1e-6)
