"""Several releases of one series: what may change between them. By hand."""

import polars as pl

from app.releases.lattice import FIGURES, KEY, History
from tests.releases.test_lattice import TOP, after, records, release, shown, why

BOTH = 2


def gone(part: pl.DataFrame) -> pl.DataFrame:
    """Of release 1 only."""
    return part.with_columns(pl.lit(1, dtype=pl.Int32).alias("last"))


def kept(part: pl.DataFrame) -> pl.DataFrame:
    return part.with_columns(pl.lit(BOTH, dtype=pl.Int32).alias("last"))


def new(part: pl.DataFrame) -> pl.DataFrame:
    return part.with_columns(
        pl.lit(2, dtype=pl.Int32).alias("first"), pl.lit(2, dtype=pl.Int32).alias("last")
    )


def test_one_record_more_leaves_the_earlier_figures() -> None:
    ten = records(10)
    first = release(ten)
    second = release(kept(ten), new(records(1, start=50)), history=after(first))
    before, now = shown(first, TOP), shown(second, TOP)
    assert before is not None
    assert now is not None
    assert now == before
    assert now["base"] == 1
    assert second.summary["stale"] == len(second.nodes)


def test_five_records_more_renew_them() -> None:
    ten = records(10)
    first = release(ten)
    second = release(kept(ten), new(records(5, start=50)), history=after(first))
    now = shown(second, TOP)
    assert now is not None
    assert (now["base"], now["count"]) == (2, 15)


def test_five_records_of_one_employer_do_not() -> None:
    twenty = records(20)
    first = release(twenty)
    more = new(records(5, start=50, employers=[99] * 5))
    second = release(kept(twenty), more, history=after(first))
    now = shown(second, TOP)
    assert now is not None
    assert now["base"] == 1


def test_a_changed_record_counts_once() -> None:
    """Four records changed are eight versions, and still four records."""
    ten, old = records(10), records(4, start=20)
    first = release(ten, old)
    changed = new(old).with_columns(pl.col("amount") + 9_000)
    second = release(kept(ten), gone(old), changed, history=after(first))
    now = shown(second, TOP)
    assert now is not None
    assert now["base"] == 1


def test_changes_that_move_no_figure_hide_nobody() -> None:
    """Six employers spelt otherwise, six levels corrected: a newcomer among them is still alone."""
    stay, old = records(20), records(6, start=20)
    first = release(stay, old)
    newcomer = new(records(1, start=50)).with_columns(amount=pl.lit(2_000_000, dtype=pl.Int32))
    for change in ({"employer": pl.col("employer") + 1_000}, {"level": pl.col("level") + 1}):
        changed = new(old).with_columns(**change)
        second = release(kept(stay), gone(old), changed, newcomer, history=after(first))
        assert shown(second, TOP) == shown(first, TOP)


def test_one_record_less_does_not_make_a_node_disappear() -> None:
    five = records(5)
    first = release(five)
    second = release(kept(five[:4]), gone(five[4:]), history=after(first))
    now = shown(second, TOP)
    assert now is not None
    assert (now["base"], now["count"]) == (1, 5)


def test_five_records_less_do() -> None:
    nine = records(9)
    first = release(nine)
    second = release(kept(nine[:4]), gone(nine[4:]), history=after(first))
    assert shown(second, TOP) is None
    assert why(second, TOP) == "few_records"


def test_one_record_more_does_not_make_a_node_appear() -> None:
    four = records(4)
    first = release(four)
    second = release(kept(four), new(records(1, start=50)), history=History(2, first.nodes))
    assert why(second, TOP) == "change_too_small"
    third = release(kept(four), new(records(5, start=50)), history=History(2, first.nodes))
    assert shown(third, TOP)


def test_a_group_that_left_and_came_back_is_measured_against_all_that_is_known() -> None:
    """Ten records, six more, and five of these gone again: release 3 against 2 changes five, but
    against 1 only one."""
    ten, stays, leaves = records(10), records(1, start=50), records(5, start=60)
    first = release(ten)
    second = release(kept(ten), new(stays), new(leaves), history=after(first))
    assert shown(second, TOP) != shown(first, TOP)
    to_three = pl.lit(3, dtype=pl.Int32).alias("last")
    third = release(
        ten.with_columns(to_three),
        new(stays).with_columns(to_three),
        new(leaves),
        history=after(first, second),
    )
    now = shown(third, TOP)
    assert now is not None
    assert now["base"] == 2


def test_a_part_with_small_changes_keeps_its_total_from_telling_them() -> None:
    """Role 2 gets one record, role 1 five: all roles less role 1 would tell role 2's one."""
    one, two = records(10), records(10, start=20, role=2)
    first = release(one, two)
    second = release(
        kept(one), kept(two), new(records(5, start=50)), new(records(1, start=60, role=2)),
        history=after(first),
    )  # fmt: skip
    bases = {
        node["role"]: node["base"]
        for node in second.nodes.iter_rows(named=True)
        if (node["source"], node["region"], node["level"], node["period"]) == (1, -1, -1, 0)
    }
    assert bases[2] == 1
    assert (bases[-1], bases[1]) != (2, 2)


def test_a_quarter_that_closed_since_is_free() -> None:
    """The year's first three quarters were published; with the fourth it becomes a node, which
    no earlier release could have hidden."""
    early = records(20, year=2025, quarter=20253)
    first = release(early.with_columns(pl.lit(0, dtype=pl.Int32).alias("year")))
    late = new(records(1, start=50, quarter=20254))
    year = (1, -1, -1, -1, 2025)
    free = release(kept(early), late, history=after(first, closed=(20253,)))
    held = release(kept(early), late, history=after(first))
    assert why(held, year) == "change_too_small"
    # Free of its own past, but one record more than the quarter that is known.
    assert why(free, year) == "part_of_a_line"


def test_sources_out_of_scope_keep_their_figures() -> None:
    one, two = records(10), records(10, start=20, source=2)
    more = [new(records(6, start=40)), new(records(6, start=60, source=2))]
    first = release(one, two)
    second = release(kept(one), kept(two), *more, history=after(first), scope=frozenset({1}))
    bases = {
        node["source"]: node["base"]
        for node in second.nodes.iter_rows(named=True)
        if (node["role"], node["region"], node["level"], node["period"]) == (-1, -1, -1, 0)
    }
    assert bases == {-1: 1, 1: 2, 2: 1}
    untouched = second.nodes.filter(pl.col("source") == 2)
    assert untouched.equals(first.nodes.filter(pl.col("source") == 2))


def test_a_source_out_of_scope_before_is_free() -> None:
    one, two = records(10), records(10, start=20, source=2)
    first = release(one, two, scope=frozenset({1}))
    assert set(first.nodes["source"]) == {1}
    node = (2, -1, -1, -1, 0)
    history = after(first, scopes=(frozenset({1}),))
    assert shown(release(kept(one), kept(two), history=history), node)
    assert why(release(kept(one), kept(two), history=after(first)), node) == "change_too_small"


def test_all_columns_are_there_and_sorted() -> None:
    result = release(records(10))
    assert result.nodes.columns == [*KEY, "base", *FIGURES]
    assert result.nodes.equals(result.nodes.sort(KEY))
