"""The parameter `adjust`: what amounts can be adjusted by, and how that is written."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from app.core.errors import Refused
from app.statistics.filters import check_words, split_codes

PRICE_PARITY: Final = "price_parity"
CONSUMER_PRICES: Final = "cpi"
ADJUSTMENTS: Final[Mapping[str, str]] = MappingProxyType(
    {PRICE_PARITY: PRICE_PARITY, CONSUMER_PRICES: f"{CONSUMER_PRICES}:YYYY-MM"}
)
"""What amounts can be adjusted by, and how that is written."""

_WRITTEN: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType(
    {
        PRICE_PARITY: re.compile(PRICE_PARITY),
        CONSUMER_PRICES: re.compile(rf"{CONSUMER_PRICES}:(?!0000)[0-9]{{4}}-(0[1-9]|1[0-2])"),
    }
)


def parse_adjust(text: str | None, *, released: bool = False) -> tuple[str, ...]:
    """The adjustments asked for, in the order of ADJUSTMENTS; () for None.

    Raises UnknownValue naming the nearest; Refused for a month that is none, for one that is given
    twice, and for any of figures that are `released` (422).
    """
    words = split_codes("adjust", text)
    kinds = [word.partition(":")[0] for word in words]
    check_words("adjust", kinds, ADJUSTMENTS)
    for word, kind in zip(words, kinds, strict=True):
        if not _WRITTEN[kind].fullmatch(word):
            raise _invalid(f"{word[:40]!r} is no adjustment, it is written {ADJUSTMENTS[kind]}")
    if len(set(kinds)) < len(kinds):
        raise _invalid("each adjustment can be given once")
    if words and released:
        raise Refused(
            "A release holds rounded figures of unadjusted amounts, which cannot be adjusted "
            "afterwards; leave adjust out.",
            code="not_in_release",
            parameter="adjust",
        )
    order = list(ADJUSTMENTS)
    return tuple(sorted(words, key=lambda word: order.index(word.partition(":")[0])))


def _invalid(what: str) -> Refused:
    return Refused(
        f"adjust: {what}; an example is adjust=price_parity,cpi:2024-01.",
        code="invalid_adjust",
        parameter="adjust",
    )
