"""A client of an endless answer: reads server-sent events from the application directly."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from starlette.types import ASGIApp, Message

PATIENCE_S = 20


class Stream:
    """What has arrived of one answer. `hold()` makes the client a slow reader."""

    def __init__(self) -> None:
        self._arrived = asyncio.Condition()
        self._gone = asyncio.Event()
        self._reading = asyncio.Event()
        self._reading.set()
        self._asked = False
        self.status = 0
        self.headers: dict[str, str] = {}
        self.text = ""
        self.complete = False
        self._read = 0

    @property
    def parts(self) -> list[str]:
        return self.text.split("\n\n")[:-1]

    async def next(self) -> dict[str, Any]:
        """The next event: its fields, `data` decoded."""
        while True:
            part = await self.next_part()
            if not part.startswith(":"):
                fields = dict(line.split(": ", 1) for line in part.splitlines())
                return {**fields, "data": json.loads(fields["data"])}

    async def next_part(self) -> str:
        async with asyncio.timeout(PATIENCE_S), self._arrived:
            await self._arrived.wait_for(lambda: len(self.parts) > self._read)
        self._read += 1
        return self.parts[self._read - 1]

    async def until_complete(self) -> None:
        async with asyncio.timeout(PATIENCE_S), self._arrived:
            await self._arrived.wait_for(lambda: self.complete)

    def hold(self) -> None:
        self._reading.clear()

    def go_on(self) -> None:
        self._reading.set()

    def leave(self) -> None:
        self._gone.set()
        self._reading.set()

    async def receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        await self._reading.wait()
        async with self._arrived:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.headers = {key.decode(): value.decode() for key, value in message["headers"]}
            else:
                self.text += message.get("body", b"").decode()
                self.complete = not message.get("more_body", False)
            self._arrived.notify_all()

    async def until_begun(self) -> None:
        async with asyncio.timeout(PATIENCE_S), self._arrived:
            await self._arrived.wait_for(lambda: self.status)


@asynccontextmanager
async def streaming(
    application: ASGIApp,
    path: str = "/v1/events",
    query: str = "",
    headers: Mapping[str, str] | None = None,
    method: str = "GET",
) -> AsyncIterator[Stream]:
    """An open request; the client leaves at the end of the block, and the answer with it."""
    stream = Stream()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [
            (key.lower().encode(), value.encode()) for key, value in (headers or {}).items()
        ],
        "client": ("127.0.0.1", 1),
        "server": ("payband.test", 80),
        "state": {},
    }
    answering = asyncio.ensure_future(application(scope, stream.receive, stream.send))
    try:
        await stream.until_begun()
        yield stream
    finally:
        stream.leave()
        async with asyncio.timeout(PATIENCE_S):
            await answering
