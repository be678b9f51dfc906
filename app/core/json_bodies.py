"""Bodies of the routes that take JSON: refused in one place where they are sent as another type."""

from email.message import Message
from typing import Final

from fastapi import Request

from app.core.errors import UnsupportedType
from app.core.routing import RouteTable

LONGEST_ECHO: Final = 60


async def check_media_type(request: Request) -> None:
    """A dependency of the whole application.

    Raises UnsupportedType (415) naming application/json. The framework reads JSON only under a
    JSON type; anything else it would take for a text, and find fault with its form instead.
    """
    routes: RouteTable = request.app.state.routes
    entry = routes.find(request.scope)
    if entry is None or not entry.takes_json:
        return
    stated = request.headers.get("content-type", "")
    if stated and not _is_json(stated):
        raise UnsupportedType(
            f"The content type {stated[:LONGEST_ECHO]!r} is not read here; send application/json."
        )
    if not stated and _has_body(request):
        raise UnsupportedType(
            "The request has a body and no Content-Type; send it as application/json."
        )


def _is_json(stated: str) -> bool:
    message = Message()
    message["Content-Type"] = stated
    name = message.get_content_type()
    return name == "application/json" or (
        name.startswith("application/") and name.endswith("+json")
    )


def _has_body(request: Request) -> bool:
    length = request.headers.get("content-length", "0")
    return length.strip("0") != "" or "transfer-encoding" in request.headers
