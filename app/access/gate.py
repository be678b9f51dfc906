"""Lets requests in: one lookup for each request, at most one query for each key in 5 seconds."""

from typing import Final

from fastapi import Request

from app.access.authenticator import Authenticator
from app.access.caller import ANONYMOUS, OPEN, Caller
from app.access.scopes import Scope
from app.core.errors import NotAllowed, NotAuthenticated
from app.health.readiness import Readiness

HOW: Final = "Send a key as `Authorization: Bearer KEY` or `X-API-Key: KEY`."


class Gate:
    """Decides for one process who is asking and whether they may."""

    def __init__(
        self, authenticator: Authenticator, readiness: Readiness, *, open_statistics: bool
    ) -> None:
        self._authenticator = authenticator
        self._readiness = readiness
        self._nobody = OPEN if open_statistics else ANONYMOUS

    async def admit(self, request: Request, scope: Scope) -> None:
        """Raise unless the service is up and the caller has `scope`."""
        self._readiness.check_started()
        caller = await self.identify(request)
        if caller.may(scope):
            return
        if caller is self._nobody:
            raise NotAuthenticated(f"This needs a key with the scope {scope}. {HOW}", scope=scope)
        held = ", ".join(sorted(caller.scopes)) or "none"
        raise NotAllowed(f"This needs the scope {scope}; the key has: {held}.", scope=scope)

    async def identify(self, request: Request) -> Caller:
        """The caller of `request`. Raises NotAuthenticated for a key that does not hold."""
        known: Caller | None = getattr(request.state, "caller", None)
        if known is None:
            text = presented_key(request)
            known = self._nobody if text is None else await self._authenticator.verify(text)
            if self._nobody is OPEN and not known.may(Scope.STATS_READ):
                # What anybody may read, the holder of a key may read too.
                known = Caller(known.id, known.scopes | OPEN.scopes)
            request.state.caller = known
        return known


def presented_key(request: Request) -> str | None:
    """The key text that was sent, None without one. Raises NotAuthenticated."""
    sent = {value.strip() for value in request.headers.getlist("x-api-key")}
    for value in request.headers.getlist("authorization"):
        scheme, _, key = value.strip().partition(" ")
        if scheme.lower() != "bearer":
            raise NotAuthenticated(f"The authorization scheme is not Bearer. {HOW}")
        sent.add(key.strip())
    if len(sent) > 1:
        raise NotAuthenticated("The request carries two different keys. Send one of them.")
    return sent.pop() if sent else None
