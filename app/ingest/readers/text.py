"""What the text formats share: the encoding, and where in the body something is wrong."""

from app.core.errors import InvalidBody

BOM = b"\xef\xbb\xbf"

_SIGNATURES = (
    (b"\xff\xfe", "UTF-16 text; save it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text; save it as UTF-8"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook; save the sheet as CSV (UTF-8)"),
    (b"\x1f\x8b", "gzip-compressed; decompress it"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed; decompress it"),
    (b"PAR1", "Parquet; send it as application/vnd.apache.parquet"),
)


def check_start(data: bytes) -> None:
    """Refuse a body that is plainly something other than UTF-8 text. Raises InvalidBody."""
    for signature, what in _SIGNATURES:
        if data.startswith(signature):
            raise InvalidBody(f"The body is {what}.", code="wrong_encoding")
    if b"\0" in data[:2]:
        raise InvalidBody("The body is UTF-16 text; save it as UTF-8.", code="wrong_encoding")


def empty_body() -> InvalidBody:
    return InvalidBody("The body is empty.", code="empty_body")


def encoding_error(data: bytes, at: int, *, line: int, offset: int) -> InvalidBody:
    """The error for the byte at `data[at]`, where `data` starts at `line` and byte `offset`."""
    at_line = line + data.count(b"\n", 0, at)
    return InvalidBody(
        f"Byte 0x{data[at]:02X} at line {at_line:,} (byte {offset + at:,} of the body) is not "
        "UTF-8: this file looks like latin-1 or Windows-1252; save it as UTF-8 and send it again.",
        code="wrong_encoding",
        line=at_line,
        byte=offset + at,
    )


def first_wrong_byte(data: bytes) -> int | None:
    """The index of the first byte that is not UTF-8; None if all is."""
    if data.isascii():
        return None
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start
    return None


def has_surrogate(text: str) -> bool:
    """Whether `text` holds a lone surrogate, which UTF-8 and PostgreSQL cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
