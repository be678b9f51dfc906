"""ETags, If-None-Match and Accept-Encoding (RFC 9110)."""

import re
from hashlib import blake2b
from typing import Final

from app.core.versions import DataVersion

GZIP_MARK: Final = "-gzip"
_TAG: Final = re.compile(rb'(?:W/)?("[^"]*")')


def build_etag(build: str, origin: str, canonical: str, version: DataVersion) -> str:
    """The strong tag of an answer as it is: without coding, without quotes.

    `origin` names the database and its timeline: after a restore versions come again.
    """
    text = "\0".join((build, origin, canonical, str(version), version.stamp, str(version.unsound)))
    return blake2b(text.encode(), digest_size=15).hexdigest()


def quoted(tag: str, *, gzip: bool) -> bytes:
    """The tag as it stands in a header, of the answer itself or of its gzip coding."""
    return f'"{tag}{GZIP_MARK}"'.encode() if gzip else f'"{tag}"'.encode()


def names_tag(if_none_match: bytes, etag: bytes) -> bool:
    """Whether the header names that tag: alone, in a list, or weak (13.1.2 compares weakly)."""
    if if_none_match == etag:
        return True
    return any(found == etag for found in _TAG.findall(if_none_match))


def is_any(if_none_match: bytes) -> bool:
    """Whether the header is `*`: whatever is there already."""
    return if_none_match.strip() == b"*"


def accepts_gzip(accept_encoding: str | None) -> bool:
    """Whether gzip may be sent: named, or meant by `*`, with a weight above 0."""
    weights: dict[str, float] = {}
    for part in (accept_encoding or "").lower().split(","):
        coding, _, parameter = part.partition(";")
        weights[coding.strip()] = _weight(parameter)
    named = [weights[name] for name in ("gzip", "x-gzip") if name in weights]
    return max(named, default=weights.get("*", 0.0)) > 0


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
