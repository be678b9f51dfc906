"""What the words in rows mean: looked up once for each distinct text, by the taxonomies in use."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, Final

import polars as pl

from app.domain.dates import Interval, parse_interval
from app.domain.folding import fold
from app.domain.nearest import nearest
from app.domain.places import BY_RULE, PlaceIndex
from app.domain.vocabulary import RECURRENCES, UNSPECIFIED
from app.ingest.fields import Kind, shortened
from app.taxonomies.catalogue import Catalogue
from app.taxonomies.matching import industry_index, level_index, place_index

FEW_WORDS: Final = 8
"""So many choices are all named, the nearest first."""

LONGEST_CODE: Final = 6
"""Characters: `US-CA`, `GB-LND`; what is longer was meant as a name."""

SPAN: Final = RECURRENCES["span"]


@dataclass(frozen=True)
class Meanings:
    """What rows of one import are judged by. `today` is the day in UTC."""

    kind: Kind
    catalogue: Catalogue
    today: date
    create_roles: bool = False
    admin: bool = False
    _suggested: dict[Hashable, str] = field(default_factory=dict)

    @cached_property
    def places(self) -> PlaceIndex:
        return place_index(self.catalogue)

    @cached_property
    def refused_sources(self) -> frozenset[int]:
        """Confidential sources, where what is asked is refused for them: a write report tells what
        is stored, which is for admins only."""
        if self.admin and self.kind == "salary" and not self.create_roles:
            return frozenset()
        return frozenset(source.id for source in self.catalogue.sources if source.confidential)

    @cached_property
    def span_sources(self) -> frozenset[int]:
        return frozenset(s.id for s in self.catalogue.sources if s.recurrence == SPAN)

    def source(self, code: str) -> int | None:
        found = self.catalogue.sources.find(code)
        return None if found is None else found.id

    def region(self, text: str) -> int | None:
        if text == UNSPECIFIED and self.kind == "demand":
            return 0
        code = self.places.match(text).code
        return None if code is None else self.catalogue.regions.get(code).id

    def is_doubtful_region(self, text: str) -> bool:
        """Whether several regions have that name, and the one taken is only the likeliest."""
        return self.places.match(text).confidence <= BY_RULE

    def level(self, word: str) -> int | None:
        return level_index(self.catalogue).get(fold(word))

    def industry(self, word: str) -> int | None:
        return industry_index(self.catalogue).get(fold(word))

    def role(self, code: str) -> int | None:
        found = self.catalogue.roles.find(code.lower())
        return None if found is None else found.id

    def explain_source(self, row: Mapping[str, Any]) -> tuple[str, str]:
        open_codes = [s.code for s in self.catalogue.sources if not s.confidential]
        message = self._unknown("source", row["source"], open_codes)
        return "unknown_source", f"{message} POST /v1/sources makes a new one."

    def explain_region(self, row: Mapping[str, Any]) -> tuple[str, str]:
        text = row["region"]
        match = self.places.match(text, fuzzy=True)
        if match.code is not None:
            found = f"'{shortened(text)}' is no known region; the nearest is {match.code}."
            return "unknown_region", found
        if "several" in match.why:
            return "ambiguous_region", f"'{shortened(text)}': {match.why}."
        return "unknown_region", self._unknown("region", text, self._region_words(text))

    def _region_words(self, text: str) -> Iterable[str]:
        """What a text that means no region may have been meant as: codes, or names with codes."""
        if len(text) <= LONGEST_CODE:
            return self.catalogue.regions.by_code
        return (f"{region.name} ({region.code})" for region in self.catalogue.regions)

    def explain_word(self, field_name: str, words: Iterable[str], text: str) -> tuple[str, str]:
        """The code `unknown_...` and a message naming the nearest of `words`."""
        return f"unknown_{field_name}", self._unknown(field_name, text, words)

    def _unknown(self, field_name: str, text: str, choices: Iterable[str]) -> str:
        """One look for each text: among thousands of codes it takes some milliseconds."""
        key = (field_name, text)
        if key not in self._suggested:
            usable = [choice for choice in choices if choice != UNSPECIFIED]
            count = len(usable) if len(usable) <= FEW_WORDS else 3
            near = ", ".join(nearest(text, usable, count))
            hint = f"; the nearest are: {near}." if near else "."
            self._suggested[key] = f"'{shortened(text)}' is no known {field_name}{hint}"
        return self._suggested[key]


def resolved(texts: pl.Series, find: Callable[[str], Any], dtype: type[pl.DataType]) -> pl.Series:
    """`find` of every distinct text, back in its rows; null where the text or its meaning is."""
    meanings = {text: find(text) for text in texts.drop_nulls().unique()}
    return replaced(texts, meanings, dtype)


def replaced(texts: pl.Series, meanings: Mapping[str, Any], dtype: type[pl.DataType]) -> pl.Series:
    """The meaning of each text; null where there is none."""
    if not meanings:
        return pl.repeat(None, len(texts), dtype=dtype(), eager=True)
    return texts.replace_strict(
        pl.Series(list(meanings), dtype=pl.String),
        pl.Series(list(meanings.values()), dtype=dtype),
        default=None,
        return_dtype=dtype,
    )


def intervals(texts: pl.Series) -> dict[str, Interval | str]:
    """The interval of each distinct text that is a date, or what is wrong with it."""
    found: dict[str, Interval | str] = {}
    for text in texts.drop_nulls().unique():
        try:
            found[text] = parse_interval(text)
        except ValueError as error:
            found[text] = str(error)
    return found
