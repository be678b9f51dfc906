"""Cursors that show nothing: positions sealed with a secret of the installation.

Record ids come from one sequence for all sources, so the gaps between those on public pages would
tell how many confidential records were loaded in between. A position is therefore encrypted and
authenticated together with the question it belongs to, in the manner of a synthetic
initialisation vector (RFC 5297): the tag over question and position is also what the key stream is
derived from, so no counter or random number needs to be kept, and equal pages have equal cursors.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from app.core.database import Database
from app.core.errors import Refused
from app.core.installation import find_secret, read_secret

KEY_NAME: Final = "cursor"
TAG_BYTES: Final = 16
BLOCK_BYTES: Final = 32
"""Positions are filled up to a multiple of this: their length would tell the size of an id."""

MAX_INTEGER: Final = 2**63 - 1

Position = tuple[int | str, ...]
"""Values of the sort key of the last row of a page."""

Kinds = Sequence[type[int] | type[str]]
"""The types of a position's values."""


class Cursors:
    """Seals and opens the cursors of one process; reads the secret when first needed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._secret: bytes | None = None

    async def seal(self, position: Position, question: str) -> str:
        """An opaque text for `position` within the answer to `question`. Raises Unavailable."""
        content = json.dumps(position, separators=(",", ":")).encode()
        content += b" " * (-len(content) % BLOCK_BYTES)
        secret = await self._read_secret()
        tag = _tag(secret, content, question)
        return urlsafe_b64encode(tag + _mask(secret, content, tag)).decode().rstrip("=")

    async def open(self, cursor: str, question: str, kinds: Kinds) -> Position:
        """The position that was sealed.

        Raises Refused `invalid_cursor` (422) for a text that is no cursor of this installation,
        of another question or of another form; Unavailable.
        """
        try:
            raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except ValueError:
            raise _invalid() from None
        secret = await self._read_secret()
        tag = raw[:TAG_BYTES]
        content = _mask(secret, raw[TAG_BYTES:], tag)
        # No comparison in constant time: a guess at a tag says nothing about any position.
        if tag != _tag(secret, content, question):
            raise _invalid()
        values = json.loads(content)
        fits = len(values) == len(kinds) and all(
            type(value) is kind and _storable(value)
            for value, kind in zip(values, kinds, strict=True)
        )
        if not fits:
            raise _invalid()
        return tuple(values)

    async def _read_secret(self) -> bytes:
        if self._secret is None:
            async with self._database.read() as session:
                found = await find_secret(session, KEY_NAME)
            if found is None:  # a database from before there was one
                async with self._database.write() as writing:
                    found = await read_secret(writing, KEY_NAME)
            self._secret = found
        return self._secret


def _tag(secret: bytes, content: bytes, question: str) -> bytes:
    # The question is percent-encoded, so the NUL ends it.
    text = question.encode() + b"\0" + content
    return blake2b(text, digest_size=TAG_BYTES, key=secret, person=b"cursor tag").digest()


def _mask(secret: bytes, content: bytes, tag: bytes) -> bytes:
    """`content` with the key stream of `tag` laid over it; twice is as it was."""
    stream = b"".join(
        blake2b(tag + counter.to_bytes(4), key=secret, person=b"cursor stream").digest()
        for counter in range(len(content) // blake2b.MAX_DIGEST_SIZE + 1)
    )
    return bytes(a ^ b for a, b in zip(content, stream, strict=False))


def _storable(value: int | str) -> bool:
    """Whether the database takes it: 64 bits; no NUL, no lone surrogate."""
    if isinstance(value, int):
        return abs(value) <= MAX_INTEGER
    return "\0" not in value and value.encode("utf-8", "ignore").decode() == value


def _invalid() -> Refused:
    return Refused(
        "The cursor is not one that this question gave; take it unchanged from the Link header "
        "of the page before, with the same filters, or leave it out to start at the first page.",
        code="invalid_cursor",
        parameter="cursor",
    )
