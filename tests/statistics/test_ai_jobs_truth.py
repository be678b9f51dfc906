"""The real salaries: 74,301 rows in, and figures that were computed elsewhere out."""

import csv
from pathlib import Path

import httpx
import pytest

from app.core.database import Database
from app.settings import Settings
from tests.support.importing import data_file, import_file

LEVELS = {"EN": "entry", "MI": "mid", "SE": "senior", "EX": "executive"}
FIGURES = ("mean", "stddev", "p10", "p25", "p50", "p75", "p90")


@pytest.mark.slow
async def test_figures_by_country_and_level_equal_the_truth(
    client: httpx.AsyncClient, settings: Settings, database: Database
) -> None:
    truth_file = data_file("ai_jobs_usd_truth.csv")
    report = await import_file(settings, database, data_file("ai_jobs_salaries.csv"), "ai_jobs")
    assert report["received"] == 74_301
    asked = {
        "source": "ai-jobs",
        "paid_in": "USD",
        "group_by": "region,level",
        "region_kind": "country",
        "measures": f"count,{','.join(FIGURES)}",
        "limit": "10000",
    }
    answer = (await client.get("/v1/salaries/statistics", params=asked)).json()
    found = {(row["region"], row["level"]): row for row in answer["data"]}
    truth = read_truth(truth_file)
    assert {key: row["count"] for key, row in found.items()} == {
        key: row["count"] for key, row in truth.items()
    }
    for key, figures in truth.items():
        for name in FIGURES:
            given = figures[name]
            # One record has no deviation: null here, an empty cell there.
            expected = None if given is None else pytest.approx(given, rel=1e-6, abs=1e-4)
            assert found[key][name] == expected, (key, name)
    assert answer["meta"]["records"] == sum(row["count"] or 0 for row in truth.values())


def read_truth(path: Path) -> dict[tuple[str, str], dict[str, float | None]]:
    """Figures by country and level; the file gives four decimals."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        (row["company_location"], LEVELS[row["experience_level"]]): {
            name: float(row[name]) if row[name] else None for name in ("count", *FIGURES)
        }
        for row in rows
        if row["company_location"] != "*" and row["experience_level"] != "*"
    }
