"""Parameters of the market, and what they ask for."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from pydantic import Field

from app.core.errors import Refused
from app.demand.measures import MEASURES as DEMAND_MEASURES
from app.domain.periods import MONTHS
from app.statistics.basis import RELEASED, BasisParameters
from app.statistics.filters import split_codes
from app.statistics.grouping import DIMENSIONS, Grouping, parse_grouping
from app.statistics.measures import MEASURES, Measure, Unit, unknown_measure
from app.statistics.shape import DEFAULT_LIMIT, SortKey, TableParameters, parse_sort
from app.statistics.trend import CHANGES

SHARED_DIMENSIONS: Final = tuple(
    name
    for name, dimension in DIMENSIONS.items()
    if name in MONTHS or (dimension.in_demand and name != "source")
)
"""What both pay and demand are divided by. A source holds one of them, as a rule."""

PAY: Final = tuple(MEASURES[name] for name in ("count", "p50", "p50_low", "p50_high", "quality"))
DEMAND: Final = tuple(
    DEMAND_MEASURES[name] for name in ("openings_new", "openings_open", "tightness")
)
CHANGE: Final = Measure(
    "change_year",
    CHANGES["change_year"].title,
    Unit.RATIO,
    "p50 / p50 of the same group in the window (or period) a year before, less 1.",
    "",
)
DEMAND_SHARE: Final = Measure(
    "demand_share",
    "Share of demand",
    Unit.RATIO,
    DEMAND_MEASURES["share"].how.replace("meta.share_of", "meta.demand.share_of"),
    "",
)
DEMAND_RECORDS: Final = Measure(
    "demand_records", "Demand records", Unit.RECORDS, DEMAND_MEASURES["count"].how, ""
)
MARKET: Final[Mapping[str, Measure]] = MappingProxyType(
    {m.name: m for m in (*PAY, CHANGE, *DEMAND, DEMAND_SHARE, DEMAND_RECORDS)}
)
"""The figures of a row, in order."""


class MarketParameters(BasisParameters, TableParameters):
    """Parameters of the market."""

    group_by: str = Field(
        default="region",
        description=f"Up to 4 of {', '.join(SHARED_DIMENSIONS)}; `none` for one row over "
        "everything.",
        examples=["role,level"],
    )
    measures: str | None = Field(
        default=None,
        description=f"Figures: {', '.join(MARKET)}; all where left out.",
        examples=["p50,openings_open"],
    )


@dataclass(frozen=True, slots=True)
class MarketShape:
    """The shape of a market, checked. `measures` are the figures of a row, in order."""

    grouping: Grouping
    measures: tuple[Measure, ...]
    sort: tuple[SortKey, ...] = ()
    limit: int = DEFAULT_LIMIT

    @property
    def pay(self) -> tuple[Measure, ...]:
        """The figures of pay that rows are made and sorted with."""
        needed = {"count", "p50", *(m.name for m in self.measures), *(k.name for k in self.sort)}
        return tuple(measure for measure in PAY if measure.name in needed)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the rows, in order."""
        return (*self.grouping.columns, *(measure.name for measure in self.measures), "status")

    def echo(self) -> dict[str, Any]:
        """The shape as it is used, for `meta.query`."""
        return {
            "group_by": self.grouping.names,
            "region_kind": self.grouping.region_kind,
            "measures": [measure.name for measure in self.measures],
            "sort": [str(key) for key in self.sort] or self.grouping.names,
            "limit": self.limit,
        }


def market_measures(*, released: bool) -> dict[str, Measure]:
    """The figures that a row can have; some of pay are not in a release."""
    missing = {measure.name for measure in PAY if released and not measure.released}
    return {name: measure for name, measure in MARKET.items() if name not in missing}


def parse_market_shape(parameters: MarketParameters) -> MarketShape:
    """The shape, checked. Raises UnknownValue and Refused (422)."""
    released = parameters.population == RELEASED
    grouping = parse_grouping(parameters.group_by, parameters.region_kind, released=released)
    apart = [item.name for item in grouping.dimensions if item.name not in SHARED_DIMENSIONS]
    if apart:
        raise Refused(
            f"group_by={apart[0]}: pay and demand do not share it. Possible: "
            f"{', '.join(SHARED_DIMENSIONS)}.",
            code="invalid_grouping",
            parameter="group_by",
            nearest=list(SHARED_DIMENSIONS),
        )
    known = market_measures(released=released)

    def find(name: str, parameter: str) -> Measure:
        if name not in known:
            raise unknown_measure(name, parameter, known, ", ".join(known))
        return known[name]

    names = dict.fromkeys(split_codes("measures", parameters.measures))
    return MarketShape(
        grouping,
        tuple(find(name, "measures") for name in names) or tuple(known.values()),
        parse_sort(parameters.sort, grouping, find),
        parameters.limit,
    )
