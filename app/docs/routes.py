"""/docs, /openapi.json, and where to begin."""

import hashlib
from functools import cache
from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from app.access.scopes import Scope, requires
from app.core.errors import NotFound
from app.core.openapi import example, problems

router = APIRouter(tags=["operations"])
PUBLIC: Final = [requires(Scope.PUBLIC)]
# Styles are written into the elements by Swagger UI itself; its icons are data urls.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
ASSETS: Final = {
    "swagger-ui.css": ("fastapi_offline", "static/swagger-ui.css", "text/css"),
    "swagger-ui-bundle.js": (
        "fastapi_offline",
        "static/swagger-ui-bundle.js",
        "text/javascript",
    ),
    "start.js": ("app.docs", "start.js", "text/javascript"),
}


@router.get("/", dependencies=PUBLIC, include_in_schema=False)
async def show_start() -> Response:
    """Leads to the documentation."""
    return RedirectResponse("docs", status_code=307)


@router.get("/docs", dependencies=PUBLIC, include_in_schema=False)
async def show_page() -> Response:
    """The documentation page."""
    page = files("app.docs").joinpath("page.html").read_bytes()
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
    return Response(page, media_type="text/html", headers=headers)


@router.get("/docs/{name}", dependencies=PUBLIC, include_in_schema=False)
async def get_asset(request: Request, name: str) -> Response:
    """A file of the documentation page. It changes with the build, so it is asked for again."""
    if name not in ASSETS:
        raise NotFound("The documentation page has no such file; it is at /docs.")
    package, path, media_type = ASSETS[name]
    tag = _tag(package, path)
    headers = {"ETag": tag, "Cache-Control": "public, max-age=3600"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    content = files(package).joinpath(path).read_bytes()
    return Response(content, media_type=media_type, headers=headers)


@router.get(
    "/openapi.json",
    dependencies=PUBLIC,
    summary="This document",
    responses={**example("The OpenAPI 3.1 document.", {"openapi": "3.1.0"}), **problems(500)},
)
async def get_document(request: Request) -> JSONResponse:
    """The OpenAPI description of every route, for programs and for /docs."""
    return JSONResponse(request.app.openapi(), headers={"Cache-Control": "no-cache"})


@cache
def _tag(package: str, path: str) -> str:
    digest = hashlib.sha256(files(package).joinpath(path).read_bytes()).hexdigest()
    return f'"{digest[:20]}"'
