"""A job title as words: what is said about the role, and what is said about seniority."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from app.domain.folding import fold

MAX_TITLE_LENGTH = 200
"""Characters considered. The longest real title seen has 49; the cost must not grow with junk."""

MAX_WORDS = 24

_BRACKETED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}")
# 'm/f/d', 'f/m/x', 'w/m/d' and the like: who may apply, not what the work is.
_WHO_MAY_APPLY = re.compile(r"\b[mfwdxh](?:\s?/\s?[mfwdxhi*]\b){1,3}")
_WORD = re.compile(r"\.net\b|[^\W_]+(?:\+\+|#)?")
_GRADE = re.compile(r"(?:\d{1,3}|i{1,3}|iv|vi{0,3}|ix)\Z")
_SEGMENT_END = re.compile(r"\s[-\u2013\u2014:]\s|[,;|@]|\bat\b")
_REMARK_END = re.compile(r"\s[-\u2013\u2014:]\s|[,;|/&+()\[\]{}]")


@dataclass(frozen=True, slots=True)
class LevelWord:
    """A word or phrase that gives a level. Of several in one title the highest rank wins."""

    text: str
    level: str
    rank: int


@dataclass(frozen=True, slots=True)
class TitleWords:
    """What is known about single words, whatever the aliases are. All folded.

    `synonyms`: word or phrase -> the one used ('sr' -> 'senior'). `ignored`: say nothing about the
    work ('remote'). `qualifiers`: business areas and products ('marketing', 'azure'): a Marketing
    Data Analyst is a data analyst. `column_levels`: give a level in a column of levels, and mean
    something else inside a title ('executive' in Account Executive). `directing`: say that someone
    directs the work named ('head', 'director').
    """

    synonyms: Mapping[str, str] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()
    qualifiers: frozenset[str] = frozenset()
    column_levels: frozenset[str] = frozenset()
    directing: frozenset[str] = frozenset()


def level_words(levels: Iterable[tuple[str, int, Iterable[str]]]) -> list[LevelWord]:
    """From (code, rank, aliases) of each level: the words that give it. Rank 0 gives none."""
    return [
        LevelWord(text, code, rank)
        for code, rank, aliases in levels
        if rank > 0
        for text in dict.fromkeys(fold(alias) for alias in (code, *aliases))
    ]


def fold_title(title: str) -> str:
    """The key of an exact match: at most `MAX_TITLE_LENGTH` characters, case and space folded."""
    return fold(title[:MAX_TITLE_LENGTH])


def head_segment(folded: str) -> tuple[str, str]:
    """A folded title before and after its first comma, bar or free-standing dash."""
    plain = _WHO_MAY_APPLY.sub(" ", _BRACKETED.sub(" ", folded))
    parts = _SEGMENT_END.split(plain, maxsplit=1)
    return parts[0], parts[1] if len(parts) > 1 else ""


def bracketed(folded: str) -> bool:
    """Whether the folded title has a remark in brackets."""
    return _BRACKETED.search(folded) is not None


class Phrases:
    """Longest-first replacement of phrases of up to four words in a list of words."""

    def __init__(self, entries: Mapping[str, str]) -> None:
        self._entries = {tuple(_WORD.findall(fold(old))): new for old, new in entries.items()}
        self._entries.pop((), None)
        self._longest = min(max((len(key) for key in self._entries), default=0), 4)

    def spans(self, words: list[str]) -> list[tuple[tuple[str, ...], str | None]]:
        """Consecutive pieces of `words`, each with what is entered for it or None."""
        pieces: list[tuple[tuple[str, ...], str | None]] = []
        at = 0
        while at < len(words):
            for length in range(min(self._longest, len(words) - at), 0, -1):
                piece = tuple(words[at : at + length])
                if piece in self._entries:
                    pieces.append((piece, self._entries[piece]))
                    break
            else:
                piece = (words[at],)
                pieces.append((piece, None))
            at += len(piece)
        return pieces

    def replaced(self, words: list[str]) -> list[str]:
        """`words` with each entered phrase replaced by the words entered for it."""
        result: list[str] = []
        for piece, entered in self.spans(words):
            result.extend(piece if entered is None else entered.split())
        return result


class TitleReader:
    """Splits titles into the words that say something, in their usual spelling."""

    def __init__(self, vocabulary: TitleWords) -> None:
        self._synonyms = Phrases(vocabulary.synonyms)
        self._ignored = vocabulary.ignored

    def words(self, folded: str, *, with_brackets: bool = False) -> list[str]:
        """At most `MAX_WORDS` words, before synonyms, of a folded title; grade numerals dropped."""
        plain = folded if with_brackets else _BRACKETED.sub(" ", folded)
        found = _WORD.findall(_WHO_MAY_APPLY.sub(" ", plain))[:MAX_WORDS]
        words = self._synonyms.replaced(found)
        return [word for word in words if word not in self._ignored and not _GRADE.match(word)]

    def remarks(self, folded: str) -> list[list[str]]:
        """The words of each remark in brackets; '(senior, berlin)' is two remarks."""
        plain = _WHO_MAY_APPLY.sub(" ", folded)
        parts = (part for text in _BRACKETED.findall(plain) for part in _REMARK_END.split(text))
        found = (self.words(part) for part in parts if part and not part.isspace())
        return [words for words in found if words][:MAX_WORDS]
