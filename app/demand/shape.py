"""Parameters of demand statistics, and what they ask for."""

from dataclasses import dataclass
from typing import Any

from pydantic import Field

from app.demand.measures import MEASURES, get_measure, parse_measures
from app.domain.vocabulary import MEASURES as RECORDED
from app.domain.vocabulary import UNSPECIFIED
from app.statistics.basis import check_population
from app.statistics.filters import FilterParameters, check_words, split_codes
from app.statistics.grouping import DIMENSIONS, Grouping, parse_grouping
from app.statistics.measures import Measure
from app.statistics.shape import SortKey, TableParameters, parse_sort


class DemandParameters(FilterParameters, TableParameters):
    """Parameters of demand statistics."""

    measure: str | None = Field(
        default=None,
        description="Only records of this measure: new (openings that appeared) or open (openings "
        "at a date).",
        examples=["open"],
    )
    group_by: str = Field(
        default="region",
        description=f"Up to 4 of {', '.join(DIMENSIONS)}; `none` for one row over everything.",
        examples=["region,year"],
    )
    measures: str | None = Field(
        default=None,
        description=f"Figures: {', '.join(MEASURES)}; all where left out.",
        examples=["openings_open"],
    )
    population: str = Field(default="live", description="`live`: all public records.")
    format: str | None = Field(
        default=None, description="json, csv or ndjson; left out, the Accept header decides."
    )


@dataclass(frozen=True, slots=True)
class DemandShape:
    """The shape of demand statistics, checked. `measure` is new, open or None for both."""

    grouping: Grouping
    measures: tuple[Measure, ...]
    measure: str | None
    sort: tuple[SortKey, ...]
    limit: int

    def echo(self) -> dict[str, Any]:
        """The shape as it is used, for `meta.query`."""
        return {
            "measure": self.measure,
            "group_by": self.grouping.names,
            "region_kind": self.grouping.region_kind,
            "measures": [measure.name for measure in self.measures],
            "sort": [str(key) for key in self.sort] or self.grouping.names,
            "limit": self.limit,
        }


def parse_demand_shape(parameters: DemandParameters) -> DemandShape:
    """The shape, checked. Raises UnknownValue and Refused (422)."""
    grouping = parse_grouping(parameters.group_by, parameters.region_kind)
    check_population(parameters.population)
    if parameters.measure is not None:
        split_codes("measure", parameters.measure)
        check_words("measure", [parameters.measure], [w for w in RECORDED if w != UNSPECIFIED])
    return DemandShape(
        grouping=grouping,
        measures=parse_measures(parameters.measures),
        measure=parameters.measure,
        sort=parse_sort(parameters.sort, grouping, get_measure),
        limit=parameters.limit,
    )
