"""The routes of an application as clients reach them: template, methods, parameters."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin

from fastapi import FastAPI
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import ParamTypes
from fastapi.routing import APIRoute, iter_route_contexts


@dataclass(frozen=True, slots=True)
class RouteEntry:
    """One route. `query` maps the name of a query parameter to whether it may be repeated;
    `takes_json`: the framework reads its body, as JSON."""

    template: str
    methods: frozenset[str]
    pattern: re.Pattern[str]
    query: Mapping[str, bool]
    documented: bool
    takes_json: bool
    route: APIRoute


class RouteTable:
    """All API routes of an application, read once when all routers are in."""

    def __init__(self, app: FastAPI) -> None:
        self.entries = tuple(_entries(app))
        self._by_route = {id(entry.route): entry for entry in self.entries}

    def find(self, scope: Mapping[str, Any]) -> RouteEntry | None:
        """The entry that the router chose for an ASGI scope, None where it chose none."""
        return self._by_route.get(id(scope.get("route")))

    def methods_of(self, path: str) -> set[str]:
        """Every method that some route answers under `path`; HEAD goes with GET."""
        methods: set[str] = set()
        for entry in self.entries:
            if entry.pattern.match(path):
                methods |= entry.methods
        return methods | {"HEAD"} if "GET" in methods else methods


def _entries(app: FastAPI) -> Iterator[RouteEntry]:
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute):
            yield RouteEntry(
                template=str(context.path_format),
                methods=frozenset(context.methods or ()),
                pattern=context.path_regex,
                query=_query_parameters(route),
                documented=route.include_in_schema,
                takes_json=route.body_field is not None,
                route=route,
            )


def _query_parameters(route: APIRoute) -> dict[str, bool]:
    found = {}
    for field in get_flat_params(route.dependant):
        if getattr(field.field_info, "in_", ParamTypes.query) is ParamTypes.query:
            found[field.alias] = _is_repeatable(field.field_info.annotation)
    return found


def _is_repeatable(annotation: Any) -> bool:
    kind = get_origin(annotation) or annotation
    if kind in (Union, UnionType):
        return any(_is_repeatable(member) for member in get_args(annotation))
    return kind in (list, set, tuple, frozenset)
