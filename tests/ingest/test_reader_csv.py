"""CSV: what is read as it stands, which rows are refused, and when the body is given up."""

import csv
import io
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import InvalidBody
from app.ingest.chunks import Limits
from app.ingest.fields import ColumnRule
from app.ingest.media import MediaType
from app.ingest.readers import csv as csv_module
from app.ingest.readers.csv import CsvParser
from tests.support.reading import SMALL, Read, read

HEADER = b"title,amount,url\n"


def read_csv(body: bytes, **options: object) -> Read:
    return read(body, MediaType.CSV, **options)  # type: ignore[arg-type]  # passed on as they are


def error_of(body: bytes, **options: object) -> InvalidBody:
    with pytest.raises(InvalidBody) as caught:
        read_csv(body, **options)
    return caught.value


def test_text_stays_as_it_arrived() -> None:
    found = read_csv(HEADER + b' Sr. Dev ,85000.10,"a ""b"", c\nd"\n=1+1,1e308,\n')
    assert found.rows == [
        {"title": " Sr. Dev ", "amount": "85000.10", "url": 'a "b", c\nd'},
        {"title": "=1+1", "amount": "1e308"},
    ]
    assert found.numbers == [1, 2]


@pytest.mark.parametrize(
    "body",
    [
        b"title,amount,url\r\na,1,x\r\nb,2,y\r\n",
        b"title,amount,url\ra,1,x\rb,2,y\r",
        b"\xef\xbb\xbftitle,amount,url\na,1,x\nb,2,y",
        b"title;amount;url\na;1;x\nb;2;y\n",
        b"title\tamount\turl\na\t1\tx\nb\t2\ty\n",
        b'\n "title" , "amount",url\n\n"a","1", "x"\n\r\nb,2,y\n\n',
        b'"title","amount","url"\n"a","1","x"\n"b","2","y"\n',
    ],
    ids=["crlf", "cr", "bom", "semicolon", "tab", "blank lines and stray spaces", "all quoted"],
)
def test_dialects_give_the_same_rows(body: bytes) -> None:
    found = read_csv(body)
    assert found.rows == [
        {"title": "a", "amount": "1", "url": "x"},
        {"title": "b", "amount": "2", "url": "y"},
    ]
    assert found.bad == []


def test_a_header_alone_gives_no_rows() -> None:
    assert read_csv(HEADER).rows == []
    assert read_csv(HEADER.rstrip()).chunks == []


def test_a_row_with_too_many_fields_is_refused_alone() -> None:
    found = read_csv(HEADER + b"a,1,x\nb,2,y,z\nc,3,w\nd,4\n\n,,\n")
    assert [row["title"] for row in found.rows[:2]] == ["a", "c"]
    assert found.numbers == [1, 3, 5]
    assert found.codes == {2: "too_many_fields", 4: "too_few_fields"}
    assert found.bad[0].message == "Line 3 has 4 fields, the header has 3."
    assert found.bad[0].value == "b,2,y,z"


def test_a_short_row_among_quoted_ones_is_refused_alone() -> None:
    found = read_csv(HEADER + b'"a,b","1",\n"c","d,e,f"\n')
    assert found.rows == [{"title": "a,b", "amount": "1"}]
    assert found.codes == {2: "too_few_fields"}


def test_broken_quotes_cost_one_row() -> None:
    found = read_csv(HEADER + b'a,1,x\n"b"c,2,y\nd,"3,z\ne,"4",w\nTV 42" wide,5,v\n')
    assert found.numbers == [1, 4, 5]
    assert found.rows[2]["title"] == 'TV 42" wide'
    assert found.codes == {2: "bad_quote", 3: "bad_quote"}


def test_nul_bytes_cost_one_row() -> None:
    found = read_csv(HEADER + b"a,1,x\nb\0b,2,y\nc,3,z\n")
    assert found.numbers == [1, 3]
    assert [(error.row, error.field, error.code) for error in found.bad] == [
        (2, "title", "nul_byte")
    ]


@pytest.mark.parametrize("field", [b"x" * 20_000, b'"' + b"x,\n" * 5_000 + b'"'])
@pytest.mark.parametrize("limits", [SMALL, Limits(row_bytes=1_000), Limits(row_bytes=15_000)])
def test_an_overlong_field_costs_one_row(field: bytes, limits: Limits) -> None:
    found = read_csv(HEADER + b"a,1,x\nb,2," + field + b"\nc,3,z\n", limits=limits)
    assert found.numbers == [1, 3]
    assert found.codes == {2: "row_too_long"}


def test_an_unterminated_quote_stops_with_its_line() -> None:
    error = error_of(HEADER + b'a,1,x\nb,"2,y\n' + b"c,3,z\n" * 20_000, limits=SMALL)
    assert error.problem_code == "unterminated_quote"
    assert error.members == {"line": 3, "rows_read": 1}
    assert "line 3" in error.detail
    assert "Rows 1 to 1" in error.detail
    assert error_of(HEADER + b'a,1,x\nb,"2,y\n').members["line"] == 3


def test_latin_1_is_named_with_byte_and_line() -> None:
    error = error_of(HEADER + b"a,1,x\nCaf\xe9,2,y\n")
    assert error.problem_code == "wrong_encoding"
    assert "Byte 0xE9 at line 3 (byte 26 of the body)" in error.detail
    assert "latin-1" in error.detail
    assert error.members == {"line": 3, "byte": 26, "rows_read": 1}


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (b"", "empty_body", "empty"),
        (b"\xef\xbb\xbf\r\n\n", "empty_body", "empty"),
        (b" \n1\n", "bad_header", "no column names"),
        ("title,amount\na,1\n".encode("utf-16"), "wrong_encoding", "UTF-16"),
        ("title,amount\na,1\n".encode("utf-16-le"), "wrong_encoding", "UTF-16"),
        ("title,amount\na,1\n".encode("utf-16-be"), "wrong_encoding", "UTF-16"),
        (b"PK\x03\x04....", "wrong_encoding", "Excel"),
        (b"\x1f\x8b\x08....", "wrong_encoding", "gzip"),
        (b"title,amount, title \na,1,b\n", "duplicate_columns", "title"),
        (b"Titl\xe9,amount\na,1\n", "wrong_encoding", "line 1"),
        (b'"title,amount\na,1\n', "bad_header", "never closed"),
        (b"__row__,amount\na,1\n", "unknown_column", "reserved"),
    ],
)
def test_a_body_that_cannot_be_read_says_why(body: bytes, code: str, said: str) -> None:
    error = error_of(body)
    assert error.problem_code == code
    assert said in error.detail


def test_wrong_columns_are_refused_before_any_row() -> None:
    rule = ColumnRule(frozenset({"title", "amount", "currency"}), (("currency",),))
    error = error_of(b"title,amuont,currency\na,1,USD\n", rule=rule)
    assert (error.problem_code, error.members["field"]) == ("unknown_column", "amuont")
    assert "the nearest are: amount" in error.detail
    error = error_of(b"title,amount\na,1\n", rule=rule)
    assert error.problem_code == "missing_column"
    assert error.detail == "A column 'currency' is needed; present are: title, amount."


def test_chunks_are_bounded_and_in_order() -> None:
    body = HEADER + b"".join(b"t%d,%d,x\n" % (i, i) for i in range(1, 201))
    found = read_csv(body, limits=SMALL)
    assert found.numbers == list(range(1, 201))
    assert max(chunk.received for chunk in found.chunks) <= SMALL.chunk_rows
    assert [chunk.bytes_read for chunk in found.chunks][-1] == len(body)


def test_many_bad_rows_come_in_bounded_chunks() -> None:
    body = HEADER + b"".join(b"t,1,x\nt,1\n" for _ in range(100))
    found = read_csv(body, limits=Limits(chunk_rows=10))
    assert found.numbers == list(range(1, 200, 2))
    assert sorted(found.codes) == list(range(2, 201, 2))
    assert max(chunk.received for chunk in found.chunks) <= 10


TEXT = st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=12)
CELLS = st.one_of(
    TEXT, st.sampled_from(['"', ",", "\n", '""', " ", "a,b", 'x"y', "é😀", ";", "", "'=1", "'a"])
)
TABLES = st.integers(2, 5).flatmap(
    lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=12)
)


@settings(deadline=None)
@given(TABLES, st.lists(st.integers(1, 9), max_size=40), st.booleans(), st.data())
def test_what_is_written_is_read_back(
    table: list[list[str]], sizes: list[int], everything_quoted: bool, data: st.DataObject
) -> None:
    width = len(table[0]) if table else 2
    out = io.StringIO(newline="")
    ending = data.draw(st.sampled_from(["\n", "\r\n"]))
    style: Literal[0, 1] = csv.QUOTE_ALL if everything_quoted else csv.QUOTE_MINIMAL
    writer = csv.writer(out, quoting=style, lineterminator=ending)
    names = [f"h{place}" for place in range(width)]
    writer.writerows([names, *table])
    found = read_csv(out.getvalue().encode(), sizes=sizes, limits=Limits(block_bytes=5))
    expected = [
        {name: _unescaped(cell) for name, cell in zip(names, row, strict=True) if cell}
        for row in table
    ]
    assert found.bad == []
    assert found.rows == expected


def _unescaped(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and cell[1:2] in set("=+-@\t\n") else cell


@pytest.mark.parametrize("broken", [b"", b"x,1\n"], ids=["as a block", "row by row"])
def test_what_was_escaped_for_spreadsheets_is_read_as_it_was(broken: bytes) -> None:
    titles = ["'=cmd|calc", "'+1 Dev", "'@home", "'Tis", "''=x", "a'=b", "=1"]
    body = HEADER + "".join(f"{title},'-1,u\n" for title in titles).encode() + broken
    found = read_csv(body)
    read_titles = [row["title"] for row in found.rows]
    assert read_titles == ["=cmd|calc", "+1 Dev", "@home", "'Tis", "''=x", "a'=b", "=1"]
    assert {row["amount"] for row in found.rows} == {"-1"}
    assert len(found.bad) == (1 if broken else 0)


SOUP = st.lists(
    st.sampled_from(
        [b'"', b",", b"\n", b"a", b" ", b"\r\n", b"\r", b'""', b'"a"', b"b,c,d\n", b"\0"]
    ),
    max_size=40,
).map(b"".join)


@settings(deadline=None, max_examples=300)
@given(SOUP, st.lists(st.integers(0, 60), max_size=5))
def test_blocks_and_single_rows_agree(soup: bytes, cuts: list[int]) -> None:
    """Whatever the file, a row is the same wherever it was cut and whoever its neighbours are."""
    body = HEADER + soup
    whole = _parse(body, [], by_rows=True)
    assert _parse(body, sorted(cuts), by_rows=False) == whole


def _parse(body: bytes, cuts: list[int], *, by_rows: bool) -> tuple[object, ...]:
    with pytest.MonkeyPatch.context() as patch:
        if by_rows:
            patch.setattr(csv_module, "read_block", lambda *_: None)
            patch.setattr(csv_module, "sift", lambda *_: None)
        parser = CsvParser(ColumnRule(), Limits(chunk_rows=3, row_bytes=50))
        rows, bad, code = [], [], None
        try:
            for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
                for chunk in parser.feed(body[start:end]):
                    rows += chunk.rows.rows()
                    bad += chunk.bad_rows
            for chunk in parser.finish():
                rows += chunk.rows.rows()
                bad += chunk.bad_rows
        except InvalidBody as error:
            code = error.detail
        return rows, bad, code
