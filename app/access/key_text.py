"""The text of an API key: `pb_<id>_<secret><checksum>`.

The prefix lets scanners find a leaked key; the checksum tells a mistyped key from a wrong one
without asking the database.
"""

import hashlib
import re
import secrets
import string
import zlib
from typing import Final

PREFIX: Final = "pb"
ID_LENGTH: Final = 10
SECRET_LENGTH: Final = 32
"""Letters and digits: 190 bits."""
CHECKSUM_LENGTH: Final = 6
_ID_ALPHABET: Final = string.ascii_lowercase + string.digits
_ALPHABET: Final = string.ascii_letters + string.digits
_FORM: Final = re.compile(
    rf"{PREFIX}_(?P<id>[a-z0-9]{{{ID_LENGTH}}})"
    rf"_[a-zA-Z0-9]{{{SECRET_LENGTH + CHECKSUM_LENGTH}}}",
    re.ASCII,
)


def make_key() -> tuple[str, str]:
    """A new (id, key text)."""
    key_id = "".join(secrets.choice(_ID_ALPHABET) for _ in range(ID_LENGTH))
    secret = "".join(secrets.choice(_ALPHABET) for _ in range(SECRET_LENGTH))
    body = f"{PREFIX}_{key_id}_{secret}"
    return key_id, body + _checksum(body)


def parse_key(key: str) -> str | None:
    """The id in a key text, None where the form or the checksum is wrong."""
    match = _FORM.fullmatch(key)
    if match is None:
        return None
    body, checksum = key[:-CHECKSUM_LENGTH], key[-CHECKSUM_LENGTH:]
    return match["id"] if _checksum(body) == checksum else None


def hash_key(key: str) -> bytes:
    """SHA-256 of the whole text: 32 bytes. The secret is random, so no salt or stretching."""
    return hashlib.sha256(key.encode()).digest()


def _checksum(body: str) -> str:
    rest = zlib.crc32(body.encode())
    digits = []
    for _ in range(CHECKSUM_LENGTH):
        rest, digit = divmod(rest, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(digits)
