"""Words of ours in the schema of an Arrow IPC stream.

The columnar reader writes streams, but none of the schema's own metadata. A stream begins with a
message that holds the schema as a flatbuffer. Offsets in it point forward, from where they stand;
so a new root put in front may point at the old fields, and nothing else has to move.

Layouts: Apache Arrow, format/Message.fbs and format/Schema.fbs (metadata version 5); FlatBuffers,
'Internals'.
"""

import struct
from collections.abc import Mapping
from typing import Final

CONTINUATION: Final = b"\xff\xff\xff\xff"
ALIGNMENT: Final = 8

_VERSION_5: Final = 4
_SCHEMA_HEADER: Final = 1
# The place of a member among those of its table.
_MESSAGE_HEADER: Final = 2
_SCHEMA_FIELDS: Final = 1


def add_metadata(stream: bytes, metadata: Mapping[str, str]) -> bytes:
    """An IPC stream whose schema carries `metadata`; it must carry none yet.

    Raises ValueError for bytes that do not begin with a schema message.
    """
    if stream[:4] != CONTINUATION:
        raise ValueError("not an Arrow IPC stream")
    try:
        (size,) = struct.unpack_from("<i", stream, 4)
        old, rest = stream[8 : 8 + size], stream[8 + size :]
        fields_at = _fields_at(old)
    except struct.error as error:
        raise ValueError("not an Arrow schema message") from error
    new = _prefix(metadata, fields_at) + old
    return CONTINUATION + struct.pack("<i", len(new)) + new + rest


def _fields_at(buffer: bytes) -> int:
    """Where the vector of fields stands in a schema message."""
    (message,) = struct.unpack_from("<I", buffer, 0)
    schema = _follow(buffer, message, _MESSAGE_HEADER)
    return _follow(buffer, schema, _SCHEMA_FIELDS)


def _follow(buffer: bytes, table: int, member: int) -> int:
    """Where the member of the table that stands at `table` points to."""
    (back,) = struct.unpack_from("<i", buffer, table)
    vtable = table - back
    (length,) = struct.unpack_from("<H", buffer, vtable)
    place = 4 + 2 * member
    inside = struct.unpack_from("<H", buffer, vtable + place)[0] if place < length else 0
    if not inside:
        raise ValueError("the Arrow schema holds no fields")
    (offset,) = struct.unpack_from("<I", buffer, table + inside)
    return int(table + inside + offset)


def _prefix(metadata: Mapping[str, str], fields_at: int) -> bytes:
    """Root, message, schema and metadata, up to where the old buffer follows.

     0  root -> 16
     4  vtable of the message: 10 bytes, table of 12; version at 8, header type at 10, header 4
    16  message: -> vtable, header -> 40, version, type
    28  vtable of the schema: 10 bytes, table of 12; no endianness (little), fields 4, metadata 8
    40  schema: -> vtable, fields -> old buffer, metadata -> 52
    52  vector of metadata
    """
    vector = _key_values(metadata)
    length = 52 + len(vector)
    length += -length % ALIGNMENT
    message = struct.pack("<iIhBx", 16 - 4, 40 - 20, _VERSION_5, _SCHEMA_HEADER)
    schema = struct.pack("<iII", 40 - 28, length + fields_at - 44, 52 - 48)
    head = b"".join(
        (
            struct.pack("<I", 16),
            struct.pack("<HHHHHxx", 10, 12, 8, 10, 4),
            message,
            struct.pack("<HHHHHxx", 10, 12, 0, 4, 8),
            schema,
        )
    )
    return (head + vector).ljust(length, b"\0")


def _key_values(metadata: Mapping[str, str]) -> bytes:
    """A vector of KeyValue tables, each followed by its two strings; 4-byte aligned throughout."""
    offsets, tables = b"", b""
    start = 4 + 4 * len(metadata)
    for place, (key, value) in enumerate(metadata.items()):
        at = start + len(tables)
        named, told = _string(key), _string(value)
        # The vtable (8 bytes: its length, the table's, two members), then the table.
        offsets += struct.pack("<I", at + 8 - (4 + 4 * place))
        table = struct.pack("<iII", 8, 8, 4 + len(named))
        tables += struct.pack("<HHHH", 8, 12, 4, 8) + table + named + told
    return struct.pack("<I", len(metadata)) + offsets + tables


def _string(text: str) -> bytes:
    data = text.encode()
    padded = data + b"\0" * (4 - len(data) % 4)
    return struct.pack("<I", len(data)) + padded
