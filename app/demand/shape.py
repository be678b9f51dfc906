"""Parameters of demand statistics, and what they ask for."""

from dataclasses import dataclass
from typing import Any

from pydantic import Field

from app.core.errors import Refused
from app.core.formats import FORMAT_HELP
from app.demand.measures import MEASURES, get_measure, parse_measures
from app.domain.vocabulary import MEASURES as RECORDED
from app.domain.vocabulary import UNSPECIFIED
from app.statistics.basis import POPULATIONS
from app.statistics.filters import FilterParameters, check_words, split_codes
from app.statistics.grouping import DIMENSIONS, Grouping, parse_grouping
from app.statistics.measures import Measure
from app.statistics.shape import DEFAULT_LIMIT, SortKey, TableParameters, parse_sort


class MeasureParameters(FilterParameters):
    """What every answer about demand takes beside its shape."""

    measure: str | None = Field(
        default=None,
        description="Only records of this measure: new (openings that appeared) or open (openings "
        "at a date).",
        examples=["open"],
    )
    population: str = Field(default="live", description="`live`: all public records.")
    format: str | None = Field(default=None, description=FORMAT_HELP)


class DemandParameters(MeasureParameters, TableParameters):
    """Parameters of demand statistics."""

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


@dataclass(frozen=True, slots=True)
class DemandShape:
    """The shape of demand statistics, checked.

    `dense` also gives the periods in which a group's sources reported on open positions without it.
    """

    grouping: Grouping
    measures: tuple[Measure, ...]
    sort: tuple[SortKey, ...] = ()
    limit: int = DEFAULT_LIMIT
    dense: bool = False

    def echo(self) -> dict[str, Any]:
        """The shape as it is used, for `meta.query`."""
        return {
            "group_by": self.grouping.names,
            "region_kind": self.grouping.region_kind,
            "measures": [measure.name for measure in self.measures],
            "sort": [str(key) for key in self.sort] or self.grouping.names,
            "limit": self.limit,
        }


def parse_measure(parameters: MeasureParameters) -> str | None:
    """Which records are asked for: new, open or None for both; checks the population as well.

    Raises UnknownValue and Refused (422).
    """
    check_words("population", [parameters.population], POPULATIONS)
    if parameters.population != "live":
        raise Refused(
            "Releases hold figures of pay, not of demand; leave population out.",
            code="not_in_release",
            parameter="population",
        )
    if parameters.measure is not None:
        split_codes("measure", parameters.measure)
        check_words("measure", [parameters.measure], [w for w in RECORDED if w != UNSPECIFIED])
    return parameters.measure


def parse_demand_shape(parameters: DemandParameters) -> DemandShape:
    """The shape, checked. Raises UnknownValue and Refused (422)."""
    grouping = parse_grouping(parameters.group_by, parameters.region_kind)
    return DemandShape(
        grouping=grouping,
        measures=parse_measures(parameters.measures),
        sort=parse_sort(parameters.sort, grouping, get_measure),
        limit=parameters.limit,
    )
