"""Region texts ('US-CA', 'USA', '41860', 'San Francisco, CA', 'Deutschland') to region codes.

Every stage but the last is a dictionary lookup. A text that names several regions is settled by a
fixed rule, given in `why`, or not at all: a record under the wrong region is worse than one whose
region has to be written more clearly.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from app.domain.folding import fold

MAX_PLACE_LENGTH = 200

CODE: Final = 1.0
ONLY_ONE: Final = 0.95
QUALIFIED: Final = 0.9
PARSED: Final = 0.85  # the first city of a list of cities, or a text without commas
BY_RULE: Final = 0.7
FUZZY: Final = 0.9  # times the similarity
FUZZY_THRESHOLD: Final = 0.82
COARSER: Final = 0.5

_WIDEST_FIRST: Final = ("country", "subdivision", "metro")
_SEPARATORS = re.compile(r"[,;()|]|\s[-\u2013\u2014]\s")
_DROPPED = re.compile(r"[.'\u2019`*\[\]]")
_SPACED = re.compile(r"[-\u2010-\u2014_/]")
_AREA = re.compile(r"^(?:the )?(?:greater )?(.+?)(?: (?:metropolitan|metro|city))?(?: area)?$")
_NO_PLACE = frozenset({"remote", "hybrid", "onsite", "anywhere"})


@dataclass(frozen=True, slots=True)
class Place:
    """A region: `kind` country, subdivision or metro; `parent` the code of the next wider one."""

    code: str
    name: str
    kind: str
    parent: str | None = None
    aliases: tuple[str, ...] = ()
    cbsa: str | None = None
    alpha3: str | None = None


@dataclass(frozen=True, slots=True)
class PlaceMatch:
    """The region a text means (None: none, or undecidable), confidence 0 to 1, and the reason."""

    code: str | None
    confidence: float
    why: str


def fold_place(text: str) -> str:
    """The key a name is looked up by: case, accents, periods and hyphens do not matter."""
    folded = _DROPPED.sub("", fold(text[:MAX_PLACE_LENGTH]))
    return " ".join(_SPACED.sub(" ", folded).replace("&", " and ").split())


class PlaceIndex:
    """Finds regions by code, name, alias, or a name with what it lies in. Immutable."""

    def __init__(self, places: Iterable[Place]) -> None:
        """`places` in any order; a parent that is not among them ends the chain."""
        self._places = {place.code: place for place in places if place.kind in _WIDEST_FIRST}
        self._codes: dict[str, tuple[str, str]] = {}
        self._names: dict[str, list[str]] = {}
        self._aliases: dict[str, list[str]] = {}
        self._endings: dict[str, list[str]] = {}
        for place in self._places.values():
            self._enter(place)
        # Codes last, so that 'CHE' is Switzerland whatever else ends in it.
        for place in self._places.values():
            self._codes[place.code.casefold()] = (place.code, "the code of")

    def _enter(self, place: Place) -> None:
        if place.cbsa:
            self._codes.setdefault(place.cbsa.casefold(), (place.code, "the CBSA code of"))
        if place.alpha3:
            self._codes[place.alpha3.casefold()] = (place.code, "the alpha-3 code of")
        _add(self._names, fold_place(place.name), place.code)
        for alias in place.aliases:
            _add(self._aliases, fold_place(alias), place.code)
        if place.kind == "subdivision":
            _add(self._endings, place.code.partition("-")[2].casefold(), place.code)

    def match(self, text: str, *, fuzzy: bool = False) -> PlaceMatch:
        """The region that `text` means. Never raises.

        `fuzzy` adds similar spellings and, for a place that is not known inside one that is, the
        wider one: meant for a person who sees the answer, not for imports.
        """
        text = text[:MAX_PLACE_LENGTH]
        code, says = self._codes.get(fold(text).replace("_", "-"), (None, ""))
        if code is not None:
            return PlaceMatch(code, CODE, f"{says} {self._label(code)}")
        whole = fold_place(text)
        if not whole:
            return PlaceMatch(None, 0.0, "the text is empty")
        found = self._by_name(whole) or self._qualified(text) or self._parsed(text)
        if (found is None or found.code is None) and fuzzy:
            found = self._fuzzy(whole, text) or found
        return found or PlaceMatch(None, 0.0, "no region has this code, name or alias")

    def _by_name(self, key: str) -> PlaceMatch | None:
        """An alias says what a text means, so it comes before the regions named like it."""
        named = self._names.get(key, [])
        aliased = self._aliases.get(key, [])
        return self._settled(aliased, named, "alias") or self._settled(named, aliased, "name")

    def _settled(self, codes: Sequence[str], others: Sequence[str], says: str) -> PlaceMatch | None:
        """The only one of `codes`, else of the widest kind that has only one, else undecided."""
        if not codes:
            return None
        beside = [code for code in others if code not in codes]
        if len(codes) == 1:
            why = f"the {says} of {self._label(codes[0])}{self._besides(beside)}"
            return PlaceMatch(codes[0], BY_RULE if beside else ONLY_ONE, why)
        for kind in _WIDEST_FIRST:
            widest = self._outermost([c for c in codes if self._places[c].kind == kind])
            if len(widest) == 1:
                rest = [code for code in (*codes, *beside) if code != widest[0]]
                why = f"country before subdivision before metro: {self._label(widest[0])}"
                return PlaceMatch(widest[0], BY_RULE, f"{why}{self._besides(rest)}")
        choice = ", ".join(self._label(code) for code in codes[:5])
        return PlaceMatch(None, 0.0, f"several regions have this {says}, add a country: {choice}")

    def _qualified(self, text: str) -> PlaceMatch | None:
        """'Austin, Texas, USA': each part lies inside what the parts after it mean."""
        return self._inside(_parts(text), QUALIFIED)

    def _inside(self, parts: Sequence[str], confidence: float) -> PlaceMatch | None:
        if not parts:
            return None
        if len(parts) == 1:
            return self._by_name(parts[0]) or self._by_code(parts[0])
        scopes = self._meanings(parts[-1])
        codes: list[str] = []
        for part in reversed(parts[:-1]):
            codes = self._within(part, scopes)
            scopes = codes
        if not codes:
            return None
        claimed = [code for code in codes if code in self._aliases.get(parts[0], ())]
        chosen = self._settled(claimed or codes, codes, "name or alias")
        if chosen is None or chosen.code is None:
            return chosen
        return PlaceMatch(chosen.code, min(chosen.confidence, confidence), f"{chosen.why}, inside "
                          f"'{parts[-1]}'")  # fmt: skip

    def _by_code(self, part: str) -> PlaceMatch | None:
        code, says = self._codes.get(part.replace(" ", "-"), (None, ""))
        return None if code is None else PlaceMatch(code, CODE, f"{says} {self._label(code)}")

    def _meanings(self, part: str) -> list[str]:
        """All regions that a part may mean; 'CA' is Canada and every subdivision '..-CA'."""
        code, _ = self._codes.get(part.replace(" ", "-"), (None, ""))
        codes = [] if code is None else [code]
        for entries in (self._names, self._aliases, self._endings):
            codes.extend(entries.get(part, ()))
        return list(dict.fromkeys(codes))

    def _within(self, part: str, scopes: Sequence[str]) -> list[str]:
        """Meanings of `part` under one of `scopes`; a scope itself only where nothing is under."""
        meanings = self._meanings(part)
        known = set(scopes)
        under = [code for code in meanings if any(up in known for up in self._above(code))]
        return under or [code for code in meanings if code in known]

    def _parsed(self, text: str) -> PlaceMatch | None:
        """CBSA titles ('Portland-Vancouver-Hillsboro, OR-WA'), 'Austin TX', 'Greater Seattle'."""
        pieces = [_SPACED.split(piece)[0] for piece in text.split(",")]
        if len(pieces) == 2 and len(_SPACED.split(text)) > 1:
            found = self._inside([fold_place(piece) for piece in pieces], PARSED)
            if found is not None:
                return found
        parts = _parts(text)
        if len(parts) != 1:
            return None
        first, _, last = parts[0].rpartition(" ")
        return (self._inside([first, last], PARSED) if first else None) or self._area(parts[0])

    def _area(self, part: str) -> PlaceMatch | None:
        found = _AREA.match(part)
        if found is None or found[1] == part:
            return None
        codes = self._meanings(found[1])
        metros = [code for code in codes if self._places[code].kind == "metro"]
        return self._settled(metros or codes, (), "name")

    def _fuzzy(self, whole: str, text: str) -> PlaceMatch | None:
        from rapidfuzz import fuzz, process

        keys = [*self._names, *(key for key in self._aliases if key not in self._names)]
        close = process.extractOne(
            whole, keys, scorer=fuzz.ratio, score_cutoff=100 * FUZZY_THRESHOLD
        )
        if close is not None:
            found = self._by_name(close[0])
            if found is not None and found.code is not None:
                confidence = round(min(found.confidence, FUZZY) * close[1] / 100, 3)
                return PlaceMatch(found.code, confidence, f"spelled like '{close[0]}', {found.why}")
        return self._coarser(_parts(text))

    def _coarser(self, parts: Sequence[str]) -> PlaceMatch | None:
        """The wider region of a place that is not known: 'Bakersfield, California'.

        Not of 'Cambridge, MA', which could be in Morocco.
        """
        for start in range(1, len(parts)):
            if start == len(parts) - 1 and len(self._meanings(parts[start])) > 1:
                return None
            found = self._inside(parts[start:], COARSER)
            if found is not None and found.code is not None:
                why = f"'{parts[0]}' is not known, what it lies in is: {found.why}"
                return PlaceMatch(found.code, min(found.confidence, COARSER), why)
        return None

    def _above(self, code: str) -> list[str]:
        """The regions that `code` lies in, nearest first, itself left out."""
        above: list[str] = []
        parent = self._places[code].parent
        while parent is not None and parent in self._places and parent not in above:
            above.append(parent)
            parent = self._places[parent].parent
        return above

    def _outermost(self, codes: Sequence[str]) -> list[str]:
        return [code for code in codes if not any(up in codes for up in self._above(code))]

    def _label(self, code: str) -> str:
        return f"{self._places[code].name} ({code})"

    def _besides(self, codes: Sequence[str]) -> str:
        if not codes:
            return ""
        return f"; also called so: {', '.join(self._label(code) for code in codes[:5])}"


def _add(entries: dict[str, list[str]], key: str, code: str) -> None:
    if key and code not in entries.setdefault(key, []):
        entries[key].append(code)


def _parts(text: str) -> list[str]:
    """The parts of 'Austin (Texas) - USA' as keys, without words such as 'Remote'."""
    keys = [fold_place(part) for part in _SEPARATORS.split(text)]
    return [key for key in keys if key and key not in _NO_PLACE]
