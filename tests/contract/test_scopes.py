"""Every route declares the one scope it needs."""

from fastapi.routing import APIRoute, iter_route_contexts

from app.access.scopes import Requirement, Scope, scope_of
from app.main import create_app
from app.settings import Settings

OPEN_TO_ALL = {"/", "/docs", "/docs/{name}", "/openapi.json", "/livez", "/readyz", "/metrics"}


def routes() -> dict[tuple[str, str], APIRoute]:
    app = create_app(Settings(), "")
    found = {}
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        # A mount or a plain Starlette route would have no dependencies, and so no scope.
        assert isinstance(route, APIRoute), context.path
        for method in context.methods or ():
            found[method, str(context.path_format)] = route
    return found


def test_every_route_declares_exactly_one_scope() -> None:
    for (method, path), route in routes().items():
        declared = [
            dependency.dependency.scope
            for dependency in route.dependencies
            if isinstance(dependency.dependency, Requirement)
        ]
        assert len(declared) == 1, f"{method} {path}: {declared}"


def test_only_what_is_meant_to_be_open_is_open() -> None:
    public = {path for (_, path), route in routes().items() if scope_of(route) is Scope.PUBLIC}
    assert public == OPEN_TO_ALL


def test_what_changes_something_never_needs_only_the_right_to_read() -> None:
    reading = {Scope.PUBLIC, Scope.STATS_READ, Scope.RECORDS_READ}
    # Questions too long for a query string are asked with POST.
    questions = {("POST", "/v1/salaries/rank")}
    wrong = {
        (method, path)
        for (method, path), route in routes().items()
        if method not in {"GET", "HEAD"} and scope_of(route) in reading
    }
    assert wrong <= questions
