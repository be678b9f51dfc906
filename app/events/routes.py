"""GET /v1/events: what changed, and nothing of the data itself."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request

from app.access.scopes import Scope, requires
from app.core.errors import Unavailable
from app.core.openapi import problem
from app.dependencies import Services, ServicesDep
from app.events.broadcast import Broadcast, RoleIds
from app.events.stream import EventStream
from app.statistics.filters import split_codes

router = APIRouter(tags=["operations"])

EXAMPLE: Final = (
    "event: version\n"
    'data: {"data_version": "4-9f1c2a7b-1204", "epoch": 4, "roles": null}\n'
    "id: 4-9f1c2a7b-1204\n"
    "retry: 3000\n\n"
    "event: version\n"
    'data: {"data_version": "4-9f1c2a7b-1205", "epoch": 4, "roles": ["django-developer"]}\n'
    "id: 4-9f1c2a7b-1205\n\n"
)
ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Server-sent events until the client leaves, or for about an hour.",
        "content": {"text/event-stream": {"schema": {"type": "string"}, "example": EXAMPLE}},
    },
    503: problem(
        503,
        "too_many_listeners",
        "Temporarily unavailable",
        "2000 listeners are connected to this process; ask again later, or poll.",
    ),
}


@router.get(
    "/events",
    dependencies=[requires(Scope.STATS_READ)],
    summary="Data versions as they change",
    status_code=200,
    response_class=EventStream,
    responses=ANSWERS,
)
async def listen(
    request: Request,
    services: ServicesDep,
    role: Annotated[
        str | None,
        Query(description="Only changes that concern these roles.", examples=["django-developer"]),
    ] = None,
    last_event_id: Annotated[
        str | None, Header(description="The last id that was seen: it is not sent again.")
    ] = None,
) -> EventStream:
    """An event `version` at once, and after every committed write; as its id the data version.

    `roles` are the codes of what changed since the last event; null: anything may have. Several
    writes may come as one event: only the newest state is told.
    """
    broadcast: Broadcast = request.app.state.broadcast
    await _hear(services)
    return EventStream(broadcast, await _role_ids(services, role), last_event_id)


async def _hear(services: Services) -> None:
    """Know the newest state where that is possible. Raises Unavailable where none is known."""
    if not services.freshness.is_current():
        try:
            await services.freshness.confirm()
        except Unavailable:
            if services.freshness.versions is None:
                raise


async def _role_ids(services: Services, text: str | None) -> RoleIds:
    """None for all roles. The session is closed before the stream begins."""
    codes = split_codes("role", text)
    if not codes:
        return None
    versions = services.freshness.versions
    catalogue = None if versions is None else services.catalogue.known(versions.stamp)
    if catalogue is None:
        async with services.database.read() as session:
            catalogue, _ = await services.catalogue.current(session)
    return frozenset(catalogue.roles.get(code).id for code in codes)
