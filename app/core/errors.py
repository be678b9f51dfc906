"""Expected failures, as a tree. Each leaf knows its HTTP status, its stable code and its title.

    PaybandError
    ├── InvalidBody 400            a body that cannot be read
    ├── NotAuthenticated 401       no key, or one that does not hold
    ├── NotAllowed 403             a key without the scope
    ├── NotFound 404
    ├── NotAcceptable 406       the Accept header allows no format of the route
    ├── Conflict 409
    ├── TooLarge 413
    ├── UnsupportedType 415
    ├── Refused 422                understood, and not possible as asked
    │   ├── UnknownParameter
    │   ├── UnknownValue
    │   ├── ConfidentialSource
    │   └── AllRowsRejected        carries the write report
    ├── RateLimited 429            more requests than the limit that is set
    ├── Unavailable 503            the database is away, busy or starting
    │   ├── StaleSchema
    │   └── Draining
    ├── WrongSetting               never reaches HTTP: the command exits with 2
    └── EmbeddedPostgresError      the private server (core/private_server/errors.py)

A hidden node or a rejected row is data, not an exception.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class PaybandError(Exception):
    """Base of every expected failure.

    `detail` is shown to the client and says what to do; `members` are added to the problem
    document (RFC 9457 extension members); `headers` are added to the response.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.problem_code = code or type(self).code
        self.headers = dict(headers or {})
        self.members = members


class InvalidBody(PaybandError):
    """The request body cannot be read; the detail gives the position."""

    status = 400
    code = "invalid_body"
    title = "The body cannot be read"


class NotAuthenticated(PaybandError):
    """No API key was sent, or the one that was sent does not hold."""

    status = 401
    code = "not_authenticated"
    title = "A valid API key is needed"

    def __init__(self, detail: str, *, code: str | None = None, **members: Any) -> None:
        super().__init__(detail, code=code, headers={"WWW-Authenticate": "Bearer"}, **members)


class NotAllowed(PaybandError):
    """The key is valid and lacks the scope."""

    status = 403
    code = "not_allowed"
    title = "The API key lacks the scope"


class NotFound(PaybandError):
    """Nothing is stored under that address."""

    status = 404
    code = "not_found"
    title = "Not found"


class NotAcceptable(PaybandError):
    """The Accept header allows none of the formats that the route has."""

    status = 406
    code = "not_acceptable"
    title = "No acceptable format"


class Conflict(PaybandError):
    """The request contradicts what is stored or running."""

    status = 409
    code = "conflict"
    title = "Conflict"


class TooLarge(PaybandError):
    """The body is over the limit."""

    status = 413
    code = "too_large"
    title = "The body is too large"


class UnsupportedType(PaybandError):
    """The body's media type, charset or coding is not one that is read."""

    status = 415
    code = "unsupported_type"
    title = "The media type is not supported"


class Refused(PaybandError):
    """Understood, and not possible as asked."""

    status = 422
    code = "invalid_request"
    title = "The request is not valid"


class UnknownParameter(Refused):
    """A query parameter that the route does not have."""

    code = "unknown_parameter"
    title = "Unknown parameter"


class UnknownValue(Refused):
    """A code or value that is not known; the detail names the nearest ones."""

    code = "unknown_value"
    title = "Unknown value"


class ConfidentialSource(Refused):
    """A live question that names a confidential source."""

    code = "confidential_source"
    title = "The source is confidential"


class AllRowsRejected(Refused):
    """Every row of a write was rejected; the write report travels as members."""

    code = "all_rows_rejected"
    title = "Every row was rejected"


class RateLimited(PaybandError):
    """One caller asked more often than the limit allows."""

    status = 429
    code = "rate_limited"
    title = "Too many requests"

    def __init__(self, detail: str, *, retry_after_s: int) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_s)})


class Unavailable(PaybandError):
    """The database is away, starting or busy. Trying again is right."""

    status = 503
    code = "unavailable"
    title = "Temporarily unavailable"

    def __init__(
        self, detail: str, *, code: str | None = None, retry_after_s: int = 2, **members: Any
    ) -> None:
        super().__init__(detail, code=code, headers={"Retry-After": str(retry_after_s)}, **members)


class StaleSchema(Unavailable):
    """The database's schema is not the one that this build works with."""

    code = "stale_schema"
    title = "The database schema is not current"


class Draining(Unavailable):
    """The process is shutting down."""

    code = "draining"
    title = "Shutting down"


class WrongSetting(PaybandError):
    """A setting that cannot be used. The command line prints it and exits with 2."""

    code = "wrong_setting"
    title = "Wrong setting"
