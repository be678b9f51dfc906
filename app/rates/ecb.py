"""The European Central Bank's history of reference rates, as its CSV file.

One line per day, newest first, one column per currency, `N/A` or nothing where there was no
quote, and a comma at the end of every line. Values are units of the currency for one euro.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from app.core.errors import InvalidBody

FIRST_DAY: Final = date(1999, 1, 1)
SIZE_LIMIT: Final = 50_000_000
"""Bytes; the real file has 2 MB, and grows by 300 bytes a day."""

NO_QUOTE: Final = frozenset({"", "N/A"})
_CODE: Final = re.compile(r"[A-Z]{3}")
_NUMBER: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")
_SHOWN: Final = 40


@dataclass(frozen=True, slots=True)
class ReferenceRates:
    """What a file holds: (currency, day in ISO form, units for one euro as written)."""

    currencies: tuple[str, ...]
    days: int
    newest: date
    quotes: list[tuple[str, str, str]]


def parse_reference_rates(content: bytes, latest: date) -> ReferenceRates:
    """The quotes of a whole file, whose days must not be after `latest`.

    Raises InvalidBody naming line and column for anything that is not as the ECB writes it: then
    nothing of the file is used.
    """
    lines = _readable(_lines(content))
    currencies = _currencies(next(lines, []))
    quotes: list[tuple[str, str, str]] = []
    days: set[date] = set()
    for number, fields in enumerate(lines, start=2):
        if not any(field.strip() for field in fields):
            continue
        day = _day(fields[0], number, latest)
        if day in days:
            raise InvalidBody(f"line {number}: {day} stands in the file twice")
        days.add(day)
        quotes += _quotes(day.isoformat(), fields[1:], currencies, number)
    if not quotes:
        raise InvalidBody("the file holds no rates below its header")
    return ReferenceRates(tuple(sorted(currencies)), len(days), max(days), quotes)


def _lines(content: bytes) -> Iterator[list[str]]:
    if len(content) > SIZE_LIMIT:
        raise InvalidBody(f"the file is larger than {SIZE_LIMIT:,} bytes: no ECB history is")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidBody(f"byte {error.start} is not UTF-8: the ECB's file is") from None
    return csv.reader(io.StringIO(text, newline=""))


def _readable(lines: Iterator[list[str]]) -> Iterator[list[str]]:
    try:
        yield from lines
    except csv.Error as error:
        raise InvalidBody(f"the file cannot be read as CSV: {error}") from None


def _currencies(header: list[str]) -> list[str]:
    names = [name.strip() for name in header]
    while names and not names[-1]:
        names.pop()
    if len(names) < 2 or names[0] != "Date":
        raise InvalidBody(
            "line 1: the header must be Date and currency codes, as in the ECB's "
            f"eurofxref-hist.csv, not {','.join(header)[:_SHOWN]!r}"
        )
    for name in names[1:]:
        if not _CODE.fullmatch(name):
            raise InvalidBody(f"line 1: {name[:_SHOWN]!r} is not a currency code")
        if names.count(name) > 1:
            raise InvalidBody(f"line 1: the column {name} stands there twice")
    return names[1:]


def _day(text: str, line: int, latest: date) -> date:
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        raise InvalidBody(
            f"line {line}: {text[:_SHOWN]!r} is not a date such as 2026-04-13"
        ) from None
    if not FIRST_DAY <= day <= latest:
        raise InvalidBody(f"line {line}: {day} is not between {FIRST_DAY} and {latest}")
    return day


def _quotes(
    day: str, values: list[str], currencies: list[str], line: int
) -> list[tuple[str, str, str]]:
    rest = "".join(values[len(currencies) :]).strip()
    if len(values) < len(currencies) or rest:
        raise InvalidBody(
            f"line {line}: {len(values) + 1} fields where the header has {len(currencies) + 1}; "
            "was the file cut off?"
        )
    quotes = []
    for currency, value in zip(currencies, values, strict=False):
        quote = value.strip()
        if quote in NO_QUOTE:
            continue
        if not _NUMBER.fullmatch(quote) or not float(quote):
            raise InvalidBody(
                f"line {line}, column {currency}: {quote[:_SHOWN]!r} is not a rate above 0"
            )
        quotes.append((currency, day, quote))
    return quotes
