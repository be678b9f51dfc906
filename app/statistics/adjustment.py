"""Adjusting amounts by an index of the record's region: price parity, consumer prices."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from app.statistics.basis import Basis
from app.statistics.filters import Filters
from app.taxonomies.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Adjustment:
    """How amounts are adjusted, as SQL over a record `r`.

    `joins` stand behind FROM salary_records AS r; an amount is multiplied with `factor`, which is
    null where the record's region has no index; None leaves amounts alone. `described` is for
    `meta`.
    """

    joins: str = ""
    factor: str | None = None
    described: Mapping[str, Any] = field(default_factory=dict)


UNADJUSTED: Final = Adjustment()


async def find_adjustment(
    session: AsyncSession, catalogue: Catalogue, basis: Basis, filters: Filters, today: date
) -> Adjustment:
    """The adjustment that `basis.adjust` asks for."""
    return UNADJUSTED
