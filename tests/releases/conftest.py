"""Making releases in tests."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import pytest

from app.access.caller import COMMAND_LINE
from app.core.database import Database
from app.releases.making import Asked, Made, make_release
from app.settings import Settings
from tests.support.builders import Row, salary

MakeRelease = Callable[..., Awaitable[Made]]
TODAY = date(2026, 8, 15)
"""The last closed quarter is 2026-Q2, the last closed year 2025."""


@pytest.fixture
def make(settings: Settings, database_url: str, database: Database) -> MakeRelease:
    """`await make(source=..., dry_run=..., today=...)`: a release, in this process."""

    async def make_one(source: str | None = None, **values: Any) -> Made:
        asked = Asked(COMMAND_LINE, source, **{"today": TODAY, **values})
        return await make_release(settings, database_url, asked)

    return make_one


def staff(count: int, *, first: int = 80_000, step: int = 2_000, **values: Any) -> list[Row]:
    """So many records of as many employers, their pay a step apart."""
    values = {"source": "club", **values}
    return [salary(first + step * place, employer=1000 + place, **values) for place in range(count)]
