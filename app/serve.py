"""The HTTP server: uvicorn on uvloop, with every wait and every header bounded."""

import gc
import json
import signal
import sys
from types import FrameType
from typing import Final

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.zttp_impl import ZttpProtocol

from app.cells.memory import keep_freed_memory
from app.core.errors import WrongSetting
from app.core.log import configure_logging
from app.core.problems import MEDIA_TYPE
from app.health.readiness import Readiness
from app.main import create_app
from app.settings import Settings

SWITCH_S: Final = 0.0005
"""How long a thread that computes may keep the interpreter from the event loop, which needs it
after every system call: with the usual 5 ms, hundreds of requests a second wait behind it."""
KEEP_ALIVE_S: Final = 75
"""Longer than the 60 s of the usual load balancer: otherwise it meets connections just closed."""
BAD_REQUEST: Final = json.dumps(
    {
        "type": "urn:payband:problem:malformed_request",
        "title": "Not an HTTP request",
        "status": 400,
        "detail": "The request line, a header or the body's framing is malformed or too long.",
        "code": "malformed_request",
        "request_id": "",
    }
).encode()


class Protocol(ZttpProtocol):
    """zttp's parser; what it cannot parse is answered with a problem document as well."""

    def data_received(self, data: bytes) -> None:
        """Parse what arrived. A path with bytes that are not ASCII would end in an exception."""
        try:
            super().data_received(data)
        except UnicodeDecodeError:
            self.handle_remote_protocol_error()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, and close."""
        del msg
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(BAD_REQUEST)).encode()),
            (b"connection", b"close"),
        ]
        self.conn.send_response(400, headers)
        self.conn.send_data(BAD_REQUEST)
        self.conn.end_message()
        self.transport.write(self.conn.data_to_send())
        self.transport.close()


class Server(uvicorn.Server):
    """Drains at the first signal, and returns instead of raising the signal again.

    Whoever called `serve` has things to stop as well, such as the private PostgreSQL.
    """

    def __init__(self, config: uvicorn.Config, readiness: Readiness) -> None:
        super().__init__(config)
        self._readiness = readiness

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM or Ctrl-C: what runs is finished in the graceful time; Ctrl-C again: at once."""
        del frame
        self._readiness.set_draining()
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


def serve(settings: Settings, database_url: str) -> None:
    """Serve until SIGTERM or Ctrl-C, then return.

    Raises StaleSchema where the database needs `payband migrate`, WrongSetting where the address
    cannot be listened on.
    """
    configure_logging(settings)
    keep_freed_memory()
    sys.setswitchinterval(SWITCH_S)
    app = create_app(settings, database_url)
    readiness: Readiness = app.state.readiness
    server = Server(build_config(settings, app), readiness)
    # What was imported stays for good: a full collection that looks at it stops requests for 0.2 s.
    gc.collect()
    gc.freeze()
    try:
        server.run()
    except SystemExit:
        # How the server says that it could not start; the log has the details.
        if server.lifespan.should_exit:
            readiness.check_started()
            raise
        raise WrongSetting(
            f"cannot listen on {settings.host}:{settings.port}; is it taken? Set PAYBAND_PORT "
            "(or PORT) to another port, PAYBAND_HOST to an address of this machine"
        ) from None


def build_config(settings: Settings, app: FastAPI) -> uvicorn.Config:
    """How the server is set: no access log (ours has the route), no proxy headers believed."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=Protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=settings.graceful_shutdown_s,
    )
