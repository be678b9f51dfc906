"""Scopes, and how a route declares the one it needs."""

from enum import StrEnum
from typing import Any

from fastapi import Depends, Request
from fastapi.routing import APIRoute


class Scope(StrEnum):
    """What a key may do. `admin` implies all others."""

    PUBLIC = "public"
    STATS_READ = "stats:read"
    RECORDS_READ = "records:read"
    RECORDS_WRITE = "records:write"
    TAXONOMY_WRITE = "taxonomy:write"
    ADMIN = "admin"


GRANTABLE = tuple(scope for scope in Scope if scope is not Scope.PUBLIC)
"""The scopes that a key can be given."""


class Requirement:
    """The dependency behind `requires`: refuses callers without `scope`."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self, request: Request) -> None:
        if self.scope is not Scope.PUBLIC:
            await request.app.state.gate.admit(request, self.scope)


def requires(scope: Scope) -> Any:
    """For `dependencies=[requires(Scope.X)]` of a route. Every route has exactly one.

    Raises NotAuthenticated (401), NotAllowed (403), Unavailable (503).
    """
    return Depends(Requirement(scope))


def scope_of(route: APIRoute) -> Scope | None:
    """The scope that a route declared with `requires`, None where it declared none."""
    for dependency in route.dependencies:
        if isinstance(dependency.dependency, Requirement):
            return dependency.dependency.scope
    return None
