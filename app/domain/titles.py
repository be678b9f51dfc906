"""Job titles: which role, level and focus area one means, and how sure that is.

The order is fixed: an exact alias, then the same words, then the spelling corrected. A wrong match
is worse than none, so a word that is spelled like any known word is never taken for a typo: 'Data
Specialist' cannot become 'Data Scientist'.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from app.domain.title_words import (
    LevelWord,
    Phrases,
    TitleReader,
    TitleWords,
    bracketed,
    fold_title,
    head_segment,
)
from app.domain.vocabulary import UNSPECIFIED

CACHED_TITLES = 8_192

# How sure each way is. Measured with the seeded aliases on the 290 titles of the ai-jobs data with
# one random letter dropped, added, changed or swapped (2,775 tries): 67 % were corrected to the
# right role, none to a wrong one, and 5 became another known title ('ApI Developer'). Of the 854
# occupation titles of OEWS 40 matched, each to a role with that occupation's SOC code.
EXACT: Final = 1.0
SAME_WORDS: Final = 0.95
SAME_WORDS_OTHER_ORDER: Final = 0.9
WITHOUT_QUALIFIERS: Final = 0.85
HEAD_SEGMENT: Final = 0.8
CORRECTED: Final = 0.9  # times the similarity

FUZZY_THRESHOLD: Final = 0.87
"""Least similarity of a title to its corrected spelling, 1 - edits / length of the longer one: in
shorter titles one letter more often makes another word."""

SHORTEST_CORRECTED = 5  # 'ai', 'bi', 'ui', 'qa', 'java', 'lead': one letter makes another word
LENGTH_FOR_TWO_EDITS = 12


@dataclass(frozen=True, slots=True)
class TitleAlias:
    """What one title means. `level` UNSPECIFIED: the title itself says nothing of seniority."""

    text: str
    role: str
    level: str = UNSPECIFIED
    focus_area: str | None = None


@dataclass(frozen=True, slots=True)
class TitleMatch:
    """A title's meaning. `method`: exact, words, fuzzy or none; `confidence` 0 (none) to 1."""

    role: str
    level: str
    focus_area: str | None
    confidence: float
    method: str
    why: str


@dataclass(frozen=True, slots=True)
class _Reading:
    """A title as words: those of the role, with the seniority words taken off and kept."""

    words: tuple[str, ...]
    dropped: tuple[LevelWord, ...]


class TitleMatcher:
    """Matches titles to the aliases it was built from. Immutable; safe to share."""

    def __init__(
        self,
        aliases: Iterable[TitleAlias],
        level_words: Iterable[LevelWord],
        vocabulary: TitleWords | None = None,
    ) -> None:
        """The first of two aliases with the same words wins; orders that clash are left out."""
        vocabulary = vocabulary or TitleWords()
        self._reader = TitleReader(vocabulary)
        self._qualifiers = vocabulary.qualifiers
        self._directing = vocabulary.directing
        self._levels = {
            word.text: word for word in level_words if word.text not in vocabulary.column_levels
        }
        self._level_phrases = Phrases({text: text for text in self._levels})
        self._exact: dict[str, TitleAlias] = {}
        self._by_words: dict[tuple[str, ...], TitleAlias] = {}
        for alias in aliases:
            folded = fold_title(alias.text)
            self._exact.setdefault(folded, alias)
            words = tuple(self._reader.words(folded))
            if words:
                self._by_words.setdefault(words, alias)
        self._by_order = _unambiguous(
            (tuple(sorted(words)), alias) for words, alias in self._by_words.items()
        )
        self._by_letters = _unambiguous(
            ("".join(words), alias) for words, alias in self._by_words.items() if len(words) > 1
        )
        self._known = self._known_words()
        self._long_words = sorted(word for word in self._known if len(word) >= SHORTEST_CORRECTED)
        self._match = lru_cache(maxsize=CACHED_TITLES)(self._match_folded)

    def match(self, title: str) -> TitleMatch:
        """The role, level and focus area of `title`. Never raises; cached per folded title."""
        return self._match(fold_title(title))

    def _known_words(self) -> frozenset[str]:
        known = {word for words in self._by_words for word in words} | set(self._qualifiers)
        known.update(word for text in self._levels for word in text.split())
        return frozenset(known)

    def _match_folded(self, folded: str) -> TitleMatch:
        alias = self._exact.get(folded)
        if alias is not None:
            why = f"exactly the alias '{alias.text}'"
            return _matched(alias, alias.level, EXACT, "exact", why)
        words = self._reader.words(folded)
        remarks = self._remark_levels(folded)
        return (
            self._match_words(words, remarks)
            or self._match_remark(folded, remarks)
            or self._match_head(folded, remarks)
            or self._match_corrected(words, remarks)
            or self._unmatched(words, remarks)
        )

    def _remark_levels(self, folded: str) -> tuple[LevelWord, ...]:
        """Levels that stand in brackets by themselves: '(Senior)', but not '(Lead Generation)'."""
        if not bracketed(folded):
            return ()
        found: list[LevelWord] = []
        for words in self._reader.remarks(folded):
            texts = [text for _, text in self._level_phrases.spans(words)]
            if None not in texts and self._directing.isdisjoint(words):
                found.extend(self._levels[text] for text in texts if text)
        return tuple(found)

    def _match_words(
        self, words: Sequence[str], remarks: tuple[LevelWord, ...] = ()
    ) -> TitleMatch | None:
        readings = self._readings(words, remarks)
        for reading in readings:
            alias = self._by_words.get(reading.words) or self._by_letters.get(
                "".join(reading.words)
            )
            if alias is not None:
                return self._from_words(alias, reading, SAME_WORDS, "the words of")
        for reading in readings:
            alias = self._by_order.get(tuple(sorted(reading.words)))
            if alias is not None:
                return self._from_words(
                    alias, reading, SAME_WORDS_OTHER_ORDER, "in another order the words of"
                )
        return self._match_unqualified(readings)

    def _match_unqualified(self, readings: Sequence[_Reading]) -> TitleMatch | None:
        """Without qualifiers at the ends, as few as possible; one inside changes the work.

        Two words have to remain: 'Azure Manager' is not just any manager.
        """
        for reading in readings:
            words = reading.words
            for start, stop in _cuts([word in self._qualifiers for word in words]):
                alias = self._by_words.get(words[start:stop]) if stop - start >= 2 else None
                if alias is not None:
                    ignored = " ".join((*words[:start], *words[stop:]))
                    how = f"apart from '{ignored}' the words of"
                    return self._from_words(alias, reading, WITHOUT_QUALIFIERS, how)
        return None

    def _match_remark(self, folded: str, remarks: tuple[LevelWord, ...]) -> TitleMatch | None:
        if not bracketed(folded):
            return None
        return self._match_words(self._reader.words(folded, with_brackets=True), remarks)

    def _match_head(self, folded: str, remarks: tuple[LevelWord, ...]) -> TitleMatch | None:
        """What stands before a comma or dash, unless what follows is another role."""
        head, tail = head_segment(folded)
        if not tail:
            return None
        words = self._reader.words(head)
        found = self._match_words(words, remarks)
        other = self._match_words(self._reader.words(tail))
        if found is None or len(words) < 2 or (other is not None and other.role != found.role):
            return None
        why = f"before its first break, {found.why}"
        confidence = min(found.confidence, HEAD_SEGMENT)
        return TitleMatch(found.role, found.level, found.focus_area, confidence, "words", why)

    def _match_corrected(
        self, words: Sequence[str], remarks: tuple[LevelWord, ...]
    ) -> TitleMatch | None:
        corrected = [word if word in self._known else self._correction(word) for word in words]
        spelled = [word for word in corrected if word is not None]
        if len(spelled) < len(words) or spelled == list(words):
            return None
        found = self._match_words(spelled, remarks)
        if found is None:
            return None
        from rapidfuzz.distance import OSA

        similarity = OSA.normalized_similarity(" ".join(words), " ".join(spelled))
        if similarity < FUZZY_THRESHOLD:
            return None
        confidence = round(min(found.confidence, CORRECTED) * similarity, 3)
        why = f"with the spelling corrected to '{' '.join(spelled)}', {found.why}"
        return TitleMatch(found.role, found.level, found.focus_area, confidence, "fuzzy", why)

    def _correction(self, word: str) -> str | None:
        """The one known word with the same first letter within an edit, two in long words."""
        if len(word) < SHORTEST_CORRECTED:
            return None
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        edits = 2 if len(word) >= LENGTH_FOR_TWO_EDITS else 1
        close = process.extract(
            word, self._long_words, scorer=OSA.distance, score_cutoff=edits, limit=4
        )
        same_letter = [(edit, known) for known, edit, _ in close if known[0] == word[0]]
        best = [known for edit, known in same_letter if edit == min(same_letter)[0]]
        return best[0] if len(best) == 1 else None

    def _unmatched(self, words: Sequence[str], remarks: tuple[LevelWord, ...]) -> TitleMatch:
        found = [*self._levels_in(words), *remarks]
        why = "no alias has these words"
        if found:
            level = max(found, key=_rank)
            return TitleMatch(
                UNSPECIFIED, level.level, None, 0.0, "none", f"{why}; {_because(level)}"
            )
        return TitleMatch(UNSPECIFIED, UNSPECIFIED, None, 0.0, "none", why)

    def _levels_in(self, words: Sequence[str]) -> list[LevelWord]:
        return [self._levels[text] for _, text in self._level_phrases.spans(list(words)) if text]

    def _readings(
        self, words: Sequence[str], remarks: tuple[LevelWord, ...] = ()
    ) -> list[_Reading]:
        """Ways to take seniority words off: as few as possible from the ends first, then all.

        `remarks` are levels that stood in brackets; they count as taken off in each reading.
        A word for directing is not taken off: who directs data scientists is not one.
        """
        pieces = [
            (piece, self._levels[text] if text and text not in self._directing else None)
            for piece, text in self._level_phrases.spans(list(words))
        ]
        cuts = _cuts([level is not None for _, level in pieces])
        readings = [_reading(pieces, range(*cut), remarks) for cut in cuts]
        plain = [i for i, (_, level) in enumerate(pieces) if not level]
        readings.append(_reading(pieces, plain, remarks))
        return [reading for reading in dict.fromkeys(readings) if reading.words]

    def _from_words(
        self, alias: TitleAlias, reading: _Reading, confidence: float, how: str
    ) -> TitleMatch:
        why = f"{how} the alias '{alias.text}'"
        directs = alias.level != UNSPECIFIED and not self._directing.isdisjoint(reading.words)
        if not reading.dropped or directs:
            return _matched(alias, alias.level, confidence, "words", why)
        # 'Senior' of the alias itself counts as well; 'staff' of Staff Accountant gives no level.
        own = [word for word in self._levels_in(reading.words) if word.level == alias.level]
        word = max((*reading.dropped, *own), key=_rank)
        return _matched(alias, word.level, confidence, "words", f"{why}; {_because(word)}")


def _cuts(removable: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """(start, stop) of what remains when removable ends go, the longest remainders first."""
    size = len(removable)
    leading = next((i for i, flag in enumerate(removable) if not flag), size)
    trailing = next((i for i, flag in enumerate(reversed(removable)) if not flag), size)
    for total in range(min(leading + trailing, size) + 1):
        for start in range(min(leading, total), -1, -1):
            if total - start <= trailing:
                yield start, size - (total - start)


def _reading(
    pieces: Sequence[tuple[tuple[str, ...], LevelWord | None]],
    kept: Sequence[int],
    remarks: tuple[LevelWord, ...],
) -> _Reading:
    words = tuple(word for i in kept for word in pieces[i][0])
    outside = [level for i, (_, level) in enumerate(pieces) if level and i not in kept]
    return _Reading(words, (*outside, *remarks))


def _unambiguous(entries: Iterable[tuple[object, TitleAlias]]) -> dict[object, TitleAlias]:
    """The first alias of each key, without the keys whose aliases mean different roles."""
    found: dict[object, TitleAlias] = {}
    clashing: set[object] = set()
    for key, alias in entries:
        if found.setdefault(key, alias).role != alias.role:
            clashing.add(key)
    return {key: alias for key, alias in found.items() if key not in clashing}


def _rank(word: LevelWord) -> int:
    return word.rank


def _because(word: LevelWord) -> str:
    return f"'{word.text}' gives the level"


def _matched(alias: TitleAlias, level: str, confidence: float, method: str, why: str) -> TitleMatch:
    return TitleMatch(alias.role, level, alias.focus_area, confidence, method, why)
