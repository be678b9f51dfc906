"""The formats that can be read, by `Content-Type` or by file name. Light: no columnar library."""

from email.message import Message
from enum import StrEnum
from pathlib import PurePath
from typing import Final

from app.core.errors import UnsupportedType
from app.ingest.fields import shortened


class MediaType(StrEnum):
    """Formats of bodies and files."""

    CSV = "text/csv"
    JSON = "application/json"
    NDJSON = "application/x-ndjson"
    PARQUET = "application/vnd.apache.parquet"


_BY_TYPE: Final = {
    **{member.value: member for member in MediaType},
    "application/csv": MediaType.CSV,
    "text/tab-separated-values": MediaType.CSV,
    "application/ndjson": MediaType.NDJSON,
    "application/jsonl": MediaType.NDJSON,
    "application/x-parquet": MediaType.PARQUET,
    "application/parquet": MediaType.PARQUET,
}
_BY_SUFFIX: Final = {
    ".csv": MediaType.CSV,
    ".tsv": MediaType.CSV,
    ".json": MediaType.JSON,
    ".ndjson": MediaType.NDJSON,
    ".jsonl": MediaType.NDJSON,
    ".parquet": MediaType.PARQUET,
}
_UTF8: Final = {"utf-8", "utf8", "us-ascii"}


def media_type_of_header(content_type: str | None, file_name: str | None = None) -> MediaType:
    """The format that a `Content-Type` header names.

    `application/octet-stream` and a missing header go by `file_name`, where one is known.
    Raises UnsupportedType, also for a `charset` other than UTF-8.
    """
    message = Message()
    message["Content-Type"] = content_type or "application/octet-stream"
    name = message.get_content_type()
    charset = message.get_content_charset("utf-8")
    if name not in _BY_TYPE:
        if name == "application/octet-stream" and file_name is not None:
            return media_type_of_name(file_name)
        raise UnsupportedType(
            f"The content type '{shortened(name)}' cannot be read; send one of "
            + ", ".join(member.value for member in MediaType)
            + "."
        )
    if charset not in _UTF8 and _BY_TYPE[name] is not MediaType.PARQUET:
        raise UnsupportedType(
            f"The charset '{shortened(charset)}' cannot be read; send the text as UTF-8.",
            code="unsupported_charset",
        )
    return _BY_TYPE[name]


def media_type_of_name(file_name: str) -> MediaType:
    """The format that a file's name ends in. Raises UnsupportedType."""
    suffix = PurePath(file_name).suffix.lower()
    if suffix not in _BY_SUFFIX:
        raise UnsupportedType(
            f"'{shortened(file_name)}' has no ending that tells its format; "
            f"use one of {', '.join(_BY_SUFFIX)}."
        )
    return _BY_SUFFIX[suffix]
