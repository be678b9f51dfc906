"""A bare ASGI function on the service's own server settings: the least that an answer can cost.

`python -m bench.bare_app PORT FILE`: FILE is the answer as JSON, see `Sent`.
"""

import base64
import gc
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from app.health.readiness import Readiness
from app.serve import Server, build_config
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class Sent:
    """An answer: its head without what the server adds, and its body in base64."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: str

    @classmethod
    def of(cls, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> "Sent":
        """What the server has received from an application whose answer this is."""
        kept = [(name, value) for name, value in headers if name != "date"]
        return cls(status, kept, base64.b64encode(body).decode())

    def write(self, path: Path) -> None:
        """Write the file."""
        path.write_text(json.dumps(asdict(self)))


def build_app(sent: Sent) -> ASGIApp:
    """Answers every request with the same bytes."""
    headers = [(name.encode(), value.encode()) for name, value in sent.headers]
    start = {"type": "http.response.start", "status": sent.status, "headers": headers}
    body = {"type": "http.response.body", "body": base64.b64decode(sent.body)}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send(start)
        await send(body)

    return app


def main() -> None:
    port, path = int(sys.argv[1]), Path(sys.argv[2])
    sent = Sent(**json.loads(path.read_text()))
    config = build_config(Settings(port=port), cast("FastAPI", build_app(sent)))
    gc.collect()
    gc.freeze()
    Server(config, Readiness()).run()


if __name__ == "__main__":
    main()
