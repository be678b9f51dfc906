"""GET and POST /v1/profiles: import mappings."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from app.access.audit import record
from app.access.caller import CallerDep
from app.access.scopes import Scope, requires
from app.core.openapi import example, problems
from app.dependencies import ServicesDep
from app.ingest.documentation import PROFILE_EXAMPLE
from app.ingest.profiles import Profile
from app.ingest.stored_profiles import describe, list_profiles, save_profile

router = APIRouter(tags=["imports"])


class NewProfile(BaseModel):
    """An import mapping. `profile` has the structure of the TOML files (docs/profiles.md)."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{name: PROFILE_EXAMPLE[name] for name in ("code", "profile")}]
        },
    )

    code: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    profile: dict[str, Any]


@router.get(
    "/profiles",
    dependencies=[requires(Scope.RECORDS_WRITE)],
    summary="Import mappings",
    responses=example("All of them.", {"data": [PROFILE_EXAMPLE], "meta": {"rows": 1}}),
)
async def get_profiles(services: ServicesDep) -> dict[str, Any]:
    """The profiles that come with Payband and those that were added: which column of a file is
    which field, and which value means what."""
    async with services.database.read() as session:
        found = await list_profiles(session)
    return {"data": found, "meta": {"rows": len(found)}}


@router.post(
    "/profiles",
    dependencies=[requires(Scope.TAXONOMY_WRITE)],
    summary="Add or replace an import mapping",
    responses={**example("The profile as it is kept.", PROFILE_EXAMPLE), **problems(409)},
)
async def post_profile(services: ServicesDep, caller: CallerDep, given: NewProfile) -> Response:
    """Checked before it is kept. 201 for a new one; those that come with Payband stay as they
    are (409)."""
    async with services.database.write() as session:
        is_new = await save_profile(session, given.code, given.profile)
        await record(session, caller, "profile.write", code=given.code)
    kept = Profile.from_mapping(given.profile, name=given.code)
    return JSONResponse(describe(kept, shipped=False), status_code=201 if is_new else 200)
