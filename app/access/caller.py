"""Who is asking."""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request

from app.access.scopes import Scope


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever made the request: the id of an API key, or nobody in particular."""

    id: str
    scopes: frozenset[Scope]

    @property
    def is_admin(self) -> bool:
        """True for a key with the scope `admin`, which implies all others."""
        return Scope.ADMIN in self.scopes

    def may(self, scope: Scope) -> bool:
        """True where this caller has `scope`, or needs none."""
        return scope is Scope.PUBLIC or scope in self.scopes or self.is_admin


ANONYMOUS: Final = Caller("anonymous", frozenset())
OPEN: Final = Caller("anonymous", frozenset({Scope.STATS_READ}))
COMMAND_LINE: Final = Caller("command-line", frozenset({Scope.ADMIN}))
"""Whoever can run `payband` on the server holds the database anyway."""


async def _caller(request: Request) -> Caller:
    caller: Caller = await request.app.state.gate.identify(request)
    return caller


CallerDep = Annotated[Caller, Depends(_caller)]
