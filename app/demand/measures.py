"""The measures of demand statistics: one registry entry each."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from app.statistics.filters import split_codes
from app.statistics.measures import Measure, Unit, unknown_measure

MEASURES: Final[Mapping[str, Measure]] = MappingProxyType(
    {
        measure.name: measure
        for measure in (
            Measure(
                "openings_new",
                "New openings",
                Unit.OPENINGS,
                "Sum of the openings that records of measure new report; null without such.",
                "openings_new",
            ),
            Measure(
                "openings_open",
                "Open positions",
                Unit.OPENINGS,
                "Per source: openings of records of measure open / dates on which the source "
                "reported in the period (a date without the group counts as 0); added over "
                "sources; null without such.",
                "openings_open",
            ),
            Measure(
                "tightness",
                "Tightness",
                Unit.RATIO,
                "Openings / candidates, over the records that state candidates.",
                "tightness",
            ),
            Measure(
                "share",
                "Share",
                Unit.RATIO,
                "Share of all openings in the answer, shown or not: of open positions, in the "
                "row's period, where there are any, else of new openings (`meta.share_of`).",
                "share",
            ),
            Measure("count", "Records", Unit.RECORDS, "Demand records.", "count"),
        )
    }
)


def get_measure(name: str, parameter: str = "measures") -> Measure:
    """The measure of that name. Raises UnknownValue (422) naming the nearest."""
    if name not in MEASURES:
        raise unknown_measure(name, parameter, MEASURES, ", ".join(MEASURES))
    return MEASURES[name]


def parse_measures(text: str | None) -> tuple[Measure, ...]:
    """The measures asked, in that order and each once; all of them for None.

    Raises UnknownValue, and Refused for an empty value (422).
    """
    names = dict.fromkeys(split_codes("measures", text))
    return tuple(get_measure(name) for name in names) or tuple(MEASURES.values())
