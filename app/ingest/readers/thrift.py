"""Thrift's compact protocol, as far as Parquet's footer and page headers need it.

https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from typing import Any, Final

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_INTEGERS: Final = (4, 5, 6)
_MAX_DEPTH: Final = 16


class ThriftError(ValueError):
    """The bytes are no compact Thrift."""


class ThriftReader:
    """Reads structs into dicts of field number to value: int, bytes, list, dict or None.

    Raises ThriftError where the bytes end early or make no sense. Maps and doubles, which we do
    not use, are passed over as None.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        if depth > _MAX_DEPTH:
            raise ThriftError("nested too deeply")
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            delta, kind = head >> 4, head & 15
            number = number + delta if delta else self._zigzag()
            fields[number] = kind == _TRUE if kind <= _FALSE else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in _INTEGERS:
            return self._zigzag()
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind == _BINARY:
            return self._take(self._varint())
        if kind in (_LIST, _SET):
            head = self._byte()
            size = head >> 4 if head >> 4 < 15 else self._varint()
            if size > len(self._data):
                raise ThriftError("a list longer than the bytes")
            return [self._item(head & 15, depth) for _ in range(size)]
        if kind == _DOUBLE:
            return self._take(8) and None
        if kind == _BYTE:
            return self._byte()
        return self._map(depth)

    def _item(self, kind: int, depth: int) -> Any:
        return self._byte() == _TRUE if kind <= _FALSE else self._value(kind, depth)

    def _map(self, depth: int) -> None:
        if size := self._varint():
            kinds = self._byte()
            for _ in range(min(size, len(self._data))):
                self._item(kinds >> 4, depth)
                self._item(kinds & 15, depth)

    def _byte(self) -> int:
        if self.at >= len(self._data):
            raise ThriftError("it ends too early")
        self.at += 1
        return self._data[self.at - 1]

    def _take(self, size: int) -> bytes:
        if size > len(self._data) - self.at:
            raise ThriftError("it ends too early")
        self.at += size
        return self._data[self.at - size : self.at]

    def _varint(self) -> int:
        value = shift = 0
        while shift < 70:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
        raise ThriftError("a number that does not end")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
