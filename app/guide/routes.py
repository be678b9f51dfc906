"""GET /v1/roles/{role}/guide."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic_core import to_json
from starlette.responses import Response

from app.access.scopes import Scope, requires
from app.core.errors import Refused
from app.core.formats import FORMATS, Format, render_table
from app.core.responses.answering import Computed
from app.core.responses.asked import begin_asking
from app.dependencies import ServicesDep
from app.guide.documentation import GUIDE_RESPONSES
from app.guide.envelope import PAID_SECTIONS, describe_guide
from app.guide.ground import EMPTY, Ground, Table, find_ground
from app.guide.sections import REGISTRY
from app.guide.shape import GuideParameters, parse_guide_shape, with_usual_window
from app.statistics.asking import about_pay, computed
from app.statistics.coarser import find_nearest
from app.statistics.reading import parse_question

router = APIRouter(tags=["market"])


@router.get(
    "/roles/{role}/guide",
    summary="The salary guide of a role, live",
    dependencies=[requires(Scope.STATS_READ)],
    responses=GUIDE_RESPONSES,
)
async def get_role_guide(
    request: Request,
    services: ServicesDep,
    role: Annotated[str, Path(description="The code of the role, as GET /v1/roles lists it.")],
    parameters: Annotated[GuideParameters, Query()],
) -> Response:
    """A salary guide from the records of today, with the published figures and facts beside.

    Bands by level have the form of published guides: two percentiles rounded outward. Without a
    region the guide is about the one that the role's published figures are about, if they are
    about one; without a window, about the last three calendar years: `meta.query` says both. A row
    is `published` where a published guide names it too. One `section` is a table in any format;
    without it the document is JSON. With `population=released` pay is of the release, public
    demand and titles stand beside it, and work modes are not there.
    """
    asking = begin_asking(request, parameters.format)
    filters, basis = parse_question(parameters)
    shape = parse_guide_shape(parameters)
    check_format(asking.format, shape.section)
    filters = with_usual_window(filters, datetime.now(UTC).date(), released=basis.is_released)
    question = about_pay(asking, "guide", filters, basis, {"guide": role, **shape.echo()})
    asked = replace(question, roles=(role,))

    async def compute() -> Computed:
        async with services.database.heavy_read() as session:
            ground = await find_ground(services, session, role, (filters, basis), shape)
            tables = {name: await REGISTRY[name].find(ground) for name in shape.sections}
            meta = describe_guide(ground, tables)
            offers = meta["status"] == EMPTY and not PAID_SECTIONS.isdisjoint(tables)
            nearest = await find_nearest(ground.reading) if offers else None
        meta["nearest"] = nearest
        if shape.section is None:
            document = _document(ground, tables, {**meta, "sections": _described(tables)})
            return computed(ground.reading, document)
        table = tables[shape.section]
        name = f"guide-{ground.role.code}-{shape.section}"
        meta = {**meta, **table.describe()}
        response = await render_table(
            table.rows, meta, table.columns, asking.format, name, table.kinds
        )
        return computed(ground.reading, response)

    return await services.responses.answer(asked, compute)


def check_format(chosen: Format, section: str | None) -> None:
    """Raise Refused (422) for a whole guide in a format that holds one table."""
    if section is None and chosen is not FORMATS["json"]:
        raise Refused(
            f"A guide is several tables, and {chosen.name} holds one: name it with section="
            f"{', '.join(REGISTRY)}; or ask for format=json.",
            code="section_needed",
            parameter="section",
            nearest=list(REGISTRY),
        )


def _described(tables: dict[str, Table]) -> dict[str, object]:
    return {name: table.describe() for name, table in tables.items()}


def _document(ground: Ground, tables: dict[str, Table], meta: dict[str, object]) -> Response:
    """All sections, and the published facts."""
    role = ground.role
    names = ("code", "name", "family", "soc", "isco")
    data = {
        "role": {name: getattr(role, name) for name in names},
        "facts": ground.facts,
        **{
            name: [{column: row.get(column) for column in table.columns} for row in table.rows]
            for name, table in tables.items()
        },
    }
    body = to_json({"data": data, "meta": meta}, inf_nan_mode="null")
    return Response(body, headers={"Vary": "Accept"}, media_type=FORMATS["json"].media_type)
