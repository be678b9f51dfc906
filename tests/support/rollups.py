"""Whether rollups are what the merged cells say: all of it in plain Python, read with `struct`."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from math import floor, log
from struct import iter_unpack
from typing import Any, Final

from sqlalchemy import text

from app.core.database import Database

NO_DAY: Final = -(2**31)
Cell = dict[str, Any]
Rollups = dict[tuple[Any, ...], dict[tuple[int, int], Cell]]
"""By role, grain, span, period, source and pay kind: by region and level, what a head says, and
the `pairs` as a dictionary."""


async def check_rollups(database: Database) -> int:
    """Assert that there is a rollup for all that is merged, and what it holds; how many."""
    async with database.read() as session:
        cells = await session.execute(text("SELECT * FROM salary_cells WHERE merged"))
        expected = _expected([dict(row) for row in cells.mappings()])
        rollups = await session.execute(text("SELECT * FROM salary_rollups"))
        found = _found([dict(row) for row in rollups.mappings()])
        assert await session.scalar(text("SELECT places_sound FROM rollup_state"))
    assert found == expected
    return len(found)


def _expected(rows: list[dict[str, Any]]) -> Rollups:
    rollups: Rollups = defaultdict(lambda: defaultdict(_nothing))
    for row in rows:
        amounts = list(iter_unpack(">ihBB", row["amounts"]))
        regions = [place[0] for place in iter_unpack(">ihH", row["places"])]
        for (amount, level, day, _), region in zip(amounts, regions, strict=True):
            assert not day & 32, "a merged row withdraws nothing"
            for span, period in _spans(row["month"], yearly=row["yearly"]):
                key = (span, period, row["source_id"], row["pay_kind"])
                on = row["month"].replace(day=day & 31)
                of_role = rollups[(row["role_id"], 1, *key)][0, level]
                _add(of_role, amount, amount, on, ranged=bool(day & 64))
                of_place = rollups[(0, 2, *key)][region, level]
                bucket = max(0, floor(log(amount / 1000) / log(1.01))) if amount > 0 else 0
                _add(of_place, amount, bucket, on, ranged=bool(day & 64))
    return {key: dict(cells) for key, cells in rollups.items()}


def _nothing() -> Cell:
    counts = dict.fromkeys(("count", "total", "squares", "ranged", *_LEFT_OUT.values()), 0)
    return {**counts, "newest": NO_DAY, "pairs": defaultdict(int)}


_LEFT_OUT: Final = {-1: "pending", -4: "pending", -2: "one_sided", -3: "out_of_bounds"}


def _add(cell: Cell, amount: int, value: int, on: date, *, ranged: bool) -> None:
    if amount < 0:
        cell[_LEFT_OUT[amount]] += 1
        return
    cell["count"] += 1
    cell["total"] += amount
    cell["squares"] += amount**2
    cell["ranged"] += ranged
    cell["newest"] = max(cell["newest"], (on - date(1970, 1, 1)).days)
    cell["pairs"][value] += 1


def _spans(month: date, *, yearly: bool) -> Iterator[tuple[int, date]]:
    assert month.day == 1
    if yearly:
        yield 4, month
        return
    yield 1, month
    yield 2, month.replace(month=(month.month - 1) // 3 * 3 + 1)
    yield 3, month.replace(month=1)


_HEAD: Final = (
    *("region", "level", "first", "pairs", "count", "total", "high", "low", "ranged"),
    *("pending", "one_sided", "out_of_bounds", "newest"),
)


def _found(rows: list[dict[str, Any]]) -> Rollups:
    found: Rollups = {}
    for row in rows:
        pairs = iter_unpack(">ii" if row["grain"] == 1 else ">BB", row["pairs"])
        cells = {}
        for values in iter_unpack(">ihHiqqqqqqqqi", row["heads"]):
            head = dict(zip(_HEAD, values, strict=True))
            place = (head.pop("region"), head.pop("level"))
            cells[place] = _cell(head, [next(pairs) for _ in range(head["pairs"])], row["grain"])
        assert not list(pairs)
        names = ("role_id", "grain", "span", "period", "source_id", "pay_kind")
        counted = ("count", "pending", "one_sided", "out_of_bounds")
        assert row["entries"] == sum(cell[name] for cell in cells.values() for name in counted)
        found[tuple(row[name] for name in names)] = cells
    return found


def _cell(head: Cell, pairs: list[tuple[int, int]], grain: int) -> Cell:
    head["squares"] = head.pop("high") * 2**24 + head.pop("low")
    first = head.pop("first")
    value = first if grain == 2 else 0
    counts: dict[int, int] = defaultdict(int)
    for step, count in pairs:
        value = value + step if grain == 2 else step
        counts[value] += count
    assert list(counts) == sorted(counts)
    head["pairs"] = {value: count for value, count in counts.items() if count}
    return head
