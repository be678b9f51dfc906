"""Lets requests in: one lookup for each request, at most one query for each key in 5 seconds."""

from typing import Final

from fastapi import Request

from app.access.authenticator import Authenticator
from app.access.caller import ANONYMOUS, OPEN, Caller
from app.access.limits import Limiter, address_of, identify_for_limits
from app.access.scopes import Scope
from app.core.errors import NotAllowed, NotAuthenticated
from app.health.readiness import Readiness

HOW: Final = "Send a key as `Authorization: Bearer KEY` or `X-API-Key: KEY`."


class Gate:
    """Decides for one process who is asking and whether they may."""

    def __init__(
        self,
        authenticator: Authenticator,
        readiness: Readiness,
        limiter: Limiter,
        *,
        open_statistics: bool,
    ) -> None:
        self._authenticator = authenticator
        self._limiter = limiter
        self._readiness = readiness
        self._nobody = OPEN if open_statistics else ANONYMOUS

    def find_reader(self, authorization: bytes | None, api_key: bytes | None) -> Caller | None:
        """Who may read statistics, as far as that is known without asking the database.

        From the two headers as they arrived. None where `admit` must decide: a key that was not
        looked at lately, two keys, none where one is needed.
        """
        if authorization is None and api_key is None:
            return OPEN if self._nobody is OPEN else None
        if authorization is not None:
            if api_key is not None or authorization[:7] != b"Bearer ":
                return None
            api_key = authorization[7:]
        caller = self._authenticator.find_verified(api_key or b"")
        if caller is None or not (self._nobody is OPEN or caller.may(Scope.STATS_READ)):
            return None
        return caller

    async def admit(self, request: Request, scope: Scope) -> None:
        """Count the request; raise unless the service is up and the caller has `scope`."""
        self._readiness.check_started()
        caller = await self._counted(request)
        if caller.may(scope):
            return
        if caller is self._nobody:
            raise NotAuthenticated(f"This needs a key with the scope {scope}. {HOW}", scope=scope)
        held = ", ".join(sorted(caller.scopes)) or "none"
        raise NotAllowed(f"This needs the scope {scope}; the key has: {held}.", scope=scope)

    async def _counted(self, request: Request) -> Caller:
        """The caller, whose request is within the limit. A key that does not hold counts for the
        address: nobody tries keys faster than that."""
        try:
            caller = await self.identify(request)
        except NotAuthenticated:
            self._count(request, address_of(request.scope))
            raise
        self._count(request, identify_for_limits(caller, request.scope))
        return caller

    def _count(self, request: Request, who: str) -> None:
        request.state.limited = who  # also where it is refused: the answer says until when
        self._limiter.check(who)

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
