"""Cells as columns of numbers.

This module loads numpy: import it where it is used, not when the service starts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from anyio import to_thread
from sqlalchemy.ext.asyncio import AsyncSession

from app.cells.strings import AMOUNTS, FORM, PAID, PLACES, WITHDRAWN, is_whole
from app.core.database import fetch

STRINGS: Final = {"amounts": AMOUNTS, "places": PLACES, "paid": PAID}
SMALL: Final = 20_000
"""Entries that are unpacked at once; more are unpacked in a thread, the event loop goes on."""
_KEYS: Final = ("role_id", "source_id", "pay_kind", "month", "yearly", "entries")

Ints = npt.NDArray[np.int64]


class DamagedCells(Exception):
    """A string is not what was written, or of another form: it cannot be answered from.

    `role_ids` are those of the rows; empty for rollups of places. `foreign`: of another form, as
    an older or newer service writes it, and then nothing needs to be rebuilt.
    """

    def __init__(self, role_ids: frozenset[int], *, foreign: bool = False) -> None:
        super().__init__(f"cells of roles {sorted(role_ids)}")
        self.role_ids = role_ids
        self.foreign = foreign


@dataclass(frozen=True, slots=True)
class CellScope:
    """Which rows of cells: None is all of them, `source_ids` those of the population.

    `first` and `last` bound the window; rows are of whole months, so those that it cuts are among
    them, and rows of whole years wherever the window touches the year.
    """

    source_ids: tuple[int, ...]
    role_ids: tuple[int, ...] | None = None
    pay_kinds: tuple[int, ...] | None = None
    first: date | None = None
    last: date | None = None
    unmerged: bool = False

    def sql(self) -> str:
        """The condition on salary_cells."""
        terms = [among_sql("source_id", self.source_ids)]
        if self.role_ids is not None:
            terms.append(among_sql("role_id", self.role_ids))
        if self.pay_kinds is not None:
            terms.append(among_sql("pay_kind", self.pay_kinds))
        if self.first is not None:
            month, year = self.first.replace(day=1), self.first.replace(month=1, day=1)
            terms.append(f"month >= CASE WHEN yearly THEN DATE '{year}' ELSE DATE '{month}' END")
        if self.last is not None:
            terms.append(f"month <= DATE '{self.last}'")
        if self.unmerged:
            terms.append("NOT merged")
        return " AND ".join(terms)


def among_sql(column: str, ids: Sequence[int]) -> str:
    """The condition that a column holds one of `ids`."""
    return f"{column} IN ({', '.join(map(str, ids))})" if ids else "false"


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries of cells, row by row; strings that were not asked for are None.

    `rows` has arrays with one number for each row: role_id, source_id, pay_kind, month (days since
    1970-01-01), yearly, entries.
    """

    rows: dict[str, Ints]
    amounts: npt.NDArray[Any]
    places: npt.NDArray[Any] | None = None
    paid: npt.NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.amounts)

    def spread(self, name: str) -> Ints:
        """What `rows` has of each entry's row."""
        return np.repeat(self.rows[name], self.rows["entries"])

    @property
    def signs(self) -> Ints:
        """1 for each entry, -1 where it withdraws."""
        return np.where(self.amounts["day"] & WITHDRAWN, -1, 1)


async def count_entries(session: AsyncSession, scope: CellScope) -> int:
    """How many entries a scope has: what reading it costs."""
    statement = f"SELECT coalesce(sum(entries), 0) FROM salary_cells WHERE {scope.sql()}"  # noqa: S608 - numbers and dates
    return int((await fetch(session, statement))[0][0])


async def read_cells(
    session: AsyncSession, scope: CellScope, strings: Sequence[str] = ("amounts",)
) -> Entries:
    """The entries of a scope with those strings (`amounts` always). Raises DamagedCells."""
    names = list(dict.fromkeys(("amounts", *strings)))
    columns = [*_KEYS, "form", *names, *(f"{name}_check" for name in names)]
    rows = await fetch(session, _rows_sql(scope, columns, names))
    if sum(row["entries"] for row in rows) <= SMALL:
        return _unpack_rows(columns, names, rows)
    return await to_thread.run_sync(_unpack_rows, columns, names, rows)


def _rows_sql(scope: CellScope, columns: Sequence[str], names: Sequence[str]) -> str:
    """Long rows as they are; the many short ones that writers left, joined and checked already."""
    as_they_are = "merged OR octet_length(amounts_check) <> 16"
    keys = ", ".join(key for key in (*_KEYS, "form") if key != "entries")
    aliased = [
        *(key if key != "entries" else "sum(entries)::int AS entries" for key in _KEYS),
        "form",
        *(f"string_agg({name}, ''::bytea) AS {name}" for name in names),
        *(f"{_checked_sql(name)} AS {name}_check" for name in names),
    ]
    short = (
        f"SELECT {', '.join(aliased)} FROM salary_cells"  # noqa: S608 - names of ours, numbers and dates
        f" WHERE {scope.sql()} AND NOT ({as_they_are}) GROUP BY {keys}"
    )
    if scope.unmerged:
        # What compaction wrote is never among them.
        return f"{short} ORDER BY role_id, month"
    long = f"SELECT {', '.join(columns)} FROM salary_cells WHERE {scope.sql()} AND ({as_they_are})"  # noqa: S608 - names of ours, numbers and dates
    return f"({long} ORDER BY role_id, id) UNION ALL ({short} ORDER BY role_id, month)"


def _checked_sql(name: str) -> str:
    """An empty check where all strings of a group are what was written."""
    whole = f"{name}_check = decode(md5({name}), 'hex') AND octet_length({name}) = 8 * entries"
    return f"CASE WHEN bool_and({whole}) THEN ''::bytea ELSE '\\x00' END"


def _unpack_rows(columns: list[str], names: list[str], rows: Sequence[Any]) -> Entries:
    """Entries from rows. Joined here: the database takes five times as long to join strings."""
    turned = list(zip(*rows, strict=True)) or [() for _ in columns]
    found = dict(zip(columns, map(list, turned), strict=True))
    _check(names, found)
    return unpack(found, {name: b"".join(found[name]) for name in names})


def no_entries(strings: Sequence[str]) -> Entries:
    """Entries with those strings, of which there are none."""
    return unpack({key: [] for key in _KEYS}, dict.fromkeys(strings, b""))


def unpack(keys: Mapping[str, list[Any]], strings: Mapping[str, bytes]) -> Entries:
    """Entries from the columns of rows, and each string of all rows end to end."""
    rows = {key: np.array(keys[key], np.int64) for key in _KEYS if key != "month"}
    rows["month"] = np.array(keys["month"], "datetime64[D]").astype(np.int64)
    columns = {name: np.frombuffer(string, STRINGS[name]) for name, string in strings.items()}
    return Entries(rows, **columns)


def _check(names: Sequence[str], found: Mapping[str, list[Any]]) -> None:
    """Raise DamagedCells with the roles of rows whose strings are not what was written."""
    roles = found["role_id"]
    foreign = {role for role, form in zip(roles, found["form"], strict=True) if form != FORM}
    if foreign:
        raise DamagedCells(frozenset(foreign), foreign=True)
    damaged: set[int] = set()
    for name in names:
        size, checks = STRINGS[name].itemsize, found[f"{name}_check"]
        rows = zip(roles, found["entries"], found[name], checks, strict=True)
        damaged.update(
            role
            for role, entries, string, check in rows
            if len(string) != entries * size or not is_whole(string, check)
        )
    if damaged:
        raise DamagedCells(frozenset(damaged))
