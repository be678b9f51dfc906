"""A TCP proxy that can fall silent, as a frozen server or a dropped network does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from sqlalchemy import make_url


class Proxy:
    """Forwards connections to the database of `url`.

    `silence()` stops forwarding on the connections that there are and keeps them open;
    `freeze()` and `thaw()` do so with new ones too; `cut()` closes all.
    """

    def __init__(self, url: str) -> None:
        self._target = make_url(url)
        self._open: list[tuple[asyncio.Task[None], asyncio.StreamWriter]] = []
        self._frozen = False
        self._server: asyncio.Server | None = None
        self.url = ""
        self.connections = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        url = self._target.set(host="127.0.0.1", port=port, query={})
        self.url = url.render_as_string(hide_password=False)

    def silence(self) -> None:
        for task, _ in self._open:
            task.cancel()

    def freeze(self) -> None:
        self._frozen = True
        self.silence()

    def thaw(self) -> None:
        self._frozen = False

    def cut(self) -> None:
        for task, writer in self._open:
            task.cancel()
            writer.close()
        self._open.clear()

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.sleep(0)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self._frozen:
            self._open.append((asyncio.ensure_future(asyncio.sleep(0)), writer))
            return
        their_reader, their_writer = await self._connect()
        for source, sink in ((reader, their_writer), (their_reader, writer)):
            self._open.append((asyncio.create_task(_forward(source, sink)), sink))

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        target = self._target
        host = str(target.query.get("host") or target.host)
        port = target.port or 5432
        if host.startswith("/"):
            return await asyncio.open_unix_connection(Path(host) / f".s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def proxied(url: str) -> AsyncIterator[Proxy]:
    """A running proxy in front of the database of `url`."""
    proxy = Proxy(url)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
