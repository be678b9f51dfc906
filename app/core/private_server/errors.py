"""The one error of the embedded server."""

from app.core.errors import PaybandError


class EmbeddedPostgresError(PaybandError):
    """The private server cannot be started; the detail says why and what to do."""

    code = "embedded_postgres"
    title = "The private PostgreSQL cannot be started"
