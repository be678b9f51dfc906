"""The server as a process: what it answers to what is hardly HTTP, and how it ends."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import httpx
import pytest

SCRIPT = """
import sys
from app.core.errors import PaybandError
from app.serve import serve
from app.settings import build_settings
settings = build_settings()
try:
    serve(settings, settings.database_url)
except PaybandError as error:
    print(error.detail)
    sys.exit(1)
print("returned")
"""
START_S = 20


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(url: str, port: int) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "PAYBAND_DATABASE_URL": url,
        "PAYBAND_PORT": str(port),
        "PAYBAND_BODY_LIMIT": "1",
        "PAYBAND_DISCARD_LIMIT": "8",
    }
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@contextmanager
def running(url: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    port = free_port()
    process = start(url, port)
    try:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            try:
                httpx.get(f"http://127.0.0.1:{port}/readyz").raise_for_status()
                break
            except httpx.HTTPError:
                assert process.poll() is None, process.communicate()
                time.sleep(0.1)
        yield process, port
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def port(database_url: str) -> Iterator[int]:
    with running(database_url) as (_, port):
        yield port


def exchange(port: int, *parts: bytes) -> bytes:
    """Send `parts` on one connection; what comes until the server closes it or rests for 1 s."""
    with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        answer = b""
        try:
            for part in parts:
                connection.sendall(part)
            while data := connection.recv(65536):
                answer += data
        except OSError:
            pass
        return answer


HOST = b"Host: x\r\n"
UPLOAD = b"POST /v1/salaries/records HTTP/1.1\r\n" + HOST


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"garbage\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n\r\n",
        b"GET /\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /livez HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 200_000 + b"\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n" + HOST + b"X: a\r\n" * 5_000 + b"\r\n",
        UPLOAD + b"Content-Length: -3\r\n\r\n",
        UPLOAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_what_is_not_http_gets_a_problem_document(port: int, request_bytes: bytes) -> None:
    head, _, body = exchange(port, request_bytes).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in head
    document = json.loads(body)
    assert document["code"] == "malformed_request"
    assert {"type", "title", "status", "detail", "code", "request_id"} == set(document)


def test_requests_on_one_connection_are_answered_in_order(port: int) -> None:
    get = b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n"
    answers = exchange(port, get + get.replace(b"GET", b"HEAD") + get)
    assert answers.count(b"HTTP/1.1 200 OK") == 3
    assert answers.count(b'{"status":"alive"}') == 2


def test_a_chunked_upload_over_the_limit_gets_to_read_its_413(port: int) -> None:
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    head = b"POST /v1/levels HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    answer = exchange(port, head, chunk * 48, b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in answer


def test_a_declared_upload_over_the_limit_gets_to_read_its_413(port: int) -> None:
    size = 3_000_000
    head = UPLOAD + f"Content-Length: {size}\r\n\r\n".encode()
    answer = exchange(port, head, b"x" * size)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"/v1/imports" in answer


def test_expecting_to_continue_with_too_much_is_answered_before_the_body(port: int) -> None:
    head = UPLOAD + b"Expect: 100-continue\r\nContent-Length: 3000000\r\n\r\n"
    assert exchange(port, head).startswith(b"HTTP/1.1 413")


def test_sigterm_finishes_what_runs_and_returns_to_the_caller(database_url: str) -> None:
    size = 3_000_000
    with running(database_url) as (process, port):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(UPLOAD + f"Content-Length: {size}\r\n\r\n".encode())
            connection.sendall(b"x" * (size // 2))
            time.sleep(0.3)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            assert process.poll() is None
            with pytest.raises(OSError, match="refused"):
                socket.create_connection(("127.0.0.1", port), timeout=1)
            connection.sendall(b"x" * (size // 2))
            assert connection.recv(65536).startswith(b"HTTP/1.1 413")
        out, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert out == "returned\n"


def test_a_stale_schema_ends_the_process_and_says_what_to_do(empty_database_url: str) -> None:
    process = start(empty_database_url, free_port())
    out, _ = process.communicate(timeout=START_S)
    assert process.returncode == 1
    assert "payband migrate" in out


def test_a_port_that_is_taken_is_named(database_url: str) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = start(database_url, taken.getsockname()[1])
        out, _ = process.communicate(timeout=START_S)
    assert process.returncode == 1
    assert "PAYBAND_PORT" in out


def test_log_lines_are_json_and_hold_no_query_string(database_url: str) -> None:
    with running(database_url) as (process, port):
        httpx.get(f"http://127.0.0.1:{port}/v1/status?amount=137137")
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=10)
    lines = [json.loads(line) for line in log.splitlines()]
    (line,) = [line for line in lines if line.get("status") == 422]
    assert (line["route"], line["method"]) == ("/v1/status", "GET")
    assert line["request_id"]
    assert "137137" not in log


def test_kept_answers_are_framed_like_computed_ones(port: int) -> None:
    get = "GET /v1/levels HTTP/1.1\r\nHost: x\r\n{}\r\n"
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        tag = client.get("/v1/levels", headers={"accept-encoding": "identity"}).headers["etag"]
    # Once so that this way of asking is known, then all on one connection.
    plain, known = get.format("").encode(), get.format(f"If-None-Match: {tag}\r\n").encode()
    head = plain.replace(b"GET", b"HEAD")
    last = get.format("Connection: close\r\n").encode()
    exchange(port, plain)
    answers = exchange(port, plain + head + known + last)
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"200", b"200", b"304", b"200"]
    assert answers.count(b"cache-status: payband; hit") == 4
    assert answers.count(b'{"data":[') == 2
