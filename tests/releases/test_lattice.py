"""Releases of tiny populations, rule by rule; expected values by hand or by NumPy."""

from collections import Counter
from typing import Any

import numpy as np
import polars as pl
import pytest

from app.domain.disclosure import Policy
from app.releases import computation, universe
from app.releases.lattice import FIGURES, KEY, History, RegionTree, ReleaseResult, compute_release
from app.releases.lines import close_lines
from tests.releases.attacker import Algebra, Attacker, paths
from tests.releases.populations import SCHEMA, TREE, first_population

POLICY = Policy()
WIDE = (40_000, 55_000, 70_000, 90_000, 120_000)
Node = tuple[int, int, int, int, int]
TOP: Node = (1, -1, -1, -1, 0)


def records(count: int, *, start: int = 0, **values: Any) -> pl.DataFrame:
    """Records of `count` employers each with one, pay far apart; `start` numbers them."""
    row = {"role": 1, "region": 1, "level": 1, "source": 1, "year": 2025, "quarter": 20251}
    frame = {
        **{name: [values.get(name, default)] * count for name, default in row.items()},
        "record": list(range(start, start + count)),
        "employer": values.get("employers", list(range(start + 1, start + count + 1))),
        "amount": values.get("amounts", [WIDE[i % 5] for i in range(count)]),
        "first": [values.get("first", 1)] * count,
        "last": [values.get("last", 1)] * count,
    }
    return pl.DataFrame({name: frame[name] for name in SCHEMA}, schema=SCHEMA)


def release(
    *parts: pl.DataFrame, history: History | None = None, scope: frozenset[int] | None = None
) -> ReleaseResult:
    return compute_release(pl.concat(parts), history or History(), TREE, POLICY, scope=scope)


def after(*results: ReleaseResult, **values: Any) -> History:
    """The history after these releases."""
    shown = [
        result.nodes.with_columns(pl.lit(number, dtype=pl.Int32).alias("release"))
        for number, result in enumerate(results, start=1)
    ]
    return History(len(results) + 1, pl.concat(shown), **values)


def shown(result: ReleaseResult, node: Node) -> dict[str, Any] | None:
    rows = result.nodes.rows_by_key(KEY, named=True, unique=True)
    found: dict[str, Any] | None = rows.get(node)
    return found


def why(result: ReleaseResult, node: Node) -> str | None:
    found = result.hidden.rows_by_key(KEY, named=True, unique=True).get(node)
    return None if found is None else found["why"]


def test_five_records_of_five_employers_show_their_median_and_nothing_else() -> None:
    row = shown(release(records(5)), TOP)
    assert row is not None
    assert {name: row[name] for name in FIGURES} == {
        "count": 5, "employers": 5, "p50": 70_000,
        "mean": None, "p10": None, "p25": None, "p75": None, "p90": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("employers", "reason"),
    [
        ([1, 2, 3, 4], "few_records"),
        ([1, 2, 3, 4, 4], "few_employers"),
        ([1, 1, 2, 3, 4, 5], "one_employer_dominates"),
        ([0, 0, 2, 3, 4, 5], "one_employer_dominates"),  # not stated is one employer
    ],
)
def test_groups_under_the_minimum_are_hidden_and_say_why(employers: list[int], reason: str) -> None:
    result = release(records(len(employers), employers=employers))
    assert not len(result.nodes)
    assert why(result, TOP) == reason


def test_a_quarter_of_the_records_may_be_of_one_employer() -> None:
    row = shown(release(records(8, employers=[1, 1, 2, 3, 4, 5, 6, 7])), TOP)
    assert row is not None


@pytest.mark.parametrize(
    ("count", "employers", "measures"),
    [
        (9, 9, {"p50"}),
        (10, 10, {"p50", "p25", "p75", "mean"}),
        (19, 19, {"p50", "p25", "p75", "mean"}),
        (20, 9, {"p50", "p25", "p75", "mean"}),
        (20, 10, {"p50", "p25", "p75", "mean", "p10", "p90"}),
    ],
)
def test_measures_by_size(count: int, employers: int, measures: set[str]) -> None:
    amounts = np.random.default_rng(count).integers(40_000, 120_000, count)
    of = [1 + i % employers for i in range(count)]
    row = shown(release(records(count, amounts=list(amounts), employers=of)), TOP)
    assert row is not None
    money = {name: row[name] for name in FIGURES[2:] if row[name] is not None}
    truth = {f"p{p}": float(np.percentile(amounts, p)) for p in (10, 25, 50, 75, 90)}
    truth["mean"] = float(np.mean(amounts))
    assert money == {name: np.floor(truth[name] / 1000 + 0.5) * 1000 for name in measures}
    assert row["count"] == 5 * ((count + 2) // 5)
    assert row["employers"] == 5 * ((employers + 2) // 5)


def test_a_node_where_all_are_paid_alike_is_hidden_whole() -> None:
    result = release(records(30, amounts=[70_000 + i for i in range(30)]))
    assert why(result, TOP) == "too_alike"
    assert not len(result.nodes)


def test_a_small_rest_of_a_line_hides_another_part() -> None:
    result = release(records(10), records(8, start=10, role=2), records(2, start=20, role=3))
    assert shown(result, TOP)
    assert shown(result, (1, 1, -1, -1, 0))
    assert why(result, (1, 2, -1, -1, 0)) == "part_of_a_line"  # the smaller of two that would do
    assert why(result, (1, 3, -1, -1, 0)) == "few_records"


def test_a_rest_that_meets_the_minimum_hides_nothing() -> None:
    small = [records(1, start=20 + i, role=3 + i) for i in range(5)]
    result = release(records(10), records(8, start=10, role=2), *small)
    assert shown(result, (1, 2, -1, -1, 0))
    assert shown(result, (1, 1, -1, -1, 0))


def test_records_stated_at_a_region_itself_are_a_part_of_it() -> None:
    result = release(records(12, region=11), records(3, start=20, region=1))
    assert shown(result, (1, -1, 1, -1, 0))
    assert why(result, (1, -1, 11, -1, 0)) == "part_of_a_line"


def test_records_known_by_year_are_a_part_of_the_year() -> None:
    result = release(records(12), records(3, start=20, quarter=0))
    assert shown(result, (1, -1, -1, -1, 2025))
    assert why(result, (1, -1, -1, -1, 20251)) == "part_of_a_line"


def test_the_shown_parts_of_a_hidden_total_count_as_known() -> None:
    """2024 is hidden, for its second quarter is of one employer; all time less 2025 less the first
    quarter of 2024 would be that employer's records."""
    result = release(
        records(20, year=2024, quarter=20241),
        records(30, start=100, year=2024, quarter=20242, employers=[7] * 30),
        records(200, start=200),
    )
    assert shown(result, TOP)
    hidden = [(1, -1, -1, -1, period) for period in (2024, 20242)]
    assert [why(result, node) for node in hidden] == ["one_employer_dominates", "few_employers"]
    published = {row["period"] for row in result.nodes.iter_rows(named=True)}
    assert not {2025, 20241} <= published
    assert not {20251, 20241} <= published


def test_what_only_several_lines_together_determine_is_hidden_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two blocks of 2 x 2 hidden cells and one record between them: every row and column leaves
    enough, but rows 1 and 2 less columns 1 and 2 are that one record."""
    sizes = [[3, 3, 9, 9], [3, 3, 1, 9], [9, 9, 3, 3], [9, 9, 3, 3]]
    population = pl.concat(
        records(size, start=100 * role + 20 * level, role=role + 1, level=level + 1)
        for role, row in enumerate(sizes)
        for level, size in enumerate(row)
    )

    def determined() -> list[int]:
        result = release(population)
        attacker = Attacker(population, [result.nodes], TREE, POLICY)
        return [int(cells.sum()) for cells in Algebra(attacker).findings(members=2)]

    assert determined() == []
    monkeypatch.setattr(computation, "protect", close_lines)
    assert 1 in determined()


def test_one_source_is_all_sources() -> None:
    result = release(records(25))
    for frame in (result.nodes, result.hidden):
        over_all = frame.filter(pl.col("source") == -1).drop("source")
        assert over_all.equals(frame.filter(pl.col("source") == 1).drop("source"))


def test_each_source_is_a_part_of_all() -> None:
    result = release(records(10), records(8, start=20, source=2), records(3, start=40, source=3))
    assert shown(result, (-1, -1, -1, -1, 0))
    assert shown(result, (1, -1, -1, -1, 0))
    assert why(result, (2, -1, -1, -1, 0)) == "part_of_a_line"


def test_an_unknown_region_is_a_part_of_all_regions() -> None:
    result = release(records(10, region=0), records(12, start=20, region=2))
    assert shown(result, (1, -1, 0, -1, 0))
    assert shown(result, (1, -1, 2, -1, 0))


def test_the_order_of_the_rows_does_not_matter() -> None:
    population = first_population(3)
    one, other = release(population), release(population.sample(fraction=1, shuffle=True, seed=4))
    assert one.nodes.equals(other.nodes)
    assert one.summary == other.summary


def test_keys_of_any_number_are_numbered_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    population = first_population(5, sources=2)
    one = release(population)
    monkeypatch.setattr(universe, "DENSE_KEYS", 0)
    assert release(population).nodes.equals(one.nodes)


def test_nothing_in_gives_nothing_out() -> None:
    result = release(records(0))
    assert (len(result.nodes), len(result.hidden)) == (0, 0)


def test_a_circle_of_regions_is_refused() -> None:
    with pytest.raises(ValueError, match="circle"):
        compute_release(records(5), History(), RegionTree({1: 2, 2: 1}), POLICY, scope=None)


def test_versions_of_later_releases_are_refused() -> None:
    with pytest.raises(ValueError, match="later"):
        release(records(5, last=2))


@pytest.mark.parametrize("seed", [2, 8])
def test_facts_of_every_node_are_those_of_a_plain_count(seed: int) -> None:
    population = first_population(seed, sources=2)
    result = release(population)
    people: dict[tuple[int, ...], list[int]] = {}
    for row in population.iter_rows(named=True):
        for node in paths(row, TREE):
            people.setdefault(node, []).append(row["employer"])
    facts = {
        node: (len(of), len(set(of)), max(Counter(of).values()) / len(of))
        for node, of in people.items()
    }
    hidden = {row[:5]: row[5:8] for row in result.hidden.rows()}
    published = {row[:5]: row[6:8] for row in result.nodes.rows()}
    assert hidden.keys() | published.keys() == facts.keys()
    assert not hidden.keys() & published.keys()
    assert all(facts[node] == pytest.approx(stated) for node, stated in hidden.items())
    for node, stated in published.items():
        records, employers, share = facts[node]
        assert stated == (5 * ((records + 2) // 5), 5 * ((employers + 2) // 5))
        assert records >= 5
        assert employers >= 5
        assert share <= 0.25
