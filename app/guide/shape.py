"""Parameters of a guide, and what they ask for."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from pydantic import Field

from app.core.errors import UnknownParameter
from app.domain.dates import last_window
from app.statistics.bands import MAX_STEP, BandsParameters, BandsShape, parse_bands
from app.statistics.basis import RELEASED, BasisParameters
from app.statistics.filters import Filters, check_words, split_codes
from app.statistics.grouping import REGION_KINDS, Grouping, parse_grouping

SECTIONS: Final = (
    "overall",
    "bands",
    "regions",
    "industries",
    "titles",
    "skills",
    "work_modes",
    "trend",
    "benchmarks",
)
"""The tables of a guide, in order."""

USUAL_WINDOW: Final = "3y"
"""Calendar years, the current one included: so that years can be compared with each other."""
RELEASED_REGIONS: Final = "metro"
DEFAULT_ROWS: Final = 10
MAX_ROWS: Final = 1_000


class GuideParameters(BasisParameters):
    """Parameters of a guide."""

    role: str | None = Field(
        default=None, description="Not here: the role of a guide is in its address."
    )
    last: str | None = Field(
        default=None,
        description="Instead of from and to: the last 12m, 4q or 2y (UTC), the current included. "
        f"Without any of the three: {USUAL_WINDOW}; of a release, all of it.",
        examples=["3y"],
    )
    section: str | None = Field(
        default=None,
        description=f"One table of the guide, in any format: {', '.join(SECTIONS)}. Left out, all "
        "of them in one JSON document.",
        examples=["bands"],
    )
    low: str = Field(default="p25", description="The percentile at the lower end of bands.")
    high: str = Field(default="p75", description="The percentile at the upper end of bands.")
    step: float | None = Field(
        default=None,
        ge=1,
        le=MAX_STEP,
        allow_inf_nan=False,
        description="What the ends of bands are rounded to; left out: 5000 a year, and so on, as "
        "in pay bands.",
        examples=[5000],
    )
    region_kind: str | None = Field(
        default=None,
        description=f"Lift the regions that pay most to {', '.join(REGION_KINDS)}; left out, they "
        f"are as recorded, of a release {RELEASED_REGIONS}.",
        examples=["metro"],
    )
    limit: int = Field(
        default=DEFAULT_ROWS, ge=1, le=MAX_ROWS, description="Most rows of each section."
    )


@dataclass(frozen=True, slots=True)
class GuideShape:
    """The shape of a guide, checked. `section` None is all of them."""

    section: str | None
    bands: BandsShape
    regions: Grouping
    limit: int

    @property
    def sections(self) -> tuple[str, ...]:
        """The sections that are asked for."""
        return SECTIONS if self.section is None else (self.section,)

    def echo(self) -> dict[str, Any]:
        """The shape as it is used, for `meta.query`."""
        return {
            "section": self.section,
            "low": self.bands.low.name,
            "high": self.bands.high.name,
            "step": self.bands.step,
            "region_kind": self.regions.region_kind,
            "limit": self.limit,
        }


def parse_guide_shape(parameters: GuideParameters) -> GuideShape:
    """The shape, checked. Raises UnknownParameter, UnknownValue and Refused (422)."""
    if parameters.role is not None:
        raise UnknownParameter(
            "The role of a guide is in its address: /v1/roles/{role}/guide. Leave role out.",
            parameter="role",
            nearest=[],
        )
    if parameters.section is not None:
        split_codes("section", parameters.section)  # an empty value is refused like any other
        check_words("section", [parameters.section], SECTIONS)
    asked = BandsParameters(
        group_by="level",
        low=parameters.low,
        high=parameters.high,
        step=parameters.step,
        pay_period=parameters.pay_period,
        population=parameters.population,
    )
    released = parameters.population == RELEASED
    kind = parameters.region_kind or (RELEASED_REGIONS if released else None)
    regions = parse_grouping("region", kind, released=released)
    return GuideShape(parameters.section, parse_bands(asked), regions, parameters.limit)


def with_usual_window(filters: Filters, today: date, *, released: bool) -> Filters:
    """The filters of a guide: the last calendar years where no window was asked for."""
    if released or not filters.window.is_open:
        return filters
    return replace(filters, window=last_window(USUAL_WINDOW, today), last=USUAL_WINDOW)
