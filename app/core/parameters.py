"""Query strings, checked in one place for all routes: names, repetitions, impossible bytes."""

import re
from collections import Counter
from typing import Final
from urllib.parse import unquote_to_bytes

from fastapi import Request

from app.core.errors import Refused, UnknownParameter
from app.core.routing import RouteTable
from app.domain.nearest import nearest

LONGEST_ECHO: Final = 60
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


async def check_parameters(request: Request) -> None:
    """A dependency of the whole application.

    Raises UnknownParameter naming the nearest, Refused for a repeated parameter or for text that
    is not UTF-8 or holds a NUL. Otherwise a mistyped filter would answer another question.
    """
    _check_bytes("path", request.scope.get("raw_path") or b"")
    query = request.scope["query_string"]
    if not query:
        return
    _check_bytes("query string", query)
    routes: RouteTable = request.app.state.routes
    entry = routes.find(request.scope)
    declared = entry.query if entry is not None else {}
    for name, count in Counter(name for name, _ in request.query_params.multi_items()).items():
        if name not in declared:
            raise _unknown(name, list(declared))
        if count > 1 and not declared[name]:
            raise Refused(
                f"Parameter {name} was given {count} times. Give it once; several values go into "
                "one, separated by commas, where the parameter allows several.",
                code="repeated_parameter",
                parameter=name,
            )


def _unknown(name: str, declared: list[str]) -> UnknownParameter:
    close = nearest(name, declared)
    known = f"Nearest: {', '.join(close)}." if close else "This route takes none."
    return UnknownParameter(
        f"Parameter {name[:LONGEST_ECHO]!r} is not known here. {known}",
        parameter=name[:LONGEST_ECHO],
        nearest=close,
    )


def _check_bytes(place: str, raw: bytes) -> None:
    if _BROKEN_ESCAPE.search(raw):
        raise Refused(
            f"The {place} holds a % that is not followed by two hexadecimal digits; a percent "
            "sign itself is written %25.",
            code="malformed_encoding",
        )
    decoded = unquote_to_bytes(raw)
    if b"\0" in decoded:
        raise Refused(f"The {place} holds a NUL byte (%00), which no value has.", code="nul_byte")
    try:
        decoded.decode()
    except UnicodeDecodeError:
        raise Refused(
            f"The {place} is not UTF-8 once its percent escapes are decoded.",
            code="malformed_encoding",
        ) from None
