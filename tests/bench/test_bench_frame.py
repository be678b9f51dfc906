"""The frame of the benchmarks: what counts as good, and that generated rows repeat."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from bench import BENCHMARKS, MILLION, Benchmark, Measure
from bench.generate import EMPLOYERS, Codes, salaries, write_salaries

CODES = Codes(
    "bench",
    roles=tuple(f"role-{n}" for n in range(50)),
    regions=tuple(f"R{n}" for n in range(400)),
    levels=("entry", "mid", "senior", "lead", "principal", "executive"),
    industries=("saas", "media"),
    newest=date(2026, 10, 30),
)


@pytest.mark.parametrize(
    ("measured", "baseline", "bar", "at_least", "passed"),
    [
        (40.0, 100.0, 0.35, True, True),
        (34.0, 100.0, 0.35, True, False),
        (1.16, 1.0, 1.15, False, False),
        (129.0, None, 130, False, True),
        (131.0, None, 130, False, False),
        (1e9, None, None, False, True),
    ],
)
def test_a_bar_is_about_the_ratio_where_there_is_a_baseline(
    measured: float, baseline: float | None, bar: float | None, at_least: bool, passed: bool
) -> None:
    assert Measure("name", measured, "s", baseline, bar, at_least).passed is passed


def test_generated_rows_repeat_and_have_the_promised_width(tmp_path: Path) -> None:
    frame = salaries(0, 100_000, CODES)
    assert frame.equals(salaries(0, 100_000, CODES))
    assert not frame.equals(salaries(100_000, 100_000, CODES))
    counts = {name: frame[name].n_unique() for name in ("role", "region", "level")}
    assert counts == {"role": 50, "region": 400, "level": 6}
    assert EMPLOYERS / 2 < frame["employer"].n_unique() <= EMPLOYERS
    assert frame["external_id"].is_unique().all()
    assert frame["observed_on"].max() == CODES.newest


def test_the_popular_ones_come_often() -> None:
    shares = salaries(0, 50_000, CODES)["role"].value_counts(sort=True, normalize=True)
    assert shares.row(0)[0] == "role-0"
    assert shares.row(0)[1] > 0.2


def test_a_file_has_one_header_and_all_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.generate.SLICE", 100)
    path = tmp_path / "rows.csv"
    write_salaries(path, 250, CODES)
    assert pl.read_csv(path).height == 250
    assert path.read_text().count("external_id") == 1


def test_every_registered_benchmark_is_a_file() -> None:
    root = Path(__file__).parents[2]
    for benchmark in BENCHMARKS.values():
        assert (root / f"{benchmark.module.replace('.', '/')}.py").exists(), benchmark


def test_more_rows_get_more_time_and_fewer_rows_no_less() -> None:
    benchmark = Benchmark("bench.import_bench", MILLION, 100)
    assert [benchmark.limit_of(rows) for rows in (1, MILLION, 5 * MILLION)] == [100, 100, 500]
