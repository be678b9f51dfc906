"""Files of price indices: bytes to values by region and period, by a profile.

A file is taken whole or not at all: whatever is not as the profile says is refused with the line
and column where it stands, because an index that is half loaded gives figures that look right.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from app.core.errors import InvalidBody
from app.domain.dates import parse_interval
from app.rates.index_profiles import IndexProfile

SIZE_LIMIT: Final = 50_000_000
"""Bytes; the largest of the public files has 110 kB."""

PERIODS: Final[Mapping[str, str]] = {"parity": "year", "cpi": "month"}
"""What an index of a kind is the index of."""

_NUMBER: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
_HEADER_BYTES: Final = 100_000
_SHOWN: Final = 40

Fields = list[str]
Cell = tuple[str, date, str]
"""A column, the first day of the period that its value is about, and that value as written."""


@dataclass(frozen=True, slots=True)
class IndexTable:
    """What a file holds: indices by code of the region and first day of the period.

    `lines` are those of the table, `skipped` those of other tables or below this one.
    """

    values: Mapping[tuple[str, date], float]
    lines: int
    skipped: int

    @property
    def regions(self) -> list[str]:
        """The codes of the regions, in order."""
        return sorted({region for region, _ in self.values})

    @property
    def periods(self) -> list[date]:
        """The first days of the periods, in order."""
        return sorted({period for _, period in self.values})


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where things stand in the lines of one file: places of columns, columns of years."""

    profile: IndexProfile
    today: date
    places: Mapping[str, int]
    years: Mapping[str, date]
    width: int

    def is_of_table(self, line: int, fields: Fields) -> bool:
        """Whether a line is one that is wanted. Raises InvalidBody for one of another length."""
        if len(fields) == 1 and fields[0].strip().startswith(self.profile.footer):
            return False
        if len(fields) != self.width:
            raise InvalidBody(
                f"line {line}: {len(fields)} fields where the header has {self.width}; "
                "was the file cut off?"
            )
        where = self.profile.where.items()
        return all(self.text(fields, column) == wanted for column, wanted in where)

    def region(self, line: int, fields: Fields) -> str:
        """The code of the region that a line is about."""
        column = self.profile.columns.get("region")
        if column is None:
            return self.profile.country
        written = self.text(fields, column)
        if written not in self.profile.regions:
            raise InvalidBody(
                f"line {line}, column {column}: {written[:_SHOWN]!r} is no region that the "
                f"profile {self.profile.name} knows"
            )
        return self.profile.regions[written]

    def cells(self, line: int, fields: Fields) -> list[Cell]:
        """The values of a line."""
        columns = self.profile.columns
        if self.profile.years is None:
            first = _first_day(self.profile, self.today, line, self.text(fields, columns["period"]))
            return [(columns["value"], first, self.text(fields, columns["value"]))]
        return [(name, first, self.text(fields, name)) for name, first in self.years.items()]

    def text(self, fields: Fields, column: str) -> str:
        """What a line holds in a column."""
        return fields[self.places[column]].strip()


def read_header(content: bytes) -> list[str]:
    """The names of the columns of a CSV file; [] where its first line cannot be read."""
    text = content[:_HEADER_BYTES].decode("utf-8-sig", errors="replace")
    try:
        header = next(csv.reader(io.StringIO(text), skipinitialspace=True), [])
    except csv.Error:
        return []
    return [name.strip() for name in header]


def parse_indices(content: bytes, profile: IndexProfile, today: date) -> IndexTable:
    """The indices of a whole file, none of a period that begins after `today`.

    Raises InvalidBody naming line and column for anything that is not as the profile says.
    """
    lines = _lines(content)
    layout = _layout(next(lines, (1, []))[1], profile, today)
    values: dict[tuple[str, date], float] = {}
    seen: set[tuple[str, date]] = set()
    used = skipped = 0
    for number, fields in lines:
        if not layout.is_of_table(number, fields):
            skipped += 1
            continue
        used += 1
        region = layout.region(number, fields)
        for column, first, written in layout.cells(number, fields):
            if (region, first) in seen:
                raise InvalidBody(f"line {number}: {region} {first} stands in the file twice")
            seen.add((region, first))
            if written not in profile.missing:
                values[region, first] = _value(number, column, written)
    if not values:
        raise InvalidBody(f"the file holds no indices{_wanted(profile)}")
    return IndexTable(values, used, skipped)


def _lines(content: bytes) -> Iterator[tuple[int, Fields]]:
    """Lines that hold something, with their numbers in the file."""
    if len(content) > SIZE_LIMIT:
        raise InvalidBody(f"the file is larger than {SIZE_LIMIT:,} bytes: no table of indices is")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidBody(f"byte {error.start} is not UTF-8") from None
    # Publishers put a space before a quote: not skipped, the quotes would be part of the value.
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                yield reader.line_num, fields
    except csv.Error as error:
        raise InvalidBody(
            f"line {reader.line_num}: it cannot be read as CSV ({error}); was the file cut off?"
        ) from None


def _layout(header: Fields, profile: IndexProfile, today: date) -> _Layout:
    names = [name.strip() for name in header]
    pattern = profile.years
    years = [name for name in names if pattern is not None and pattern.fullmatch(name)]
    missing = sorted(profile.needed - set(names))
    if pattern is not None and not years:
        missing.append("a column for each year")
    if missing:
        raise InvalidBody(
            f"line 1: the header has no {', '.join(missing)}, which files of the profile "
            f"{profile.name} have; it begins with {','.join(names)[:_SHOWN]!r}"
        )
    for name in (*sorted(profile.needed), *years):
        if names.count(name) > 1:
            raise InvalidBody(f"line 1: the column {name} stands there twice")
    return _Layout(
        profile,
        today,
        {name: place for place, name in enumerate(names)},
        {name: _first_day(profile, today, 1, name) for name in years},
        len(names),
    )


def _first_day(profile: IndexProfile, today: date, line: int, written: str) -> date:
    """The first day of a period as it is written: a year, or a month by its name or first day."""
    column = profile.columns.get("period", written)[:_SHOWN]
    wanted = PERIODS[profile.kind]
    try:
        period = parse_interval(written)
    except ValueError as error:
        raise InvalidBody(f"line {line}, column {column}: {error}") from None
    first_of_month = period.precision == "day" and period.first.day == 1
    if period.precision != wanted and not (wanted == "month" and first_of_month):
        raise InvalidBody(
            f"line {line}, column {column}: {written[:_SHOWN]!r} is not a {wanted} "
            "(a month may be written as its first day)"
        )
    if period.first > today:
        raise InvalidBody(f"line {line}, column {column}: {period.first} is after {today}")
    return period.first


def _value(line: int, column: str, written: str) -> float:
    if not _NUMBER.fullmatch(written) or not float(written):
        raise InvalidBody(
            f"line {line}, column {column}: {written[:_SHOWN]!r} is not an index above 0"
        )
    return float(written)


def _wanted(profile: IndexProfile) -> str:
    lines = " and ".join(f"{column} = {text!r}" for column, text in profile.where.items())
    return f" in lines with {lines}" if lines else " below its header"
