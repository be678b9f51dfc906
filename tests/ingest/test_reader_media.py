"""Which format a body is in; and that reading neither blocks the loop nor depends on pieces."""

import asyncio
import time
from pathlib import Path

import pytest

from app.core.errors import UnsupportedType
from app.ingest.media import MediaType, media_type_of_header, media_type_of_name
from app.ingest.reader import file_body, read_chunks


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("text/csv", MediaType.CSV),
        ("Text/CSV; charset=UTF-8; header=present", MediaType.CSV),
        ("application/json", MediaType.JSON),
        ("application/x-ndjson", MediaType.NDJSON),
        ("application/ndjson; charset=utf8", MediaType.NDJSON),
        ("application/vnd.apache.parquet", MediaType.PARQUET),
    ],
)
def test_content_types(content_type: str, expected: MediaType) -> None:
    assert media_type_of_header(content_type) is expected


@pytest.mark.parametrize(
    ("content_type", "code"),
    [
        ("text/html", "unsupported_type"),
        (None, "unsupported_type"),
        ("", "unsupported_type"),
        ("garbage", "unsupported_type"),
        ("application/octet-stream", "unsupported_type"),
        ("text/csv; charset=latin-1", "unsupported_charset"),
        ("application/json; charset=utf-16", "unsupported_charset"),
    ],
)
def test_other_content_types_are_refused(content_type: str | None, code: str) -> None:
    with pytest.raises(UnsupportedType) as caught:
        media_type_of_header(content_type)
    assert caught.value.problem_code == code
    assert "text/csv" in caught.value.detail or "UTF-8" in caught.value.detail


def test_file_names() -> None:
    names = {"a.csv": "CSV", "b.JSONL": "NDJSON", "c.d.ndjson": "NDJSON", "e.parquet": "PARQUET"}
    assert {name: media_type_of_name(name).name for name in names} == names
    assert media_type_of_header("application/octet-stream", "x.json") is MediaType.JSON
    with pytest.raises(UnsupportedType, match=r"'data\.xlsx' has no ending"):
        media_type_of_name("data.xlsx")


async def test_reading_a_file_leaves_the_loop_free(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"title,amount\n" + b"Developer,85000.10\nBad\n" * 150_000)
    longest = 0.0

    async def beat() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - before)

    beating = asyncio.create_task(beat())
    received = 0
    async for chunk in read_chunks(file_body(path), MediaType.CSV):
        received += chunk.received
    beating.cancel()
    assert received == 300_000
    # Well under what reading takes; the rest is what a busy machine adds.
    assert longest < 0.5
