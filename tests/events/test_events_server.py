"""Streams of a real server: through its parser, and at its end."""

import signal
import time

import httpx

from tests.test_serve import running


def test_sigterm_ends_streams_at_once_and_does_not_wait_for_their_clients(
    database_url: str,
) -> None:
    with running(database_url) as (process, port):
        url = f"http://127.0.0.1:{port}/v1/events"
        with httpx.Client(timeout=20) as client, client.stream("GET", url) as answer:
            lines = answer.iter_lines()
            assert next(lines) == "event: version"
            started = time.monotonic()
            process.send_signal(signal.SIGTERM)
            rest = list(lines)
            assert rest[-1] == ""
        out, _ = process.communicate(timeout=10)
        # Far less than the graceful time, which it would have waited for an open stream.
        assert time.monotonic() - started < 10
    assert process.returncode == 0
    assert out == "returned\n"
