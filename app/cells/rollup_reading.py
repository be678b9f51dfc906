"""Rollups as they are read: which rows, what they cost, and their columns of numbers.

This module loads numpy: import it where it is used, not when the service starts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
from anyio import to_thread
from sqlalchemy.ext.asyncio import AsyncSession

from app.cells.reading import SMALL, DamagedCells, Ints, among_sql
from app.cells.rollups import Rollup, unpack_rollup
from app.cells.strings import FORM, HEAD, is_whole
from app.core.database import fetch

_KEYS: Final = ("role_id", "source_id", "pay_kind", "span", "period")


@dataclass(frozen=True, slots=True)
class Tile:
    """The periods of a span from the one that begins with `first` to that which begins with
    `last`; None leaves that side open."""

    span: int
    first: date | None = None
    last: date | None = None

    def sql(self) -> str:
        """The condition on salary_rollups."""
        terms = [f"span = {self.span}"]
        if self.first is not None:
            terms.append(f"period >= DATE '{self.first}'")
        if self.last is not None:
            terms.append(f"period <= DATE '{self.last}'")
        return f"({' AND '.join(terms)})"


@dataclass(frozen=True, slots=True)
class RollupScope:
    """Which rows of a grain: those of the tiles; None is all roles or kinds of pay."""

    grain: int
    tiles: tuple[Tile, ...]
    source_ids: tuple[int, ...]
    role_ids: tuple[int, ...] | None = None
    pay_kinds: tuple[int, ...] | None = None

    def sql(self) -> str:
        """The condition on salary_rollups."""
        terms = [f"grain = {self.grain}", among_sql("source_id", self.source_ids)]
        if self.role_ids is not None:
            terms.append(among_sql("role_id", self.role_ids))
        if self.pay_kinds is not None:
            terms.append(among_sql("pay_kind", self.pay_kinds))
        return f"{' AND '.join(terms)} AND ({' OR '.join(tile.sql() for tile in self.tiles)})"


@dataclass(frozen=True, slots=True)
class RollupSize:
    """What a scope holds: entries that are added up in it, and bytes of pairs."""

    entries: int
    pair_bytes: int


@dataclass(frozen=True, slots=True)
class Rollups:
    """Rollups end to end. Without pairs the heads still say how many there are.

    `rows` has arrays with one number for each row: role_id, source_id, pay_kind, span, period (days
    since 1970-01-01), heads.
    """

    grain: int
    rows: Mapping[str, Ints]
    rollup: Rollup

    def spread(self, name: str) -> Ints:
        """What `rows` has of each head's row."""
        return np.repeat(self.rows[name], self.rows["heads"])


async def measure_rollups(session: AsyncSession, scope: RollupScope) -> RollupSize:
    """What reading a scope costs. The length of a string is known without reading it."""
    statement = (
        "SELECT coalesce(sum(entries), 0)::bigint AS entries,"  # noqa: S608 - numbers and dates
        " coalesce(sum(octet_length(pairs)), 0)::bigint AS pair_bytes"
        f" FROM salary_rollups WHERE {scope.sql()}"
    )
    row = (await fetch(session, statement))[0]
    return RollupSize(row["entries"], row["pair_bytes"])


async def read_rollups(
    session: AsyncSession, scope: RollupScope, *, with_pairs: bool = True
) -> Rollups:
    """The rollups of a scope. Raises DamagedCells."""
    names = ("heads", "pairs") if with_pairs else ("heads",)
    columns = [*_KEYS, "form", *names, *(f"{name}_check" for name in names)]
    statement = f"SELECT {', '.join(columns)} FROM salary_rollups WHERE {scope.sql()}"  # noqa: S608 - names of ours, numbers and dates
    rows = await fetch(session, statement)
    if sum(len(row[name]) for row in rows for name in names) <= SMALL:
        return _unpack(scope.grain, columns, rows)
    return await to_thread.run_sync(_unpack, scope.grain, columns, rows)


def _unpack(grain: int, columns: Sequence[str], found: Sequence[Any]) -> Rollups:
    turned = list(zip(*found, strict=True)) or [() for _ in columns]
    column = dict(zip(columns, turned, strict=True))
    _check(column)
    rollup = _joined(grain, column)
    rows = {key: np.array(column[key], np.int64) for key in _KEYS if key != "period"}
    rows["period"] = np.array(column["period"], "datetime64[D]").astype(np.int64)
    sizes = np.array([len(heads) for heads in column["heads"]], np.int64)
    return Rollups(grain, {**rows, "heads": sizes // HEAD.itemsize}, rollup)


def _check(column: Mapping[str, Sequence[Any]]) -> None:
    roles = column["role_id"]
    foreign = {role for role, form in zip(roles, column["form"], strict=True) if form != FORM}
    if foreign:
        raise DamagedCells(_of_roles(foreign), foreign=True)
    damaged: set[int] = set()
    for name in ("heads", "pairs"):
        if name in column:
            strings = zip(roles, column[name], column[f"{name}_check"], strict=True)
            size = HEAD.itemsize if name == "heads" else 1
            damaged.update(
                role
                for role, string, check in strings
                if len(string) % size or not is_whole(string, check)
            )
    if damaged:
        raise DamagedCells(_of_roles(damaged))


def _joined(grain: int, column: Mapping[str, Sequence[Any]]) -> Rollup:
    heads = b"".join(column["heads"])
    if "pairs" not in column:
        nothing = np.zeros(0, np.int64)
        return Rollup(np.frombuffer(heads, HEAD), nothing, nothing)
    try:
        return unpack_rollup(grain, heads, b"".join(column["pairs"]))
    except ValueError:
        raise DamagedCells(_of_roles(set(column["role_id"]))) from None


def _of_roles(role_ids: set[int]) -> frozenset[int]:
    """Without that of all roles, which is none."""
    return frozenset(role_ids - {0})
