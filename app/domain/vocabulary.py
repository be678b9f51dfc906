"""The closed vocabularies: words as clients write them, and the small integers that are stored.

Code 0 is `unspecified` wherever 'not stated' makes sense. Codes are never reused.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final


def _codes(*words: str) -> Mapping[str, int]:
    return MappingProxyType({word: code for code, word in enumerate(words)})


UNSPECIFIED: Final = "unspecified"

EMPLOYMENT_TYPES: Final = _codes(UNSPECIFIED, "full_time", "part_time", "contract", "internship")
WORK_MODES: Final = _codes(UNSPECIFIED, "onsite", "hybrid", "remote")
PAY_KINDS: Final = _codes(UNSPECIFIED, "base", "total")
PAY_PERIODS: Final = _codes(UNSPECIFIED, "year", "month", "fortnight", "week", "day", "hour")
PRECISIONS: Final = _codes(UNSPECIFIED, "day", "month", "year")
MEASURES: Final = _codes(UNSPECIFIED, "new", "open")
HASHED: Final = "hash:"
"""In a file before the 16 hexadecimal digits of an employer's key, where the name is not known."""
REGION_KINDS: Final = _codes(UNSPECIFIED, "country", "subdivision", "metro")
SOURCE_KINDS: Final = _codes(UNSPECIFIED, "reported", "posted", "official")
RECURRENCES: Final = _codes(UNSPECIFIED, "replace", "span")
INDEX_KINDS: Final = _codes(UNSPECIFIED, "parity", "cpi")
RECORD_KINDS: Final = _codes(UNSPECIFIED, "salary", "demand", "benchmark")


def word_of(codes: Mapping[str, int], code: int) -> str:
    """The word stored as `code`. Raises KeyError for a code that was never given."""
    for word, candidate in codes.items():
        if candidate == code:
            return word
    raise KeyError(code)
