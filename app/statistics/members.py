"""The members of the dimensions in the order of rows, and what rows show of each.

The same order and the same columns as the SQL of `grouping`, from the taxonomies in memory.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from app.domain.periods import MONTHS, period_label
from app.domain.vocabulary import EMPLOYMENT_TYPES, PAY_KINDS, WORK_MODES
from app.statistics.grouping import Dimension
from app.taxonomies.catalogue import Catalogue, Entry

_VOCABULARIES: Final[Mapping[str, Mapping[str, int]]] = MappingProxyType(
    {
        "employment_type": EMPLOYMENT_TYPES,
        "work_mode": WORK_MODES,
        "pay_kind": PAY_KINDS,
    }
)


@dataclass(frozen=True, slots=True)
class Members:
    """Members in the order of rows: their ids, and a list for each column of the dimension.

    `unspecified`: whether the last one is the unspecified member, which stays last in any order.
    """

    ids: Sequence[int]
    columns: tuple[Sequence[Any], ...]
    unspecified: bool


def members_of(dimension: Dimension, catalogue: Catalogue) -> Members:
    """All members of a dimension that is no period."""
    words = _VOCABULARIES.get(dimension.name)
    build = (lambda: _of_taxonomy(dimension, catalogue)) if words is None else _of_words(words)
    return catalogue.derived(f"members of {dimension.name}", build)


def periods_between(interval: str, first: int, last: int) -> Members:
    """The periods with those numbers and all between: ids count from 0."""
    numbers = range(first, last + 1)
    labels = [period_label(number, interval) for number in numbers]
    return Members(range(len(numbers)), (labels,), unspecified=False)


def is_period(dimension: Dimension) -> bool:
    """Whether the dimension divides time."""
    return dimension.name in MONTHS


def _of_taxonomy(dimension: Dimension, catalogue: Catalogue) -> Members:
    entries: list[Entry] = sorted(getattr(catalogue, str(dimension.taxonomy)), key=_place)
    names = [name.removeprefix(f"{dimension.name}_") for name in dimension.columns]
    names[0] = "code"
    columns = tuple([getattr(entry, name) for entry in entries] for name in names)
    return Members([entry.id for entry in entries], columns, unspecified=_is_last(entries))


def _place(entry: Entry) -> tuple[bool, int, bytes]:
    return entry.id == 0, getattr(entry, "rank", 0), entry.code.encode()


def _is_last(entries: Sequence[Entry]) -> bool:
    return bool(entries) and entries[-1].id == 0


def _of_words(words: Mapping[str, int]) -> Callable[[], Members]:
    def build() -> Members:
        ordered = sorted(words, key=lambda word: (words[word] == 0, words[word]))
        return Members([words[word] for word in ordered], (ordered,), unspecified=True)

    return build
