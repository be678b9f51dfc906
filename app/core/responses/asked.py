"""What was asked, in one spelling: questions that mean the same have the same text."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from fastapi import Request

from app.core.formats import Format, choose_format

DAY_S: Final = timedelta(days=1).total_seconds()


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of a route whose answers are kept.

    `query` is the question as the route understood it, all defaults filled in. `roles` are the
    codes of the roles that the answer depends on: None for all, () for the epoch alone. `day` is
    the day (UTC) on which it was asked; None where the answer is the same on every day.
    """

    request: Request
    route: str
    format: Format
    day: date | None
    roles: tuple[str, ...] | None
    query: Mapping[str, Any]

    @property
    def canonical(self) -> str:
        """The same text for the same question, on every process."""
        day = None if self.day is None else self.day.isoformat()
        parts = [self.route, self.format.name, day, self.query]
        return json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)

    @property
    def span_s(self) -> tuple[float, float]:
        """The time in which `day` is today, in seconds of the epoch; without end for None."""
        if self.day is None:
            return float("-inf"), float("inf")
        begins = datetime(self.day.year, self.day.month, self.day.day, tzinfo=UTC).timestamp()
        return begins, begins + DAY_S


@dataclass(frozen=True, slots=True)
class Asking:
    """The beginning of a question: its format, and the day on which it was asked.

    Taken before parameters are read: what `last` means is then resolved on this day or, around
    midnight, on the next, and such an answer is kept under a day that is over.
    """

    request: Request
    format: Format
    today: date

    def about(
        self,
        route: str,
        query: Mapping[str, Any],
        roles: tuple[str, ...] | None,
        *,
        dated: bool = True,
    ) -> Asked:
        """The whole question; see Asked. `dated`: its answer may change with the day."""
        return Asked(self.request, route, self.format, self.today if dated else None, roles, query)


def begin_asking(request: Request, format: str | None) -> Asking:
    """Begin a question. Raises UnknownValue (422) and NotAcceptable (406) for the format."""
    today = datetime.now(UTC).date()
    return Asking(request, choose_format(format, request.headers.get("accept")), today)


def about_list(asking: Asking, route: str) -> Asked:
    """The question of a list in pages, which depends on the epoch alone.

    Parameters as they were written, in any order: the address of the next page repeats them.
    """
    query = {"parameters": sorted(asking.request.query_params.multi_items())}
    return asking.about(route, query, roles=(), dated=False)
