"""A response that lasts: server-sent events until one side has enough."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from app.events.broadcast import Broadcast, Listener, RoleIds

HEARTBEAT_S: Final = 15.0
HEARTBEAT: Final = b": still here\n\n"
LONGEST_S: Final = 3600.0
"""After about an hour the client has to come again, with a key that still holds."""
SEND_S: Final = 60.0
"""A client that reads nothing for so long is gone, or as good as gone."""
LAST_S: Final = 0.1
"""The same for the end of a stream."""
END: Final[Message] = {"type": "http.response.body", "body": b""}


class EventStream(Response):
    """Tells one listener of new data versions.

    Whoever reads slowly gets the newest state when it has read: nothing is queued. `seen` is the
    last id that the client got before it lost its connection.
    """

    media_type = "text/event-stream"
    charset = "utf-8"

    def __init__(self, broadcast: Broadcast, roles: RoleIds, seen: str | None) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._broadcast = broadcast
        self._roles = roles
        self._seen = seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream. Raises Unavailable, Draining before anything is sent."""
        with self._broadcast.listening() as listener:
            self._broadcast.state()
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            gone = asyncio.create_task(_notice(receive, listener))
            try:
                if scope["method"] != "HEAD":
                    await self._tell(_sender(send, listener), listener)
                await _bounded(send(END), listener)
            except TimeoutError:
                await _abandon(scope.get("payband.send"))
            finally:
                gone.cancel()

    async def _tell(self, tell: Callable[[bytes], Awaitable[None]], listener: Listener) -> None:
        until = monotonic() + LONGEST_S * random.uniform(0.9, 1.1)  # noqa: S311 - no secret
        known = self._broadcast.state()
        current = str(known.versions.of(self._roles))
        first = self._broadcast.render(None, known, self._roles)
        await tell(HEARTBEAT if self._seen == current or first is None else first)
        while not listener.ended and monotonic() < until:
            told = None
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await listener.news.wait()
            except TimeoutError:
                told = HEARTBEAT
            listener.news.clear()
            new = self._broadcast.state()
            if new is not known:
                told = self._broadcast.render(known, new, self._roles) or told
                known = new
            if told is not None and not listener.ended:
                await tell(told)


def _sender(send: Send, listener: Listener) -> Callable[[bytes], Awaitable[None]]:
    async def tell(text: bytes) -> None:
        message = {"type": "http.response.body", "body": text, "more_body": True}
        await _bounded(send(message), listener)

    return tell


async def _bounded(sent: Awaitable[None], listener: Listener) -> None:
    """Wait until something is sent. Raises TimeoutError where the client does not read.

    At once where the listener was ended and the client has to read first.
    """
    try:
        async with asyncio.timeout(LAST_S if listener.ended else SEND_S) as listener.sending:
            await sent
    finally:
        listener.sending = None


async def _abandon(send: Send | None) -> None:
    """Drop the connection with what is not sent: closing it would wait for the client to read."""
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if send is not None and transport is not None:
        transport.abort()
        await send(END)  # returns when the server has noticed


async def _notice(receive: Receive, listener: Listener) -> None:
    """Notice that the client went."""
    while (await receive())["type"] != "http.disconnect":
        pass
    listener.end()
