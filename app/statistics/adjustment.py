"""Adjusting amounts by an index of the record's region: price parity, consumer prices."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.errors import Refused
from app.domain.dates import FIRST_YEAR
from app.domain.vocabulary import PRECISIONS
from app.rates.indices import PriceIndices, index_sources, load_price_indices
from app.statistics.adjust_parameter import CONSUMER_PRICES, PRICE_PARITY
from app.statistics.basis import Basis
from app.statistics.filters import Filters
from app.taxonomies.catalogue import Catalogue, RegionEntry

PARITY_BASE: Final = 100.0
"""The index of a place where things cost what they do in the country as a whole."""

FIRST_DAY: Final = date(FIRST_YEAR, 1, 1)
KEYS_OF_COUNTRY: Final = 200_000
"""More than there are days from the first year to the last one that records can be of."""


@dataclass(frozen=True, slots=True)
class Adjustment:
    """How amounts are adjusted, as SQL over a record `r`.

    `joins` stand behind FROM salary_records AS r; an amount is multiplied with `factor`, which is
    null where the record's region has no index; None leaves amounts alone. `described` is for
    `meta`.
    """

    joins: str = ""
    factor: str | None = None
    described: Mapping[str, Any] = field(default_factory=lambda: {"adjust": []})


UNADJUSTED: Final = Adjustment()


@dataclass(frozen=True, slots=True)
class _Part:
    """One of the adjustments of an answer."""

    joins: str
    factor: str
    described: Mapping[str, Any]


async def find_adjustment(
    session: AsyncSession, catalogue: Catalogue, basis: Basis, filters: Filters, today: date
) -> Adjustment:
    """The adjustment that `basis.adjust` asks for: the product of its parts.

    Raises Refused (422): `no_index_table` where no such index is loaded, `no_index` where it has
    none of the month that was asked, or none of a year by the window's end.
    """
    if not basis.adjust:
        return UNADJUSTED
    indices = await load_price_indices(session, catalogue.version)
    parts = []
    for word in basis.adjust:
        kind, _, month = word.partition(":")
        if kind == PRICE_PARITY:
            parts.append(_price_parity(indices, catalogue, filters.window.last))
        else:
            target = date.fromisoformat(f"{month}-01")
            parts.append(_consumer_prices(indices, catalogue, target))
    return Adjustment(
        " ".join(part.joins for part in parts),
        " * ".join(part.factor for part in parts),
        {"adjust": [part.described for part in parts]},
    )


def _price_parity(indices: PriceIndices, catalogue: Catalogue, last: date | None) -> _Part:
    """What pay buys, at the prices of the country as a whole: amount / (index / 100).

    All records by the indices of one year, so that rows differ by place and not by year as well:
    the newest that begins by the end of the window.
    """
    _check_loaded(indices.parities, PRICE_PARITY, "parity")
    year = indices.newest_year(last)
    if year is None:
        raise _no_index(indices.parities, PRICE_PARITY, f"a year by {last}", "%Y")
    of_regions = catalogue.derived(
        f"parities of {year:%Y}", lambda: spread_indices(indices.parities[year], catalogue)
    )
    factors = [PARITY_BASE / index for index in of_regions.values()]
    table = _unnest(int4=of_regions, float8=factors)
    described = {
        "kind": PRICE_PARITY,
        "year": year.year,
        "sources": _sources("parity", indices.parities[year], catalogue),
    }
    joins = f"LEFT JOIN {table} AS parity (region_id, factor) ON parity.region_id = r.region_id"
    return _Part(joins, "parity.factor", described)


def spread_indices(indices: Mapping[int, float], catalogue: Catalogue) -> dict[int, float]:
    """The index of every region that has one: its own, or that of the nearest region above it.

    By region id. A subdivision does not take its country's where other subdivisions have their
    own: the country's index is then an average of those (the US average says nothing about
    Puerto Rico, which is not in it).
    """
    regions = catalogue.regions.by_id
    owners = [regions[region_id] for region_id in indices if region_id in regions]
    divided = {owner.country_id for owner in owners if owner.id != owner.country_id}
    found = ((region.id, _nearest(region, indices, divided)) for region in catalogue.regions)
    return {region_id: index for region_id, index in found if index is not None}


def _nearest(region: RegionEntry, indices: Mapping[int, float], divided: set[int]) -> float | None:
    for region_id in region.ancestors:
        averaged = region_id in divided and region.subdivision_id != 0
        if region_id in indices and not averaged:
            return indices[region_id]
    return None


def _consumer_prices(indices: PriceIndices, catalogue: Catalogue, target: date) -> _Part:
    """Pay in the money of a month: amount x index of that month / index of the record's.

    For regions of the index's country. A record whose date is a year takes the mean of the months
    of that year that have an index.
    """
    adjust = f"{CONSUMER_PRICES}:{target:%Y-%m}"
    _check_loaded(indices.prices, adjust, "cpi")
    if target not in indices.prices:
        raise _no_index(indices.prices, adjust, "that month", "%Y-%m")
    countries = indices.prices[target]
    described = {
        "kind": CONSUMER_PRICES,
        "to": f"{target:%Y-%m}",
        "sources": _sources("cpi", countries, catalogue),
    }
    return _Part(_price_joins(indices, catalogue, countries), "prices.factor", described)


def _price_joins(indices: PriceIndices, catalogue: Catalogue, targets: Mapping[int, float]) -> str:
    """SQL: the table `prices`, whose `factor` leads from a record's prices to the `targets`.

    Those are indices by id of the country. The key is of the country and a day: the first of a
    month, or the last of a whole year, so that the two are told apart.
    """
    known = catalogue.derived("consumer prices by key", lambda: _prices_by_key(indices))
    factors = {
        key: target / value
        for country_id, target in targets.items()
        for key, value in known[country_id].items()
    }
    table = _unnest(int8=factors, float8=factors.values())
    # Grouped, so that the planner knows each key to be there once: then it hashes them, and does
    # not sort all records to merge them.
    grouped = ("SELECT key, min(factor) AS factor FROM", table, "AS k (key, factor) GROUP BY key")
    day = (
        f"CASE WHEN r.precision = {PRECISIONS['year']} THEN r.observed_until"
        " ELSE date_trunc('month', r.observed_on::timestamp)::date END"
    )
    keys = " ".join(
        f"WHEN r.region_id = ANY ('{{{','.join(map(str, _regions_of(country_id, catalogue)))}}}')"
        f" THEN {country_id * KEYS_OF_COUNTRY}::int8 + ({day} - DATE '{FIRST_DAY}')"
        for country_id in targets
    )
    return f"LEFT JOIN ({' '.join(grouped)}) AS prices ON prices.key = CASE {keys} END"


def _prices_by_key(indices: PriceIndices) -> dict[int, dict[int, float]]:
    """By id of the country, its consumer prices by key: of months, and means of years."""
    of_years = indices.mean_prices().items()
    of_periods = dict(indices.prices)
    of_periods |= {first.replace(month=12, day=31): values for first, values in of_years}
    found: dict[int, dict[int, float]] = defaultdict(dict)
    for day, values in of_periods.items():
        for country_id, value in values.items():
            found[country_id][country_id * KEYS_OF_COUNTRY + (day - FIRST_DAY).days] = value
    return found


def _regions_of(country_id: int, catalogue: Catalogue) -> list[int]:
    return [region.id for region in catalogue.regions if region.country_id == country_id]


def _unnest(**columns: Iterable[float]) -> str:
    """A table of columns of equal length, each named by its type."""
    arrays = (f"'{{{','.join(map(str, values))}}}'::{kind}[]" for kind, values in columns.items())
    return f"unnest({', '.join(arrays)})"


def _sources(kind: str, region_ids: Iterable[int], catalogue: Catalogue) -> list[dict[str, str]]:
    regions = catalogue.regions.by_id
    owners = [regions[region_id] for region_id in region_ids if region_id in regions]
    countries = {regions[owner.country_id].code for owner in owners}
    return [asdict(source) for source in index_sources(kind, countries)]


def _check_loaded(periods: Mapping[date, Any], adjust: str, kind: str) -> None:
    if not periods:
        raise Refused(
            f"adjust={adjust} needs an index that is not loaded; an operator loads one with "
            f"`payband rates import FILE --kind {kind}`.",
            code="no_index_table",
            parameter="adjust",
        )


def _no_index(periods: Mapping[date, Any], adjust: str, wanted: str, form: str) -> Refused:
    return Refused(
        f"adjust={adjust}: there is no index of {wanted}; the indices are of "
        f"{min(periods).strftime(form)} to {max(periods).strftime(form)}.",
        code="no_index",
        parameter="adjust",
    )
