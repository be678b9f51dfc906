"""Alive, ready, starting, draining; and what happens when the database is not there."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import make_url

from app.core.errors import StaleSchema
from app.main import create_app
from app.settings import Settings
from tests.conftest import connect

HERE = 10.0


async def test_a_started_service_is_alive_and_ready(client: httpx.AsyncClient) -> None:
    assert (await client.get("/livez")).json() == {"status": "alive"}
    assert (await client.get("/readyz")).json() == {"status": "ready"}


async def test_a_draining_one_is_alive_and_finishes_what_it_gets(
    application: FastAPI, client: httpx.AsyncClient
) -> None:
    application.state.readiness.set_draining()
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "draining")
    assert "retry-after" in answer.headers
    assert (await client.get("/livez")).status_code == 200
    assert (await client.get("/v1/status")).status_code == 200


async def test_a_stale_schema_refuses_to_start(settings: Settings, empty_database_url: str) -> None:
    application = create_app(settings, empty_database_url)
    with pytest.raises(StaleSchema, match="payband migrate"):
        async with application.router.lifespan_context(application):
            pass


async def test_another_base_currency_refuses_to_start(
    settings: Settings, database_url: str
) -> None:
    application = create_app(replace(settings, base_currency="EUR"), database_url)
    with pytest.raises(StaleSchema, match="PAYBAND_BASE_CURRENCY"):
        async with application.router.lifespan_context(application):
            pass


class Gateway:
    """Forwards a port of this machine to the database while `open`."""

    def __init__(self, url: str) -> None:
        self._target = make_url(url)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]

    @property
    def url(self) -> str:
        """The database through this gateway."""
        plain = self._target.difference_update_query(["host", "port"])
        return plain.set(host="127.0.0.1", port=self.port).render_as_string(hide_password=False)

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", self.port)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        current = asyncio.current_task()
        assert current is not None
        self._tasks.add(current)
        current.add_done_callback(self._tasks.discard)
        there = await self._connect()
        try:
            await asyncio.gather(_pump(reader, there[1]), _pump(there[0], writer))
        finally:
            writer.transport.abort()
            there[1].transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host = self._target.host or str(self._target.query.get("host", "127.0.0.1"))
        port = self._target.port or int(str(self._target.query.get("port", "5432")))
        if os.path.isabs(host):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@pytest.fixture
async def gateway(database_url: str, emptied: None) -> AsyncIterator[Gateway]:
    gateway = Gateway(database_url)
    yield gateway
    await gateway.close()


async def until(client: httpx.AsyncClient, path: str, status: int) -> None:
    async with asyncio.timeout(HERE):
        while (await client.get(path)).status_code != status:  # noqa: ASYNC110 - asked over HTTP
            await asyncio.sleep(0.1)


async def test_a_database_that_is_away_at_start_is_waited_for(
    settings: Settings, gateway: Gateway
) -> None:
    application = create_app(replace(settings, connect_timeout_s=1), gateway.url)
    async with application.router.lifespan_context(application), connect(application) as client:
        for path in ("/readyz", "/v1/status"):
            answer = await client.get(path)
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "2"
            assert answer.headers["content-type"] == "application/problem+json"
        assert (await client.get("/livez")).status_code == 200
        await gateway.open()
        await until(client, "/readyz", 200)
        assert (await client.get("/v1/status")).status_code == 200


async def test_losing_the_database_is_503_for_questions_and_stays_ready(
    settings: Settings, gateway: Gateway
) -> None:
    await gateway.open()
    application = create_app(replace(settings, connect_timeout_s=1), gateway.url)
    async with application.router.lifespan_context(application), connect(application) as client:
        assert (await client.get("/v1/status")).status_code == 200
        await gateway.close()
        answer = await client.get("/v1/status")
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert (await client.get("/readyz")).status_code == 200
        await gateway.open()
        await until(client, "/v1/status", 200)
