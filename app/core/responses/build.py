"""Which build of the service made an answer: part of every ETag."""

from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Final

import app
from app.settings import Settings

SHAPING: Final = ("base_currency", "exact_records", "cell_entries_limit")
"""Settings that answers depend on beside the data. What changes them for all processes at once,
such as the policy of releases, is stored with the data."""


def describe_build(settings: Settings) -> str:
    """The same text for the same code and settings, on every process."""
    shaping = ",".join(f"{name}={getattr(settings, name, None)}" for name in SHAPING)
    return f"{app.__version__}/{_digest_sources()}/{shaping}"


@cache
def _digest_sources() -> str:
    """Of every file of the package: a rebuilt service may word or round something differently
    without another version number."""
    folder = Path(app.__file__).parent
    digest = blake2b(digest_size=8)
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
