"""Which format a body is in; and that reading neither blocks the loop nor depends on pieces."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.errors import UnsupportedType
from app.ingest import reader
from app.ingest.chunks import Chunk, Limits
from app.ingest.fields import ColumnRule
from app.ingest.media import MediaType, media_type_of_header, media_type_of_name
from app.ingest.reader import PARSERS, file_body, read_chunks


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


async def test_a_file_is_parsed_away_from_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: set[int] = set()
    make = PARSERS[MediaType.CSV]

    class Watched:
        """The parser, noting the thread that it runs in."""

        def __init__(self, rule: ColumnRule, limits: Limits) -> None:
            self._parser = make(rule, limits)

        def feed(self, block: bytes) -> Iterator[Chunk]:
            for chunk in self._parser.feed(block):
                threads.add(threading.get_ident())
                yield chunk

        def finish(self) -> Iterator[Chunk]:
            for chunk in self._parser.finish():
                threads.add(threading.get_ident())
                yield chunk

        def close(self) -> None:
            self._parser.close()

    monkeypatch.setattr(reader, "PARSERS", {**PARSERS, MediaType.CSV: Watched})
    path = tmp_path / "rows.csv"
    path.write_bytes(b"title,amount\n" + b"Developer,85000.10\nBad\n" * 1_000)
    received = 0
    async for chunk in read_chunks(file_body(path), MediaType.CSV):
        received += chunk.received
    assert received == 2_000
    assert threads
    assert threading.get_ident() not in threads
