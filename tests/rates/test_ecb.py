"""Reading the ECB's history file."""

import os
from datetime import date
from pathlib import Path

import pytest

from app.core.errors import InvalidBody
from app.rates.ecb import parse_reference_rates
from app.rates.loading import bundled_history

DATA = Path(os.environ.get("PAYBAND_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
TODAY = date(2026, 4, 20)
GOOD = b"Date,USD,HRK,\n2026-04-13,1.1684,N/A,\n2022-12-30,1.0666,7.5365,\n"


def test_the_form_of_the_real_file() -> None:
    rates = parse_reference_rates(GOOD, TODAY)
    assert rates.currencies == ("HRK", "USD")
    assert rates.days == 2
    assert rates.newest == date(2026, 4, 13)
    assert sorted(rates.quotes) == [
        ("HRK", "2022-12-30", "7.5365"),
        ("USD", "2022-12-30", "1.0666"),
        ("USD", "2026-04-13", "1.1684"),
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + GOOD,
        GOOD.replace(b"\n", b"\r\n"),
        GOOD.replace(b",\n", b"\n"),  # without the empty last column
        GOOD.replace(b"N/A", b""),
        GOOD + b"\n\n",
        GOOD.replace(b",", b", "),
    ],
    ids=["byte order mark", "crlf", "no last column", "empty value", "empty lines", "spaces"],
)
def test_harmless_differences(content: bytes) -> None:
    assert parse_reference_rates(content, TODAY) == parse_reference_rates(GOOD, TODAY)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "line 1: the header"),
        (b"Date,USD,\n", "no rates below"),
        (b"Date,USD,\n2026-04-13,N/A,\n", "no rates below"),
        (b"Day,USD\n2026-04-13,1\n", "line 1: the header"),
        (b"Date,USD,dollar\n2026-04-13,1,1\n", "'dollar' is not a currency code"),
        (b"Date,USD,USD\n2026-04-13,1,1\n", "column USD stands there twice"),
        (GOOD + b"2022-12-30,1.1,7.5,\n", "line 4: 2022-12-30 stands in the file twice"),
        (GOOD.replace(b"1.0666", b"1,0666"), "line 3: 5 fields where the header has 3"),
        (GOOD.replace(b"1.0666", b"zero"), "line 3, column USD: 'zero' is not a rate"),
        (GOOD.replace(b"1.0666", b"0.000"), "line 3, column USD"),
        (GOOD.replace(b"1.0666", b"-1"), "line 3, column USD"),
        (GOOD.replace(b"1.0666", b"nan"), "line 3, column USD"),
        (GOOD.replace(b"1.0666", b"1e400"), "line 3, column USD"),
        (GOOD.replace(b"2022-12-30", b"30.12.2022"), "line 3: '30.12.2022' is not a date"),
        (GOOD.replace(b"2026-04-13", b"2027-04-13"), "line 2: 2027-04-13 is not between"),
        (GOOD.replace(b"2022", b"0022"), "line 3: 0022-12-30 is not between"),
        (GOOD[:-9], "line 3: 2 fields where the header has 3; was the file cut off?"),
        (b"\xff" + GOOD, "byte 0 is not UTF-8"),
        (GOOD + b'2022-12-29,"' + b"x" * 200_000, "cannot be read"),
        (b"PK\x03\x04\x00", "line 1: the header"),
    ],
)
def test_bad_files_say_where_and_what(content: bytes, says: str) -> None:
    with pytest.raises(InvalidBody) as caught:
        parse_reference_rates(content, TODAY)
    assert says in caught.value.detail
    assert len(caught.value.detail) < 250


def test_a_file_that_is_too_large_is_not_parsed() -> None:
    with pytest.raises(InvalidBody, match="larger than"):
        parse_reference_rates(b"x" * 50_000_001, TODAY)


def test_the_bundled_history_is_the_real_thing() -> None:
    rates = parse_reference_rates(bundled_history(), date.max)
    assert len(rates.currencies) >= 40
    assert rates.days > 7_000
    assert ("HRK", "2022-12-30", "7.5365") in rates.quotes


def test_the_real_file() -> None:
    path = DATA / "eurofxref-hist.csv"
    if not path.exists():
        pytest.skip(f"{path} is not there: set PAYBAND_TEST_DATA to the folder with the real data")
    rates = parse_reference_rates(path.read_bytes(), TODAY)
    assert len(rates.currencies) == 41
    assert rates.days == 6_983
    assert rates.newest == date(2026, 4, 13)
    quotes = set(rates.quotes)
    assert {("USD", "2026-04-13", "1.1684"), ("TRL", "1999-01-04", "372274")} <= quotes
    assert not any(currency == "BGN" and day > "2026" for currency, day, _ in quotes)
