"""Versions of records from release to release, by content."""

from datetime import date
from typing import Any

import polars as pl

from app.releases.population import CONTENT, closed_only, compare_versions, placed

EPOCH = date(1970, 1, 1)
WIDE = {"id", "record", "employer"}


def frame(rows: list[dict[str, Any]], *names: str) -> pl.DataFrame:
    schema = {name: pl.Int64 if name in WIDE else pl.Int32 for name in names}
    return pl.DataFrame(rows, schema=schema, orient="row")


def now(*rows: tuple[int, int]) -> pl.DataFrame:
    """Records by id and amount, alike in all else."""
    common = {"source": 1, "role": 2, "region": 3, "level": 4, "year": 2025, "quarter": 20251}
    return frame(
        [{**common, "record": r, "employer": 9, "amount": a} for r, a in rows],
        *("record", *CONTENT),
    )


def stored(*rows: tuple[int, int, int, int, int | None]) -> pl.DataFrame:
    """Versions: id, record, amount, first, last."""
    common = {"source": 1, "role": 2, "region": 3, "level": 4, "year": 2025, "quarter": 20251}
    return frame(
        [
            {**common, "id": i, "record": r, "employer": 9, "amount": a, "first": f, "last": u}
            for i, r, a, f, u in rows
        ],
        *("id", "first", "last", "record", *CONTENT),
    )


def shown(versions: pl.DataFrame) -> list[tuple[int, ...]]:
    return sorted(versions.select("record", "amount", "first", "last").rows())


def test_the_first_release_has_every_record_once() -> None:
    found = compare_versions(now((1, 100), (2, 100)), stored(), 1)
    assert shown(found.frame) == [(1, 100, 1, 1), (2, 100, 1, 1)]
    assert found.added.equals(found.frame)
    assert found.ended == ()


def test_added_changed_removed_and_unchanged() -> None:
    before = stored((11, 1, 100, 1, None), (12, 2, 200, 1, None), (13, 3, 300, 1, None))
    found = compare_versions(now((1, 100), (2, 222), (4, 400)), before, 2)
    assert shown(found.frame) == [
        (1, 100, 1, 2),
        (2, 200, 1, 1),
        (2, 222, 2, 2),
        (3, 300, 1, 1),
        (4, 400, 2, 2),
    ]
    assert shown(found.added) == [(2, 222, 2, 2), (4, 400, 2, 2)]
    assert sorted(found.ended) == [12, 13]


def test_other_records_of_equal_content_are_no_change() -> None:
    before = stored((11, 1, 100, 1, None), (12, 2, 100, 1, None), (13, 3, 100, 1, None))
    found = compare_versions(now((7, 100), (2, 100)), before, 2)
    assert len(found.ended) == 1
    assert len(found.added) == 0
    assert 12 not in found.ended, "the record that is still there stays itself"


def test_a_record_that_comes_back_is_a_version_more() -> None:
    before = stored((11, 1, 100, 1, 2), (12, 2, 200, 1, None))
    found = compare_versions(now((1, 100), (2, 200)), before, 4)
    assert shown(found.frame) == [(1, 100, 1, 2), (1, 100, 4, 4), (2, 200, 1, 4)]
    assert found.ended == ()


def test_dates_become_years_and_quarters() -> None:
    days = [
        ("2025-03-31", "2025-03-31", 20251),
        ("2025-04-01", "2025-04-30", 20252),
        ("2025-01-01", "2025-12-31", 0),
        ("2024-10-01", "2024-10-31", 20244),
    ]
    common = dict.fromkeys(("source", "role", "region", "level", "employer", "amount"), 1)
    rows = [
        {
            **common,
            "record": place,
            "first_day": (date.fromisoformat(first) - EPOCH).days,
            "last_day": (date.fromisoformat(last) - EPOCH).days,
        }
        for place, (first, last, _) in enumerate(days)
    ]
    names = ("record", *common, "first_day", "last_day")
    found = placed(frame(rows, *names))
    assert found["quarter"].to_list() == [quarter for *_, quarter in days]
    assert found["year"].to_list() == [2025, 2025, 2025, 2024]


def test_a_year_counts_once_it_is_over() -> None:
    versions = now((1, 100)).with_columns(first=pl.lit(1), last=pl.lit(1))
    assert closed_only(versions, date(2025, 9, 30))["year"].to_list() == [0]
    assert closed_only(versions, date(2025, 12, 31))["year"].to_list() == [2025]
