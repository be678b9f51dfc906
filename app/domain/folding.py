"""Folding: two spellings that a reader would call the same word become the same text."""

import unicodedata


def fold(text: str) -> str:
    """`text` without case, accents and surplus white space; folding twice changes nothing.

    Compatibility forms are unified too (full-width letters, ligatures). Lone surrogates and NUL
    pass through as they are: to judge them is the reader's matter, not this function's.
    """
    folded = text.casefold()
    if not folded.isascii():
        # Decomposing can bring up a letter that has a case again (U+1D2D gives 'AE'), hence twice.
        for _ in range(2):
            letters = unicodedata.normalize("NFKD", folded)
            folded = "".join(char for char in letters if not unicodedata.combining(char)).casefold()
    return " ".join(folded.split())
