"""On what basis amounts are taken: bound, currency, pay period, adjustment, population."""

from dataclasses import dataclass
from typing import Any, Final

from pydantic import Field

from app.core.errors import UnknownValue
from app.core.formats import FORMAT_HELP
from app.domain.currencies import judge_currency
from app.domain.money import PERIODS_PER_YEAR
from app.statistics.adjust_parameter import parse_adjust
from app.statistics.filters import FilterParameters, Filters, check_words, split_codes

BOUNDS: Final = ("mid", "low", "high")
TRUTHS: Final = {"true": True, "false": False}
LIVE: Final = "live"
RELEASED: Final = "released"
POPULATIONS: Final = (LIVE, RELEASED)


class BasisParameters(FilterParameters):
    """What every answer about pay takes beside the filters."""

    bound: str = Field(default="mid", description="Of a range: mid, low or high.")
    currency: str | None = Field(
        default=None,
        description="Currency of the figures; default: the base currency. With the same paid_in, "
        "amounts stay as they were paid.",
        examples=["EUR"],
    )
    pay_period: str = Field(default="year", description=f"{', '.join(PERIODS_PER_YEAR)}.")
    adjust: str | None = Field(
        default=None,
        description="`price_parity`: at the prices of the whole country, by the record's region; "
        "`cpi:2024-01`: in the money of that month. Both, with a comma, multiply.",
        examples=["price_parity", "cpi:2024-01"],
    )
    exact: str = Field(
        default="false",
        description="`true`: exact figures only. Otherwise percentiles of all roles and very many "
        "records may be within 0.5 %: `meta.max_relative_error` says so.",
    )
    population: str = Field(
        default=LIVE,
        description="`live`: all public records; `released`: the newest release of confidential "
        "records, of the source that is named or of all.",
    )
    format: str | None = Field(default=None, description=FORMAT_HELP)


@dataclass(frozen=True, slots=True)
class Basis:
    """The basis of an answer, checked.

    `currency` None is the base currency; `adjust` has words of ADJUSTMENTS in their order, each
    at most once, so that equal questions are equal.
    """

    bound: str = "mid"
    currency: str | None = None
    pay_period: str = "year"
    adjust: tuple[str, ...] = ()
    exact: bool = False
    population: str = LIVE

    @property
    def is_released(self) -> bool:
        """Whether figures are those of a release."""
        return self.population == RELEASED

    def is_native(self, filters: Filters, base: str) -> bool:
        """Whether figures are of amounts as they were paid: `paid_in=X&currency=X`.

        X may be the base currency, which may also be left out of `currency`: what is stored in it
        is whole yearly amounts, and those of 25.49 an hour are not 25.49.
        """
        return filters.paid_in == (self.currency or base,)

    def echo(self) -> dict[str, Any]:
        """The basis as it is used, for `meta.query`."""
        return {"bound": self.bound, "adjust": list(self.adjust), "exact": self.exact}


def parse_basis(parameters: BasisParameters) -> Basis:
    """The basis, checked. Raises UnknownValue and Refused (422)."""
    check_words("bound", [parameters.bound], BOUNDS)
    check_words("pay_period", [parameters.pay_period], PERIODS_PER_YEAR)
    check_words("exact", [parameters.exact], TRUTHS)
    check_words("population", [parameters.population], POPULATIONS)
    return Basis(
        bound=parameters.bound,
        currency=parse_currency(parameters.currency),
        pay_period=parameters.pay_period,
        adjust=parse_adjust(parameters.adjust, released=parameters.population == RELEASED),
        exact=TRUTHS[parameters.exact],
        population=parameters.population,
    )


def parse_currency(text: str | None, parameter: str = "currency") -> str | None:
    """The currency's code; None for None. Raises UnknownValue (422) naming the nearest."""
    if text is None:
        return None
    split_codes(parameter, text)  # an empty value is refused like any other
    verdict = judge_currency(text)
    if not verdict.known:
        raise UnknownValue(
            f"{parameter}: {verdict.message}.",
            code="unknown_currency",
            parameter=parameter,
            nearest=list(verdict.nearest),
        )
    return verdict.code
