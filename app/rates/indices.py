"""The price indices in use: all of them in memory, kept while the epoch's stamp stays."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from statistics import fmean
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.versions import DataVersion
from app.domain.vocabulary import INDEX_KINDS
from app.rates.index_profiles import IndexSource, shipped_index_profiles

_ALL: Final = text(
    "SELECT kind, region_id, period_on, value FROM price_indices"
    " ORDER BY kind, period_on, region_id"
)


@dataclass(frozen=True, slots=True)
class PriceIndices:
    """What is loaded, by the first day of the period (in order) and the id of the region.

    `parities` are levels of a year, the whole country = 100; `prices` consumer prices of a month.
    """

    parities: Mapping[date, Mapping[int, float]]
    prices: Mapping[date, Mapping[int, float]]

    def newest_year(self, last: date | None) -> date | None:
        """The newest year with parities that begins by `last` (None: the end of all time)."""
        years = [first for first in self.parities if last is None or first <= last]
        return max(years, default=None)

    def mean_prices(self) -> Mapping[date, Mapping[int, float]]:
        """By the first day of the year, the mean of the months that there are."""
        months: dict[date, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        for first, values in self.prices.items():
            for region_id, value in values.items():
                months[first.replace(month=1)][region_id].append(value)
        return {
            first: {region_id: fmean(values) for region_id, values in regions.items()}
            for first, regions in months.items()
        }


# The stamp and what is loaded: one entry, replaced when indices (or anything else) arrive.
_current: list[tuple[str, PriceIndices]] = []


async def load_price_indices(session: AsyncSession, version: DataVersion) -> PriceIndices:
    """All indices as of the session's snapshot, whose version is given."""
    if not _current or _current[0][0] != version.stamp:
        _current[:] = [(version.stamp, await _read(session))]
    return _current[0][1]


async def _read(session: AsyncSession) -> PriceIndices:
    found: dict[int, dict[date, dict[int, float]]] = {kind: {} for kind in INDEX_KINDS.values()}
    for kind, region_id, period_on, value in await session.execute(_ALL):
        found[kind].setdefault(period_on, {})[region_id] = value
    return PriceIndices(found[INDEX_KINDS["parity"]], found[INDEX_KINDS["cpi"]])


def index_sources(kind: str, countries: Iterable[str]) -> list[IndexSource]:
    """The publishers of the indices of a kind (parity, cpi) for countries, by their codes."""
    wanted = set(countries)
    return [
        profile.source
        for profile in shipped_index_profiles()
        if profile.kind == kind and profile.country in wanted
    ]
