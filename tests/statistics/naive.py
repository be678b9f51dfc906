"""Salary statistics computed plainly: from the rows as they were sent and the parameters as they
were asked, in Python and NumPy, independent of the service.

Amounts are exact fractions until they are rounded. The definitions are those of the contract.
"""

from bisect import bisect_right
from calendar import monthrange
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from math import comb, floor, sqrt
from typing import Any

import numpy as np

Row = Mapping[str, Any]
Asked = Mapping[str, str]
PERIODS = {"year": 1, "month": 12, "fortnight": 26, "week": 52, "day": 260, "hour": 2080}
PARENTS = {"US-CA": "US", "US-NY": "US", "US-CA-SFO": "US-CA", "US-NY-NYC": "US-NY"}
"""The part of the tree that the rows name; what is not here is at the top."""
LENGTH_OF_KIND = {"country": 1, "subdivision": 2, "metro": 3}
KINDS = {"survey": "reported", "second": "posted"}
"""The sources that the rows name."""
ORDERS = {
    "level": ["entry", "mid", "senior"],
    "employment_type": ["full_time", "part_time", "contract", "internship"],
    "work_mode": ["onsite", "hybrid", "remote"],
    "pay_kind": ["base", "total"],
}
MONEY = ("mean", "stddev", "p50_low", "p50_high")
UNSPECIFIED = "unspecified"
REPLACED = {"HRK": date(2023, 1, 1)}


class Quotes(dict[str, list[tuple[date, Fraction]]]):
    """Per currency its days in order, and its units for one euro on each."""

    def __repr__(self) -> str:  # thousands of days in a failing example help nobody
        return f"Quotes of {', '.join(self)}"


def figures(amounts: Sequence[float], percentiles: Sequence[str]) -> dict[str, Any]:
    """All measures of non-empty `amounts`, but for employers."""
    values = np.sort(np.array(amounts, dtype=float))
    n = len(values)
    mean = float(values.mean())
    stddev = float(values.std(ddof=1)) if n > 1 else None
    interval = median_interval(values)
    p50 = float(np.percentile(values, 50))
    return {
        "count": n,
        "mean": mean,
        "stddev": stddev,
        "rse": None if stddev is None else stddev / sqrt(n) / mean,
        "p50_low": interval[0],
        "p50_high": interval[1],
        "quality": grade(p50, *interval),
        **{name: float(np.percentile(values, float(name[1:]))) for name in percentiles},
    }


def median_interval(values: Any) -> tuple[float | None, float | None]:
    """x(r) and x(n + 1 - r) by summing the binomial."""
    n = len(values)
    if n < 6:
        return None, None
    r = max(r for r in range(n) if 2 * sum(comb(n, k) for k in range(r)) <= 0.05 * 2**n)
    return float(values[r - 1]), float(values[n - r])


def grade(p50: float, low: float | None, high: float | None) -> str:
    """A to E."""
    if low is None or high is None:
        return "E"
    error = (high - low) / 2 / 1.96 / p50
    limits = {"A": 0.05, "B": 0.10, "C": 0.15, "D": 0.25}
    return next((letter for letter, limit in limits.items() if error < limit), "E")


@dataclass
class Expected:
    """What an answer must say: rows by the values of their dimensions, in order; and `meta`."""

    rows: dict[tuple[Any, ...], dict[str, Any]] = field(default_factory=dict)
    coverage: dict[str, Any] = field(default_factory=dict)
    sources: set[str] = field(default_factory=set)
    records: int = 0
    as_of: str | None = None


def answer(rows: Sequence[Row], quotes: Quotes, asked: Asked, today: date) -> Expected:
    """The answer to `asked` over `rows`, all groups; percentiles are those of `measures`."""
    groups: dict[tuple[Any, ...], list[tuple[float, Row]]] = defaultdict(list)
    counts = dict.fromkeys(("rate_pending", "one_sided", "out_of_bounds", "precision"), 0)
    for row in rows:
        if matches(row, asked):
            amount, reason = judged(row, asked, quotes)
            if reason is not None:
                counts[reason] += 1
            elif amount is not None:
                groups[key_of(row, asked)].append((amount, row))
    used = [row for members in groups.values() for _, row in members]
    ranged = sum(len(set(bounds(row).values())) == 2 for row in used)
    share = round(ranged / len(used), 6) if used else None
    return Expected(
        _ordered({key: _figures(groups[key], quotes, asked, today) for key in groups}, asked),
        {**counts, "no_index": 0, "range_share": share},
        {row["source"] for row in used},
        len(used),
        max((interval(row)[0].isoformat() for row in used), default=None),
    )


def matches(row: Row, asked: Asked) -> bool:
    """Whether the filters hold, and the row's dates and the window have a day in common."""
    for name in ("role", "level", "industry", "employment_type", "work_mode", "pay_kind", "source"):
        wanted = asked.get(name, "base,unspecified" if name == "pay_kind" else None)
        if wanted is not None and row.get(name, UNSPECIFIED) not in wanted.split(","):
            return False
    if "source_kind" in asked and KINDS[row["source"]] not in asked["source_kind"].split(","):
        return False
    if "paid_in" in asked and row["currency"] not in asked["paid_in"].split(","):
        return False
    above = set(lineage(row["region"]))
    if "region" in asked and above.isdisjoint(asked["region"].split(",")):
        return False
    if not above.isdisjoint(asked.get("exclude_region", "").split(",")):
        return False
    (first, last), (start, end) = interval(row), window(asked)
    return last >= start and first <= end


def judged(row: Row, asked: Asked, quotes: Quotes) -> tuple[float | None, str | None]:
    """The yearly amount that counts, or why there is none."""
    (first, last), (start, end) = interval(row), window(asked)
    periods = {"month", "quarter"} & set(grouping(asked))
    if first < start or last > end or (periods and len(row["observed_on"]) == 4):
        return None, "precision"
    native = asked.get("paid_in") == asked.get("currency", "USD")
    rate = Fraction(1) if native else dollars(row["currency"], first, quotes)
    if rate is None:
        return None, "rate_pending"
    found, bound = bounds(row), asked.get("bound", "mid")
    if bound == "mid" and len(found) == 2:
        found["mid"] = sum(found.values(), Fraction()) / 2
    if bound in found:
        # What was not converted stays as it was paid, to the cent.
        return (float(found[bound]) if native else whole(found[bound] * rate)), None
    return None, "one_sided"


def bounds(row: Row) -> dict[str, Fraction]:
    """`low` and `high` a year, full-time, as paid; a bound that is not stated is absent."""
    period = row.get("pay_period", "year")
    factor = Fraction(PERIODS[period])
    if period not in {"hour", "day"}:
        factor /= Fraction(str(row.get("fte", 1)))
    stated = {"low": row.get("amount_min"), "high": row.get("amount_max")}
    if "amount" in row:
        stated = {"low": row["amount"], "high": row["amount"]}
    return {
        name: Fraction(str(amount)) * factor
        for name, amount in stated.items()
        if amount is not None
    }


def whole(amount: Fraction) -> int:
    """To 6 decimals, then to a whole number, halves up."""
    half = Fraction(1, 2)
    return floor(Fraction(floor(amount * 10**6 + half), 10**6) + half)


def dollars(currency: str, on: date, quotes: Quotes) -> Fraction | None:
    """Dollars for one unit on a day or the last one before with a quote; None where none is."""
    if currency == "USD":
        return Fraction(1)
    replaced = REPLACED.get(currency)
    own_day = on if replaced is None else min(on, replaced - timedelta(days=1))
    own, dollar = quote(currency, own_day, quotes), quote("USD", on, quotes)
    return None if own is None or dollar is None else dollar / own


def quote(currency: str, on: date, quotes: Quotes) -> Fraction | None:
    """Units for one euro on a day or the last one before, at most 31 days."""
    if currency == "EUR":
        return Fraction(1)
    series = quotes.get(currency, ())
    place = bisect_right(series, on, key=lambda item: item[0])
    if place == 0 or (on - series[place - 1][0]).days > 31:
        return None
    return series[place - 1][1]


def interval(row: Row) -> tuple[date, date]:
    """The first and last day that `observed_on` means."""
    return days_of(row["observed_on"])


def days_of(text: str) -> tuple[date, date]:
    """The first and last day of a year, a month or a day."""
    year, month, day = (*map(int, text.split("-")), 0, 0)[:3]
    first = date(year, month or 1, day or 1)
    last = date(year, month or 12, day or monthrange(year, month or 12)[1])
    return first, last


def window(asked: Asked) -> tuple[date, date]:
    """The first and last day that count."""
    start = days_of(asked["from"])[0] if "from" in asked else date.min
    return start, days_of(asked["to"])[1] if "to" in asked else date.max


def lineage(region: str) -> list[str]:
    """A region and everything above it."""
    return [region, *(lineage(PARENTS[region]) if region in PARENTS else [])]


def grouping(asked: Asked) -> list[str]:
    """The names of the dimensions."""
    names = asked["group_by"].split(",")
    return [] if names == ["none"] else names


def key_of(row: Row, asked: Asked) -> tuple[Any, ...]:
    """The values of the dimensions that a row belongs to."""
    first = interval(row)[0]
    periods = {
        "month": f"{first.year}-{first.month:02}",
        "quarter": f"{first.year}-Q{(first.month + 2) // 3}",
        "year": first.year,
        "region": lifted(row["region"], asked.get("region_kind")),
    }
    return tuple(
        periods[name] if name in periods else row.get(name, UNSPECIFIED) for name in grouping(asked)
    )


def lifted(region: str, kind: str | None) -> str:
    """The region of that kind at or above a region; of codes here the parts tell the kind."""
    if kind is None or region == UNSPECIFIED:
        return region
    parts = region.split("-")
    length = LENGTH_OF_KIND[kind]
    return "-".join(parts[:length]) if len(parts) >= length else UNSPECIFIED


def _figures(
    members: Sequence[tuple[float, Row]], quotes: Quotes, asked: Asked, today: date
) -> dict[str, Any]:
    percentiles = [name for name in asked["measures"].split(",") if name[1:2].isdigit()]
    shown = figures([amount for amount, _ in members], [*{*percentiles, "p50"} - {*MONEY}])
    shown["employers"] = len({row["employer"] for _, row in members if "employer" in row})
    factor = output_factor(quotes, asked, today)
    for name, value in shown.items():
        if value is not None and (name in MONEY or name[1:2].isdigit()):
            shown[name] = value * factor
    return shown


def output_factor(quotes: Quotes, asked: Asked, today: date) -> float:
    """From yearly dollars (or the currency paid in) to what was asked."""
    currency, period = asked.get("currency", "USD"), asked.get("pay_period", "year")
    rate = Fraction(1)
    if currency != "USD" and asked.get("paid_in") != currency:
        on = min(window(asked)[1], today)
        # The last day that has quotes, however long ago.
        on = max(day for day, _ in quotes["USD"] if day <= on)
        in_euros, dollar = quote(currency, on, quotes), quote("USD", on, quotes)
        assert in_euros is not None
        assert dollar is not None
        rate = in_euros / dollar
    return float(rate / PERIODS[period])


def _ordered(
    rows: dict[tuple[Any, ...], dict[str, Any]], asked: Asked
) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Rows by `sort`, then in the grouping's order; unspecified and missing are last."""
    names = grouping(asked)
    keys = list(rows)
    terms = [*(asked["sort"].split(",") if "sort" in asked else []), *names]
    for term in reversed(terms):  # stable: the first term decides in the end
        name, down = term.removeprefix("-"), term.startswith("-")
        if name in names:
            place = names.index(name)
            keys.sort(key=lambda key: _rank(name, key[place]), reverse=down)
            keys.sort(key=lambda key: key[place] == UNSPECIFIED)
        else:
            keys.sort(key=lambda key: rows[key][name] or 0, reverse=down)
            keys.sort(key=lambda key: rows[key][name] is None)
    return {key: rows[key] for key in keys}


def _rank(name: str, value: Any) -> Any:
    if name in ORDERS:
        return ORDERS[name].index(value) if value in ORDERS[name] else -1
    return value
