"""The nearest valid words to one that is not valid, for error messages."""

from collections.abc import Iterable
from itertools import islice

from app.domain.folding import fold

MAX_WORD_LENGTH = 64
"""Characters considered: a longer word is no typo, and the cost grows with its length."""

MAX_CHOICES = 20_000


def nearest(word: str, choices: Iterable[str], count: int = 3) -> list[str]:
    """The `count` of `choices` most similar to `word`, best first; fewer only where there are.

    Choices that begin with the word come before others ('django' means `django-developer`), then
    the normalised insertion and deletion similarity counts, then the common beginning, then the
    alphabet. Case and accents do not. At most `MAX_CHOICES` choices are looked at.
    """
    from rapidfuzz.distance import Prefix
    from rapidfuzz.fuzz import ratio

    wanted = fold(word[:MAX_WORD_LENGTH])

    def closeness(choice: str) -> tuple[bool, float, int, str]:
        folded = fold(choice[:MAX_WORD_LENGTH])
        begins = bool(wanted) and folded.startswith(wanted)
        return (not begins, -ratio(wanted, folded), -Prefix.similarity(wanted, folded), choice)

    known = islice(dict.fromkeys(choices), MAX_CHOICES)
    return sorted(known, key=closeness)[: max(count, 0)]
