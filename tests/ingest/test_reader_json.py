"""JSON and NDJSON: digits kept, bad rows refused alone, broken bodies placed by line and column."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import InvalidBody
from app.ingest.chunks import Limits
from app.ingest.fields import ColumnRule
from app.ingest.media import MediaType
from tests.support.reading import SMALL, read

BOTH = pytest.mark.parametrize("media_type", [MediaType.JSON, MediaType.NDJSON])


def body_of(rows: list[str], media_type: MediaType) -> bytes:
    """JSON texts as one body."""
    if media_type is MediaType.NDJSON:
        return "".join(row + "\n" for row in rows).encode()
    return ("[" + ",\n".join(rows) + "]").encode()


def error_of(body: bytes, media_type: MediaType, limits: Limits | None = None) -> InvalidBody:
    with pytest.raises(InvalidBody) as caught:
        read(body, media_type, limits=limits)
    return caught.value


@BOTH
def test_values_become_text_without_losing_a_digit(media_type: MediaType) -> None:
    row = (
        '{"amount": 85000.10, "n": 12345678901234567890123, "e": 1e308, "b": true, "z": null,'
        ' "s": "", "skills": ["sql", "c", 3, null], "none": [], "t": "\\u00e9\\ud83d\\ude00=1"}'
    )
    found = read(body_of([row], media_type), media_type)
    assert found.rows == [
        {
            "amount": "85000.10",
            "n": "12345678901234567890123",
            "e": "1e308",
            "b": "true",
            "skills": "sql;c;3",
            "t": "é😀=1",
        }
    ]


@BOTH
@pytest.mark.parametrize(
    ("row", "field", "code"),
    [
        ('{"a": {"b": 1}}', "a", "nested_value"),
        ('{"a": [[1]]}', "a", "nested_value"),
        ('{"a": [{"b": 1}]}', "a", "nested_value"),
        ('{"a": NaN}', "a", "invalid_number"),
        ('{"a": [-Infinity]}', "a", "invalid_number"),
        ('{"a": 1, "b": 2, "a": 1}', "a", "duplicate_key"),
        ('{"a": "x\\u0000"}', "a", "nul_byte"),
        ('{"a": "\\ud800"}', "a", "invalid_text"),
        ('{"\\udc00": 1}', "\\udc00", "invalid_text"),
        ('{"__row__": 1}', "__row__", "unknown_column"),
        ('"text"', None, "not_an_object"),
        ("[1]", None, "not_an_object"),
        ("17", None, "not_an_object"),
    ],
)
def test_a_bad_row_is_refused_alone(
    media_type: MediaType, row: str, field: str | None, code: str
) -> None:
    found = read(body_of(['{"a": 1}', row, '{"a": 3}'], media_type), media_type)
    assert found.rows == [{"a": "1"}, {"a": "3"}]
    assert found.numbers == [1, 3]
    assert [(error.row, error.field, error.code) for error in found.bad] == [(2, field, code)]


@BOTH
def test_an_unknown_field_names_the_nearest(media_type: MediaType) -> None:
    rule = ColumnRule(frozenset({"amount", "currency"}), (("currency",),))
    body = body_of(['{"amount": 1}', '{"amuont": 2}'], media_type)
    found = read(body, media_type, rule=rule)
    assert found.numbers == [1]
    assert found.codes == {2: "unknown_column"}
    assert "the nearest are: amount" in found.bad[0].message


@BOTH
@pytest.mark.parametrize("limits", [SMALL, Limits(row_bytes=1_000), Limits(row_bytes=15_000)])
@pytest.mark.parametrize("inside", ["x", '\\"]}', "\\\\", "é\\n ", "{["])
def test_an_overlong_row_is_refused_alone(
    media_type: MediaType, limits: Limits, inside: str
) -> None:
    rows = ['{"a": 1}', '{"a": ["' + inside * 16_000 + '"]}', '{"a": 3}']
    found = read(body_of(rows, media_type), media_type, limits=limits)
    assert found.numbers == [1, 3]
    assert found.codes == {2: "row_too_long"}


@BOTH
def test_chunks_are_bounded_and_in_order(media_type: MediaType) -> None:
    rows = [f'{{"a": {number}}}' for number in range(1, 101)]
    found = read(body_of(rows, media_type), media_type, limits=SMALL)
    assert [row["a"] for row in found.rows] == [str(number) for number in range(1, 101)]
    assert found.numbers == list(range(1, 101))
    assert max(chunk.received for chunk in found.chunks) <= SMALL.chunk_rows


@BOTH
@pytest.mark.parametrize("body", [b"", b" \r\n\n", b"\xef\xbb\xbf"])
def test_an_empty_body_says_so(media_type: MediaType, body: bytes) -> None:
    assert error_of(body, media_type).problem_code == "empty_body"


@BOTH
def test_wrong_encodings_say_so(media_type: MediaType) -> None:
    body = body_of(['{"a": "1"}', '{"a": "Caf#"}'], media_type).replace(b"#", b"\xe9")
    error = error_of(body, media_type)
    assert error.problem_code == "wrong_encoding"
    assert "Byte 0xE9 at line 2" in error.detail
    assert error.members["rows_read"] == 1
    utf16 = '{"a": 1}'.encode("utf-16-le")
    assert error_of(utf16, media_type).problem_code == "wrong_encoding"


@BOTH
def test_a_byte_order_mark_is_no_text(media_type: MediaType) -> None:
    body = b"\xef\xbb\xbf" + body_of(['{"a": 1}'], media_type)
    for sizes in ([], [1, 1, 1, 1], [2]):
        assert read(body, media_type, sizes=sizes, limits=Limits(block_bytes=1)).rows == [
            {"a": "1"}
        ]


def test_one_object_is_one_row() -> None:
    assert read(b' {"a": 1} ', MediaType.JSON).rows == [{"a": "1"}]
    assert read(b"[ ]", MediaType.JSON).chunks == []


@pytest.mark.parametrize(
    ("body", "position", "said"),
    [
        ('[{"a": 1},\n {"a": }]', (2, 8), "expecting value"),
        ('[{"a": 1}\n {"a": 2}]', (2, 2), "expected ',' or ']'"),
        ('[{"a": 1},', (1, 11), "ends before"),
        ('[{"a": 1', (1, 9), "expecting ',' delimiter"),
        ('[{"a": "x', (1, 8), "unterminated string"),
        ('[{"a": 1},]', (1, 11), "expecting value"),
        ('{"a": 1}\n{"a": 2}', (2, 1), "is this NDJSON?"),
        ("title,amount\n", (1, 1), "expected an object"),
        ('[{"a": 1}, oops' + " " * 200, (1, 12), "expecting value"),
    ],
)
@pytest.mark.parametrize("limits", [SMALL, Limits(), Limits(block_bytes=1)])
def test_broken_json_says_where(
    body: str, position: tuple[int, int], said: str, limits: Limits
) -> None:
    error = error_of(body.encode(), MediaType.JSON, limits)
    assert error.problem_code == "invalid_json"
    assert (error.members["line"], error.members["column"]) == position
    assert said in error.detail


def test_rows_before_broken_json_are_read_and_counted() -> None:
    body = b"[" + b'{"a": 1},\n' * 50 + b"{oops}]"
    error = error_of(body, MediaType.JSON, SMALL)
    assert error.members == {"line": 51, "column": 2, "rows_read": 50}
    assert "Rows 1 to 50 before it were read." in error.detail


def test_an_element_that_never_ends_is_given_up() -> None:
    error = error_of(b'[{"a": "' + b"x" * 200_000, MediaType.JSON, SMALL)
    assert "an element does not end" in error.detail


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deep_nesting_is_refused_not_fatal(opening: str) -> None:
    deep = "[" + opening * 100_000
    error = error_of(deep.encode(), MediaType.JSON, Limits(row_bytes=10 << 20))
    assert error.problem_code == "nested_too_deeply"
    line = '{"a": ' + opening * 100_000
    found = read((line + '\n{"a": 2}\n').encode(), MediaType.NDJSON)
    assert found.codes == {1: "nested_value"}
    assert found.numbers == [2]


def test_ndjson_lines_are_counted_in_messages() -> None:
    found = read(b'\r\n{"a": 1}\r\n\n{"a": \n{"a": 2} {"a": 3}\n{"a": 4}', MediaType.NDJSON)
    assert found.numbers == [1, 4]
    assert found.codes == {2: "invalid_json", 3: "invalid_json"}
    assert found.bad[0].message == "Line 4, column 6: Expecting value."
    assert found.bad[1].message.startswith("Line 5, column 9: more than one value")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'[{"a": 1}]', "application/json"),
        (b'{\n "a": 1\n}', "complete object on each line"),
        (b"title,amount\na,1\n", "complete object on each line"),
    ],
)
def test_what_is_no_ndjson_says_so(body: bytes, said: str) -> None:
    error = error_of(body, MediaType.NDJSON)
    assert error.problem_code == "invalid_ndjson"
    assert said in error.detail


def test_different_fields_are_bounded() -> None:
    rows = [json.dumps({f"f{number}": 1}) for number in range(30)]
    found = read(body_of(rows, MediaType.JSON), MediaType.JSON, limits=Limits(columns=20))
    assert found.numbers == list(range(1, 21))
    assert set(found.codes.values()) == {"too_many_columns"}


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=15)
VALUES = st.one_of(
    TEXT,
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
    st.lists(st.integers(), min_size=2, max_size=3),
)
NAMES = TEXT.filter(lambda name: name != "__row__")
TABLES = st.lists(st.dictionaries(NAMES, VALUES, max_size=4), min_size=1, max_size=8)


def as_text(value: object) -> str | None:
    """What a value is to become."""
    if isinstance(value, list):
        return ";".join(map(str, value))
    if isinstance(value, str) or value is None:
        return value or None
    return json.dumps(value)


@settings(deadline=None)
@given(
    TABLES,
    st.lists(st.integers(1, 9), max_size=40),
    st.booleans(),
    st.sampled_from([None, 1]),
    st.sampled_from([MediaType.JSON, MediaType.NDJSON]),
)
def test_what_is_written_is_read_back(
    table: list[dict[str, object]],
    sizes: list[int],
    is_ascii: bool,
    indent: int | None,
    media_type: MediaType,
) -> None:
    expected = [
        {name: text for name, value in row.items() if (text := as_text(value)) is not None}
        for row in table
    ]
    if media_type is MediaType.JSON:
        body = json.dumps(table, ensure_ascii=is_ascii, indent=indent).encode()
    else:
        body = body_of([json.dumps(row, ensure_ascii=is_ascii) for row in table], media_type)
    found = read(body, media_type, sizes=sizes, limits=Limits(block_bytes=5, chunk_rows=3))
    assert found.bad == []
    assert found.rows == expected
