"""Which currency codes are money today, which are gone, and what took their place.

ISO 4217 as pycountry lists it, loaded on first use. Gold, bond market units and test codes are
in that list too and are no pay.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from functools import cache
from types import MappingProxyType
from typing import Final

from app.domain.nearest import nearest

REPLACED_ON: Final[Mapping[str, date]] = MappingProxyType(
    {
        "SIT": date(2007, 1, 1),
        "CYP": date(2008, 1, 1),
        "MTL": date(2008, 1, 1),
        "SKK": date(2009, 1, 1),
        "EEK": date(2011, 1, 1),
        "LVL": date(2014, 1, 1),
        "LTL": date(2015, 1, 1),
        "HRK": date(2023, 1, 1),
        "BGN": date(2026, 1, 1),
    }
)
"""Currencies that the euro replaced while the ECB quoted them: accepted, at their last rate."""

_EURO_BEFORE_RATES: Final = "ADP ATS BEF DEM ESP FIM FRF GRD IEP ITL LUF NLG PTE XEU"
"""Gone into the euro without a daily ECB rate: refused, naming EUR."""

_REDENOMINATED: Final = """
AFA:AFN AOK:AOA AON:AOA AOR:AOA ARA:ARS ARL:ARS ARP:ARS AZM:AZN BGL:BGN BOP:BOB BRB:BRL BRC:BRL
BRE:BRL BRN:BRL BRR:BRL BYB:BYN BYR:BYN GHC:GHS HRD:HRK ILP:ILS ILR:ILS ISJ:ISK MGF:MGA MRO:MRU
MXP:MXN MZM:MZN NIC:NIO PEI:PEN PES:PEN PLZ:PLN ROL:RON RUR:RUB SDD:SDG SDP:SDG SLL:SLE STD:STN
SUR:RUB TJR:TJS TMM:TMT TRL:TRY UGS:UGX UYN:UYU UYP:UYU VEB:VES VEF:VES YUD:RSD YUM:RSD YUN:RSD
ZMK:ZMW ZRN:CDF ZRZ:CDF ZWD:ZWG ZWL:ZWG ZWN:ZWG ZWR:ZWG
"""
"""The same money counted in other units: an amount is off by the factor, so none is guessed."""

_CEASED: Final = "ANG:XCG CSD:RSD CSK:CZK CUC:CUP DDM:EUR ECS:USD GWP:XOF SRG:SRD UAK:UAH"

_IN_X: Final = frozenset({"XAF", "XCD", "XCG", "XDR", "XOF", "XPF"})
"""The codes beginning with X that are money; the others are metals, units of account and tests."""

_SHOWN: Final = 40


class Standing(Enum):
    """What a currency code is."""

    KNOWN = "known"
    REDENOMINATED = "redenominated"
    CEASED = "ceased"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CurrencyVerdict:
    """The verdict on one code: `code` in its ISO form, or as written where it is unknown."""

    code: str
    standing: Standing
    successor: str | None = None

    @property
    def known(self) -> bool:
        """Whether amounts in it are accepted."""
        return self.standing is Standing.KNOWN

    @property
    def nearest(self) -> tuple[str, ...]:
        """The codes to suggest: the successor, those that are part of the text, or similar ones.

        Looked up when asked for: a file may hold a million different wrong codes.
        """
        if self.standing is not Standing.UNKNOWN:
            return () if self.successor is None else (self.successor,)
        return _named_in(self.code) or tuple(nearest(self.code, sorted(known_currencies())))

    @property
    def message(self) -> str:
        """What is wrong and what to do; empty where it is known."""
        if self.standing is Standing.KNOWN:
            return ""
        if self.standing is Standing.UNKNOWN:
            return f"{self.code[:_SHOWN]!r} {self._reason()}"
        happened = {
            Standing.REDENOMINATED: "was redenominated",
            Standing.CEASED: "no longer exists",
        }
        remedy = f"convert the amount and state {self.successor}"
        return f"{self.code} {happened[self.standing]}: {remedy}"

    def _reason(self) -> str:
        if len(_named_in(self.code)) > 1:
            return f"is not one currency: state either {' or '.join(self.nearest)}"
        return f"is not an ISO 4217 currency code; nearest: {', '.join(self.nearest)}"


def judge_currency(text: str) -> CurrencyVerdict:
    """The verdict on a currency as written. Case and surrounding white space do not count."""
    code = text.strip().upper()
    if code in known_currencies():
        return CurrencyVerdict(code, Standing.KNOWN)
    if successor := _redenominated().get(code):
        return CurrencyVerdict(code, Standing.REDENOMINATED, successor)
    if successor := _ceased().get(code):
        return CurrencyVerdict(code, Standing.CEASED, successor)
    return CurrencyVerdict(text.strip(), Standing.UNKNOWN)


def judge_currencies(codes: Iterable[str]) -> dict[str, CurrencyVerdict]:
    """One verdict for each distinct code as written."""
    return {code: judge_currency(code) for code in set(codes)}


@cache
def known_currencies() -> frozenset[str]:
    """All codes that are accepted: ISO 4217 money, and what the euro replaced since 2007."""
    import pycountry

    listed = {currency.alpha_3 for currency in pycountry.currencies}
    money = {code for code in listed if not code.startswith("X") or code in _IN_X}
    return frozenset(money | REPLACED_ON.keys())


def _named_in(text: str) -> tuple[str, ...]:
    """At most three currencies whose codes are words of the text."""
    words = re.findall("[A-Z]+", text[:_SHOWN].upper())
    return tuple(dict.fromkeys(word for word in words if word in known_currencies()))[:3]


@cache
def _redenominated() -> dict[str, str]:
    return dict(word.split(":") for word in _REDENOMINATED.split())


@cache
def _ceased() -> dict[str, str]:
    replaced = dict(word.split(":") for word in _CEASED.split())
    return replaced | dict.fromkeys(_EURO_BEFORE_RATES.split(), "EUR")
