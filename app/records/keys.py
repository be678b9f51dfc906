"""The key under which a record with an external id is found."""

from hashlib import blake2b
from typing import Final
from uuid import UUID

KEY_NAME: Final = "identity"
"""The name under which the secret of the hash is kept."""
KEY_BYTES: Final = 16


def external_key(secret: bytes, external_id: str) -> UUID:
    """The identity of an external id: the keyed hash that imports store (app.ingest.identity).

    Computed here without the columnar libraries that an import needs; a test compares the two.
    """
    digest = blake2b(
        external_id.strip().encode(), key=secret, person=b"external_id", digest_size=KEY_BYTES
    )
    return UUID(bytes=digest.digest())
