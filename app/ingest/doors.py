"""From an HTTP request to an import and back: what the routes that take rows share."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from app.access.caller import Caller
from app.core.database import WriteSession
from app.core.errors import PaybandError
from app.core.problems import ProblemResponse
from app.dependencies import Services
from app.ingest.idempotency import (
    KeyClaim,
    RequestHash,
    StoredAnswer,
    check_key,
    check_same,
    claim_key,
)
from app.ingest.importer import Importer, Outcome, SenderGone
from app.ingest.options import ImportOptions

CLEAN_UP_S: Final = 5.0
"""How long a request that is cut off may take to note it."""

REPLAYED: Final = {"Idempotency-Replayed": "true"}

Result = TypeVar("Result")


async def receive_rows(
    request: Request, services: Services, caller: Caller, options: ImportOptions
) -> Response:
    """Import the request's body and answer with the report.

    Raises PaybandError for what cannot be imported, ClientDisconnect where the client went away.
    """
    door = _Door(request, services, caller, options)
    try:
        return await _in_own_task(door.answer())
    except SenderGone:
        raise ClientDisconnect from None
    except PaybandError:
        await _discard_rest(request, services.settings.discard_limit)
        raise


class _Door:
    """One request that brings rows."""

    def __init__(
        self, request: Request, services: Services, caller: Caller, options: ImportOptions
    ) -> None:
        self._request = request
        self._services = services
        self._caller = caller
        self._options = options
        self._hash = RequestHash(_target(request, options))

    async def answer(self) -> Response:
        key = self._options.idempotency_key
        if key is None:
            return _response(await self._import(None))
        check_key(key)
        async with self._services.database.write() as session:
            claim = await claim_key(session, self._caller.id, key)
        if isinstance(claim, StoredAnswer):
            return await self._repeat(claim)
        try:
            return _response(await self._import(claim))
        finally:
            await asyncio.shield(self._release(claim))

    async def _import(self, claim: KeyClaim | None) -> Outcome:
        async def opened(session: WriteSession, import_id: int) -> None:
            if claim is not None:
                await claim.link(session, import_id)

        async def ended(session: WriteSession, outcome: Outcome) -> None:
            if claim is not None:
                await claim.answer(session, self._hash.digest(), outcome)

        importer = Importer(self._services, self._options, self._caller, opened=opened, ended=ended)
        return await importer.run(self._hash.over(_pieces(self._request)))

    async def _repeat(self, stored: StoredAnswer) -> Response:
        async for _ in self._hash.over(_pieces(self._request)):
            pass
        check_same(stored, self._hash.digest())
        if stored.status == 200:
            return JSONResponse(stored.answer, headers=REPLAYED)
        problem = stored.answer["problem"]
        error = PaybandError(
            problem["detail"], code=problem["code"], headers=REPLAYED, **stored.answer["members"]
        )
        return ProblemResponse(
            self._request.scope, error, status=stored.status, title=problem["title"]
        )

    async def _release(self, claim: KeyClaim) -> None:
        """Does nothing where an answer was stored."""
        try:
            async with self._services.database.write() as session:
                await claim.release(session)
        except PaybandError:
            return  # the key is taken over once its import has gone silent


def _response(outcome: Outcome) -> Response:
    if outcome.error is not None:
        raise outcome.error
    return JSONResponse(outcome.report)


def _target(request: Request, options: ImportOptions) -> str:
    """What the request asks, apart from its body."""
    query = urlencode(sorted(request.query_params.multi_items()))
    return f"{request.method} {request.url.path}?{query} {options.media_type.value}"


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    try:
        async for piece in request.stream():
            yield piece
    except ClientDisconnect:
        raise SenderGone from None


async def _in_own_task(work: Coroutine[Any, Any, Result]) -> Result:
    """Away from the request's cancellation, which would break a transaction at any point; what is
    cut off gets a moment to note it."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait({task}, timeout=CLEAN_UP_S)
        raise


async def _discard_rest(request: Request, most: int) -> None:
    """Read and drop what the client still sends, up to a limit: most read no answer before."""
    try:
        async for piece in request.stream():
            most -= len(piece)
            if most < 0:
                return
    except (ClientDisconnect, RuntimeError):
        return  # gone, or read to its end already
