"""Keys of rows: what they depend on and what they do not."""

from collections import Counter

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from app.ingest.chunks import ROW
from app.ingest.identity import Identities, RepeatCounter, content_hashes, row_texts
from app.records.keys import external_key

SECRET = b"s" * 32


def _arrived(*rows: dict[str, str | None]) -> pl.DataFrame:
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [row.get(name) for row in rows] for name in names}
    frame = pl.DataFrame(columns, schema=dict.fromkeys(names, pl.String))
    return frame.with_columns(pl.int_range(1, len(rows) + 1, eager=True).alias(ROW))


def _keys(
    arrived: pl.DataFrame, batch: str | None = "file.csv", identities: Identities | None = None
) -> list[str | None]:
    identities = identities or Identities(SECRET, batch)
    rows = arrived.select(ROW, external_id=pl.lit(None, dtype=pl.String))
    keys: list[str | None] = identities.keys(rows, arrived).to_list()
    return keys


@given(st.lists(st.lists(st.integers(0, 30), max_size=40), max_size=12))
def test_repeats_are_counted_across_calls(chunks: list[list[int]]) -> None:
    counter, seen = RepeatCounter(), Counter[int]()
    for chunk in chunks:
        expected = []
        for number in chunk:
            expected.append(seen[number])
            seen[number] += 1
        assert counter.count(np.array(chunk, np.uint64)).tolist() == expected


def test_a_repeated_row_gets_keys_of_its_own_wherever_the_chunks_end() -> None:
    row: dict[str, str | None] = {"region": "US", "amount": "1"}
    together = _keys(_arrived(row, row, row))
    identities = Identities(SECRET, "file.csv")
    apart = [key for part in ((row,), (row, row)) for key in
             _keys(_arrived(*part), identities=identities)]  # fmt: skip
    assert together == apart
    assert len(set(together)) == 3


def test_a_key_depends_on_values_and_their_names_only() -> None:
    plain = _keys(_arrived({"a": "1", "b": "2"}))
    assert _keys(_arrived({"b": "2", "a": "1"})) == plain
    assert _keys(_arrived({"a": "1", "b": "2", "c": None})) == plain
    assert _keys(_arrived({"a": "2", "b": "1"})) != plain
    assert _keys(_arrived({"a": "1", "c": "2"})) != plain


def test_a_key_depends_on_batch_and_secret() -> None:
    rows = _arrived({"a": "1"})
    assert _keys(rows, "other.csv") != _keys(rows)
    assert _keys(rows, identities=Identities(b"t" * 32, "file.csv")) != _keys(rows)


def test_without_a_batch_only_rows_with_an_external_id_have_keys() -> None:
    arrived = _arrived({"id": "x"}, {"id": None}, {"id": "y"})
    rows = arrived.select(ROW, external_id="id")
    keys = Identities(SECRET, None).keys(rows, arrived).to_list()
    assert [key is None for key in keys] == [False, True, False]
    with_batch = Identities(SECRET, "b").keys(rows, arrived).to_list()
    assert with_batch[0] == keys[0]
    assert len(set(with_batch)) == 3


def test_an_external_id_has_the_key_that_deletion_looks_for() -> None:
    arrived = _arrived({"id": "café 1"})
    (key,) = Identities(SECRET, None).keys(arrived.select(ROW, external_id="id"), arrived)
    assert key == external_key(SECRET, "café 1").hex


def test_an_external_id_is_never_taken_for_a_row() -> None:
    arrived = _arrived({"id": "x"})
    text = row_texts(arrived)[0]
    by_row = _keys(arrived, batch="b")
    named = _arrived({"id": f"b\x1f{text}"})
    by_id = Identities(SECRET, "b").keys(named.select(ROW, external_id="id"), named).to_list()
    assert by_row != by_id


def test_content_hashes_are_the_same_for_ever() -> None:
    """They are stored: another way to compute them would count every row as changed once."""
    rows = pl.DataFrame({"a": ["x", None], "n": [1, 2]})
    assert content_hashes(rows, ["a", "n"]).to_list() == [
        -7093641343997890073,
        5899644328045186143,
    ]
