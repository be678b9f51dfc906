"""Composition-adjusted growth: year on year within cells of role, region, level and currency.

For each series and period: cells with enough records in the period and in the same period a year
before, the ratio of their medians in the currency that was paid, less 1, and the median of that
over the cells. A change in who is counted, or in exchange rates, then moves no figure by itself.
From cells where these can be used (`growth_cells`), else one statement over the records.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from anyio import to_thread

from app.domain.dates import Window
from app.domain.growth import MIN_CELL_COUNT, SMOOTHED_PERIODS, trailing_average
from app.domain.periods import (
    first_day,
    number_of_label,
    period_number,
    periods_per_year,
    year_before,
)
from app.statistics.cell_reading import are_too_many, find_entries
from app.statistics.filters import sql_of
from app.statistics.grouping import Grouping, key_sql, named_sql
from app.statistics.reading import Reading
from app.statistics.statement import Question, answer_sql, salaries_sql, value_sql
from app.tables import SalaryRecord

if TYPE_CHECKING:
    from app.cells.reading import Entries

Series = tuple[Any, ...]

_CELL: Final[Mapping[str, str]] = {
    "cell_role": "r.role_id",
    "cell_region": "r.region_id",
    "cell_level": "r.level_id",
    "cell_currency": "r.currency",
}
_TOTALS: Final = ("converted",)

AT_ONCE: Final = 50_000
"""Entries that are computed with at once; with more in a thread, the event loop goes on."""
TOO_WIDE: Final = (
    "growth_adjusted of all roles over so many records is left out: name one or more roles, or ask "
    "with exact=true, which takes long"
)


@dataclass(frozen=True, slots=True)
class Growth:
    """Growth by series and period, before it is averaged, and the cells behind it.

    `converted`: some amount that figures or their changes are made of was paid in a currency other
    than the base currency, and converted; None: not known. `left_out` says why growth was not
    computed, and what to ask instead.
    """

    figures: Mapping[Series, Mapping[int, float]] = field(default_factory=dict)
    cells: Mapping[Series, Mapping[int, int]] = field(default_factory=dict)
    converted: bool | None = False
    left_out: str | None = None

    def adjusted(self, series: Series, number: int) -> float | None:
        """The trailing three-period average of a period; None where it has no cells."""
        return trailing_average(self.figures.get(series, {}), number)

    def cells_of(self, series: Series, number: int) -> int | None:
        """How many cells the period itself has; None where growth was left out."""
        if self.left_out is not None:
            return None
        return self.cells.get(series, {}).get(number, 0)


async def find_growth(reading: Reading, grouping: Grouping, interval: str) -> Growth:
    """The growth of the series of `grouping`, whose last dimension is the period.

    Left out for questions about all roles and too many records, unless they say exact=true.
    """
    if await _is_too_wide(reading, interval):
        return Growth(converted=None, left_out=TOO_WIDE)
    found = await growth_from_cells(reading, grouping, interval)
    return await growth_from_records(reading, grouping, interval) if found is None else found


async def _is_too_wide(reading: Reading, interval: str) -> bool:
    if reading.filters.role or reading.question.basis.exact:
        return False
    window = growth_window(reading.filters.window, interval)
    return await are_too_many(reading, window)


async def growth_from_cells(reading: Reading, grouping: Grouping, interval: str) -> Growth | None:
    """The growth from cells; None where these cannot be used."""
    window = growth_window(reading.filters.window, interval)
    entries = await find_entries(reading, ("amounts", "places", "paid"), window)
    if entries is None:
        return None
    if len(entries) <= AT_ONCE:
        return _compute(reading, grouping, interval, entries)
    return await to_thread.run_sync(_compute, reading, grouping, interval, entries)


def _compute(reading: Reading, grouping: Grouping, interval: str, entries: "Entries") -> Growth:
    from app.statistics.growth_cells import GrowthQuestion, growth_figures, is_converted

    question, base = reading.question, reading.base_currency
    window = growth_window(question.filters.window, interval)
    asked = GrowthQuestion(_within(question, window), grouping, interval, base)
    found = growth_figures(asked, entries)
    compared = _within(question, compared_window(question.filters.window))
    converted = not question.native and is_converted(replace(asked, question=compared), entries)
    return Growth(
        {series: {number: f[0] for number, f in of.items()} for series, of in found.items()},
        {series: {number: f[1] for number, f in of.items()} for series, of in found.items()},
        converted,
    )


async def growth_from_records(reading: Reading, grouping: Grouping, interval: str) -> Growth:
    """The growth by one statement over the records, whatever cells hold."""
    statement = build_growth(reading.question, grouping, interval, reading.base_currency)
    connection = await reading.session.connection()
    found = (await connection.exec_driver_sql(statement)).all()
    figures: dict[Series, dict[int, float]] = {}
    cells: dict[Series, dict[int, int]] = {}
    places = _code_places(grouping)
    for row in found:
        growth, count = row[-len(_TOTALS) - 2 : -len(_TOTALS)]
        if growth is not None:
            *series, label = (row[place] for place in places)
            number = number_of_label(label, interval)
            figures.setdefault(tuple(series), {})[number] = growth
            cells.setdefault(tuple(series), {})[number] = count
    return Growth(figures, cells, bool(found[0][-1]))


def _code_places(grouping: Grouping) -> list[int]:
    """Where a row holds the code of each dimension: the first of its columns."""
    return [grouping.columns.index(name) for name in grouping.names]


def build_growth(question: Question, grouping: Grouping, interval: str, base_currency: str) -> str:
    """SQL whose rows hold the columns of the dimensions, growth, cells, and then `converted`."""
    cells = cells_sql(question, grouping, interval, base_currency)
    tables = (
        f"medians AS MATERIALIZED ({medians_sql(grouping, cells)})",
        f"grouped AS MATERIALIZED ({growth_sql(grouping)})",
    )
    shown = [*grouping.columns, "growth", "count"]
    numbered = ("SELECT *, row_number() OVER () AS place", f"FROM ({named_sql(grouping)}) AS g")
    total = f"SELECT 1 AS place, {converted_sql(question, grouping, base_currency)} AS converted"
    return answer_sql(tables, shown, " ".join(numbered), _TOTALS, total)


def cells_sql(question: Question, grouping: Grouping, interval: str, base_currency: str) -> str:
    """One row for each series, period and cell with enough records: keys and `amounts`."""
    keys = ", ".join([*_keys(grouping), *_CELL])
    paid = paid_sql(question, grouping, interval, base_currency)
    enough = f"GROUP BY {keys} HAVING count(*) >= {MIN_CELL_COUNT}"
    return " ".join(
        (
            f"SELECT {keys}, array_agg(amount) AS amounts",
            f"FROM ({paid}) AS paid WHERE amount IS NOT NULL {enough}",
        )
    )


def paid_sql(question: Question, grouping: Grouping, interval: str, base_currency: str) -> str:
    """One row for each record: keys, and the yearly `amount` in the currency that was paid."""
    window = growth_window(question.filters.window, interval)
    converted = replace(_within(question, window), native=False)
    as_paid = replace(converted, native=True)
    in_base = sql_of([SalaryRecord.currency == base_currency])
    # The stored amount is that of the base currency already: computing it again takes longer than
    # all the rest.
    amount = (
        f"CASE WHEN {in_base} THEN {value_sql(converted, grouping)}"
        f" ELSE {value_sql(as_paid, grouping)} END AS amount"
    )
    columns = [
        *(f"{key_sql(item, grouping)} AS {item.name}_key" for item in grouping.dimensions),
        *(f"{sql} AS {name}" for name, sql in _CELL.items()),
        amount,
    ]
    # OFFSET 0 keeps the planner from computing each amount again wherever it is used.
    return " ".join(("SELECT", ", ".join(columns), salaries_sql(as_paid, grouping), "OFFSET 0"))


def converted_sql(question: Question, grouping: Grouping, base_currency: str) -> str:
    """Whether pay in the figures, or in the year they are compared with, was converted."""
    if question.native:
        return "false"
    asked = _within(question, compared_window(question.filters.window))
    foreign = sql_of([SalaryRecord.currency != base_currency])
    used = f"{foreign} AND {value_sql(asked, grouping)} IS NOT NULL"
    return " ".join(("EXISTS (SELECT 1", salaries_sql(asked, grouping), f"AND {used})"))


def _within(question: Question, window: Window) -> Question:
    return replace(question, filters=replace(question.filters, window=window))


def compared_window(window: Window) -> Window:
    """The window, and the year before it that its changes look back at."""
    if window.first is None:
        return window
    return Window(year_before(window.first), window.last)


def growth_window(window: Window, interval: str) -> Window:
    """The window with what growth needs before it: a year, and the periods of the first average."""
    if window.first is None:
        return window
    before = SMOOTHED_PERIODS - 1 + periods_per_year(interval)
    return Window(first_day(period_number(window.first, interval) - before, interval), window.last)


def medians_sql(grouping: Grouping, cells: str) -> str:
    """The cells and their medians."""
    keys = ", ".join([*_keys(grouping), *_CELL])
    median = "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY amount::float8) AS p50"
    each = f"({median} FROM unnest(amounts) AS amount)"
    return " ".join(("SELECT", keys, f", p50 FROM ({cells}) AS c CROSS JOIN LATERAL {each} AS f"))


def growth_sql(grouping: Grouping) -> str:
    """One row for each series and period: keys, `growth`, and `count`, the number of cells.

    A year before is looked up in a window of each cell's periods: a join of cells with cells would
    be left to the planner's guess of how many there are.
    """
    *series, period = keys = _keys(grouping)
    a_year_before = "RANGE BETWEEN '1 year' PRECEDING AND '1 year' PRECEDING"
    cell = f"PARTITION BY {', '.join([*series, *_CELL])} ORDER BY {period} {a_year_before}"
    paired = " ".join(
        ("SELECT", ", ".join(keys), f", p50, first_value(p50) OVER ({cell}) AS before FROM medians")
    )
    return " ".join(
        (
            f"SELECT {', '.join(keys)}, count(*) AS count,",
            "percentile_cont(0.5) WITHIN GROUP (ORDER BY p50 / before - 1) AS growth",
            f"FROM ({paired}) AS pairs WHERE before > 0 GROUP BY {', '.join(keys)}",
        )
    )


def _keys(grouping: Grouping) -> list[str]:
    return [f"{item.name}_key" for item in grouping.dimensions]
