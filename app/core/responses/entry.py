"""One kept answer: its headers and bodies as they are sent, in each coding."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from anyio import to_thread
from starlette.responses import Response

from app.core.responses.conditions import quoted
from app.core.versions import DataVersion

HeaderList = list[tuple[bytes, bytes]]

PLAIN, GZIP = 0, 1
"""Codings, as places in `Entry.variants`."""
GZIP_FROM: Final = 1_000
"""Bytes: shorter answers fit one packet anyway."""
GZIP_LEVEL: Final = 5
THREAD_BYTES: Final = 64_000
"""Longer bodies (some 1 ms of work) are compressed in a thread."""
COMPRESSED: Final = (b"application/vnd.apache.parquet",)
"""Media types that are compressed already."""
ENTRY_BYTES: Final = 1_500
"""What the objects of an entry take beside its texts; a variant takes half as much."""

NOSNIFF: Final = (b"x-content-type-options", b"nosniff")
VARY: Final = (b"vary", b"Accept, Accept-Encoding")
HIT: Final = (b"cache-status", b"payband; hit")
_OWN: Final = frozenset(
    (b"content-length", b"vary", b"cache-control", b"etag", b"content-encoding")
)


@dataclass(frozen=True, slots=True)
class Variant:
    """An answer in one coding. `headers` and `unchanged` (those of a 304) lack what each request
    has of its own; `hit` and `unchanged_hit` say that they come from the cache."""

    etag: bytes
    body: bytes = field(repr=False)
    headers: HeaderList = field(repr=False)
    unchanged: HeaderList = field(repr=False)
    hit: HeaderList = field(repr=False)
    unchanged_hit: HeaderList = field(repr=False)
    message: dict[str, Any] = field(repr=False)

    @property
    def size(self) -> int:
        """Bytes that it takes, about."""
        texts = sum(len(name) + len(value) + 120 for name, value in self.headers)
        return len(self.body) + texts + ENTRY_BYTES // 2


@dataclass(slots=True, eq=False)
class Entry:
    """An answer, what it depends on, and in which generation that was last found unchanged.

    `made_at` is monotonic, in seconds. A variant is None until somebody wants it; where
    compressing is of no use, both are the same.
    """

    version: DataVersion
    role_ids: frozenset[int] | None
    tag: str
    made_at: float
    variants: list[Variant | None]
    generation: int = -1

    @property
    def plain(self) -> Variant:
        """The answer as it is."""
        plain = self.variants[PLAIN]
        assert plain is not None, "made with the entry"
        return plain

    @property
    def size(self) -> int:
        """Bytes that it takes, about."""
        different = {id(variant): variant for variant in self.variants if variant is not None}
        return ENTRY_BYTES + sum(variant.size for variant in different.values())

    async def find_variant(self, coding: int) -> Variant:
        """The answer in a coding, made where it is not there yet; not kept by this."""
        known = self.variants[coding]
        if known is not None:
            return known
        plain = self.plain
        if len(plain.body) > THREAD_BYTES:
            body = await to_thread.run_sync(compress, plain.body)
        else:
            body = compress(plain.body)
        own = [header for header in plain.headers if header[0] not in (b"content-length", b"etag")]
        return build_variant(
            quoted(self.tag, gzip=True), body, [*own, (b"content-encoding", b"gzip")]
        )


def build_entry(
    response: Response,
    tag: str,
    cache_control: bytes,
    version: DataVersion,
    role_ids: frozenset[int] | None,
    made_at: float,
) -> Entry:
    """The entry of a route's response, with its plain variant."""
    given = [header for header in response.raw_headers if header[0] not in _OWN]
    shared = [*given, VARY, (b"cache-control", cache_control)]
    body = bytes(response.body)
    plain = build_variant(quoted(tag, gzip=False), body, shared)
    useless = len(body) < GZIP_FROM or _media_type(given) in COMPRESSED
    return Entry(version, role_ids, tag, made_at, [plain, plain if useless else None])


def build_variant(etag: bytes, body: bytes, shared: Sequence[tuple[bytes, bytes]]) -> Variant:
    """A variant with the headers it shares with others, and those of its own."""
    tagged = [*shared, (b"etag", etag)]
    headers = [*tagged, (b"content-length", str(len(body)).encode())]
    unchanged = [header for header in tagged if header[0] in _OWN - {b"content-encoding"}]
    message = {"type": "http.response.body", "body": body}
    return Variant(
        etag, body, headers, unchanged, [*headers, HIT, NOSNIFF], [*unchanged, HIT], message
    )


def compress(body: bytes) -> bytes:
    """The body in gzip coding, the same bytes each time."""
    packer = zlib.compressobj(GZIP_LEVEL, wbits=zlib.MAX_WBITS | 16)
    return packer.compress(body) + packer.flush()


def _media_type(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    return next((value for name, value in headers if name == b"content-type"), b"")
