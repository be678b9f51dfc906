"""The questions that the service and what it is compared with are asked: one text of each."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from http.client import HTTPConnection
from typing import Any, Final
from urllib.parse import urlencode

from app.domain.vocabulary import PAY_KINDS, UNSPECIFIED
from bench.stage import Stage, read_codes

PERCENTILES: Final = (10, 25, 50, 75, 90)
SHARES: Final = ", ".join(f"{percent / 100:g}" for percent in PERCENTILES)
KINDS: Final = (PAY_KINDS[UNSPECIFIED], PAY_KINDS["base"])
"""What the service takes where a question names no pay kind."""

Figures = dict[tuple[str, ...], tuple[float, ...]]
"""Group to count and percentiles."""


@dataclass(frozen=True, slots=True)
class Named:
    """A role, and the ids and codes of all regions and levels."""

    role: str
    role_id: int
    codes: Mapping[str, Mapping[int, str]]
    newest: date


@dataclass(frozen=True, slots=True)
class Asked:
    """Count and five percentiles of the annual amounts by `dimensions`, in `months` months.

    `role` None: of all roles.
    """

    name: str
    dimensions: tuple[str, ...]
    months: int
    role: bool

    def path(self, named: Named) -> str:
        """The request target."""
        first, last = window(named.newest, self.months)
        parameters = {
            "group_by": ",".join(self.dimensions),
            "measures": ",".join(["count", *(f"p{percent}" for percent in PERCENTILES)]),
            "from": f"{first:%Y-%m}",
            "to": f"{last:%Y-%m}",
            "limit": "10000",
            **({"role": named.role} if self.role else {}),
        }
        return f"/v1/salaries/statistics?{urlencode(parameters, safe=',')}"

    def sql(self, named: Named, aggregates: str, table: str = "salary_records") -> str:
        """One SELECT with `aggregates` after the ids of the dimensions."""
        first, last = window(named.newest, self.months)
        ids = ", ".join(f"{dimension}_id" for dimension in self.dimensions)
        role = f" AND role_id = {named.role_id}" if self.role else ""
        kinds = ", ".join(map(str, KINDS))
        return (
            f"SELECT {ids}, {aggregates} FROM {table} WHERE pay_kind IN ({kinds}){role}"
            f" AND observed_on >= '{first}' AND observed_on < '{_after(last)}' GROUP BY {ids}"
        )


WIDE: Final = Asked("all roles, region x level, 12 months", ("region", "level"), 12, role=False)
LEVELS: Final = Asked("one role by level, 36 months", ("level",), 36, role=True)
PLACES: Final = Asked("one role, region x level, 12 months", ("region", "level"), 12, role=True)
ASKED: Final = (WIDE, LEVELS, PLACES)


def window(newest: date, months: int) -> tuple[date, date]:
    """The first days of the first and the last of that many whole months.

    The last one is the newest whose window begins with neither a quarter nor a year: 12 months
    are then three months and three quarters, the most periods that 12 months can be made of.
    """
    last = newest.replace(day=1)
    while True:
        first = _months_before(last, months - 1)
        if first.month % 3 == 2:
            return first, last
        last = _months_before(last, 1)


def _months_before(month: date, months: int) -> date:
    year, rest = divmod(month.year * 12 + month.month - 1 - months, 12)
    return date(year, rest + 1, 1)


def _after(month: date) -> date:
    return _months_before(month, -1)


async def read_named(stage: Stage) -> Named:
    """The role with most records, as the generator draws them, and what ids mean."""
    async with stage.database() as database:
        codes = await read_codes(database)
    found = {}
    async with stage.connect() as connection:
        for dimension in ("region", "level", "role"):
            rows = await connection.fetch(f"SELECT id, code FROM {dimension}s")
            found[dimension] = {row["id"]: row["code"] for row in rows}
    role = codes.roles[0]
    role_id = next(key for key, code in found["role"].items() if code == role)
    return Named(role, role_id, found, codes.newest)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and how long it took from the first byte sent to the last received."""

    status: int
    body: bytes
    milliseconds: float

    def rows(self) -> list[dict[str, Any]]:
        """The rows of `data`. Raises RuntimeError where the question was not answered."""
        if self.status != 200:
            raise RuntimeError(f"status {self.status}: {self.body[:500]!r}")
        rows: list[dict[str, Any]] = json.loads(self.body)["data"]
        return rows

    def meta(self) -> dict[str, Any]:
        """The `meta` of the answer."""
        meta: dict[str, Any] = json.loads(self.body)["meta"]
        return meta


class Client:
    """One connection that stays open. For a thread of its own: it waits."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=600)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """GET of a request target."""
        started = time.perf_counter()
        self._connection.request("GET", path, headers=dict(headers or {}))
        response = self._connection.getresponse()
        body = response.read()
        return Answer(response.status, body, (time.perf_counter() - started) * 1000)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def figures_of_answer(asked: Asked, answer: Answer) -> Figures:
    """The figures of the service's rows that have any."""
    names = ("count", *(f"p{percent}" for percent in PERCENTILES))
    return {
        tuple(row[dimension] for dimension in asked.dimensions): tuple(row[n] for n in names)
        for row in answer.rows()
        if row["count"]
    }


def figures_of_rows(asked: Asked, named: Named, rows: list[tuple[Any, ...]]) -> Figures:
    """The figures of SQL rows: the ids of the dimensions, the count, the list of percentiles."""
    width = len(asked.dimensions)
    return {
        tuple(named.codes[d][row[place]] for place, d in enumerate(asked.dimensions)): (
            row[width],
            *row[width + 1],
        )
        for row in rows
    }


def largest_error(ours: Figures, theirs: Figures) -> float:
    """The largest relative difference of a figure. Raises RuntimeError where groups differ."""
    if ours.keys() != theirs.keys():
        raise RuntimeError(f"groups differ: {sorted(ours.keys() ^ theirs.keys())[:5]}")
    return max(
        abs(mine - other) / abs(other)
        for group, figures in theirs.items()
        for mine, other in zip(ours[group], figures, strict=True)
    )
