"""What is wrong with a request's parameters or body, in words a client can act on.

Values are never quoted: they may be amounts, employers or keys.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.core.errors import InvalidBody, PaybandError, Refused
from app.domain.nearest import nearest

MOST_ERRORS: Final = 20
WHERE: Final = {
    "query": "parameter",
    "path": "path parameter",
    "header": "header",
    "cookie": "cookie",
    "body": "body member",
}
_QUOTED = re.compile(r"'([^']*)'")


def explain(errors: Sequence[Mapping[str, Any]]) -> PaybandError:
    """One error for everything that validation found: 400 for a body that is not JSON, else 422."""
    first = errors[0]
    if first["type"] == "json_invalid":
        position = first["loc"][1] if len(first["loc"]) > 1 else 0
        reason = str(first.get("ctx", {}).get("error", "")).lower() or "it is not JSON"
        return InvalidBody(
            f"The body is not valid JSON: {reason} at character {position}.", position=position
        )
    found = [_explained(error) for error in errors[:MOST_ERRORS]]
    detail = found[0]["message"]
    if len(errors) > 1:
        detail += f" ({len(errors)} errors in all; see errors.)"
    return Refused(detail, code=found[0]["code"], errors=found)


def _explained(error: Mapping[str, Any]) -> dict[str, Any]:
    place, *path = [str(part) for part in error["loc"]] or ["body"]
    # Parts such as 'function-after[...]' are the validator's own and mean nothing to a client.
    name = ".".join(part for part in path if "[" not in part) or place
    kind, context = str(error["type"]), error.get("ctx") or {}
    explained: dict[str, Any] = {"in": place, "name": name, "code": _code(kind)}
    if kind == "missing":
        text = "is required"
    elif kind in {"literal_error", "enum"}:
        choices = _QUOTED.findall(str(context.get("expected", "")))
        close = nearest(str(error.get("input", "")), choices)
        explained["nearest"] = close
        text = f"must be one of {', '.join(choices)}; nearest: {', '.join(close)}"
    elif kind == "extra_forbidden":
        text = "is not known here"
    elif kind == "value_error":
        text = f"is not valid: {context.get('error', 'see the documentation')}"
    else:
        text = f"is not valid: {_plain(str(error.get('msg', '')))}"
    subject = "The body" if name == "body" else f"{WHERE.get(place, 'value').capitalize()} {name}"
    return {**explained, "message": f"{subject} {text}."}


def _code(kind: str) -> str:
    if kind == "missing":
        return "missing_value"
    if kind == "extra_forbidden":
        return "unknown_parameter"
    return "unknown_value" if kind in {"literal_error", "enum"} else "invalid_value"


def _plain(message: str) -> str:
    """The validator's sentence, as the second half of ours."""
    return (message[:1].lower() + message[1:]).rstrip(".")
