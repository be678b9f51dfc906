"""What is kept, bounded by bytes: the answer that was not asked for the longest goes first."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from app.core.responses.entry import Entry

RawKey = tuple[str, bytes, bytes | None, bytes | None]
"""A request as it arrived: path, query string, Accept, Accept-Encoding."""

SLOT_BYTES: Final = 1_000
SPELLING_BYTES: Final = 500
"""What the objects of a slot and of a spelling take beside their texts."""
MOST_SPELLINGS: Final = 64
LONGEST_SPELLING: Final = 4_000
LARGEST_SHARE: Final = 4
"""An answer may take a quarter of the bound: one must not push out all others."""
CHOOSING: Final = (b"accept", b"accept-encoding")


@dataclass(slots=True, eq=False)
class Slot:
    """The newest answer to one question, and how it was spelled. `begins` and `ends` (seconds of
    the epoch) bound the time in which spellings mean it."""

    key: str
    route: str
    begins: float
    ends: float
    entry: Entry
    spellings: dict[RawKey, None] = field(default_factory=dict)
    size: int = 0


class Store:
    """Slots by question, and by request as it arrived."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self.slots: OrderedDict[str, Slot] = OrderedDict()
        self.spelled: dict[RawKey, tuple[Slot, int]] = {}

    def put(self, key: str, route: str, span_s: tuple[float, float], entry: Entry) -> bool:
        """Keep an answer in place of an older one; False where it takes too much."""
        slot = self.slots.get(key)
        if slot is None:
            slot = Slot(key, route, *span_s, entry)
        before, slot.entry = slot.entry, entry
        if not self._fits(slot):
            slot.entry = before
            self.drop(slot)
            return False
        self.slots[key] = slot
        self.measure(slot)
        return True

    def spell(self, raw: RawKey | None, slot: Slot, coding: int) -> None:
        """Know a request as it arrived, with the coding that it wants, as one for this answer."""
        if raw is None or self.slots.get(slot.key) is not slot or _length(raw) > LONGEST_SPELLING:
            return
        known = self.spelled.get(raw)
        if known is not None and known[0] is not slot:
            known[0].spellings.pop(raw, None)
            self.measure(known[0])
        if len(slot.spellings) >= MOST_SPELLINGS and raw not in slot.spellings:
            oldest = next(iter(slot.spellings))
            del slot.spellings[oldest], self.spelled[oldest]
        slot.spellings[raw] = None
        self.spelled[raw] = (slot, coding)
        self.measure(slot)

    def measure(self, slot: Slot) -> None:
        """Count what a slot takes after it changed, and make room where that is too much."""
        if self.slots.get(slot.key) is not slot:
            return
        size = _size(slot)
        self.used_bytes += size - slot.size
        slot.size = size
        self.slots.move_to_end(slot.key)
        while self.used_bytes > self.limit_bytes:
            self.drop(next(iter(self.slots.values())))

    def drop(self, slot: Slot) -> None:
        """Forget an answer."""
        if self.slots.get(slot.key) is slot:
            del self.slots[slot.key]
            self.used_bytes -= slot.size
        for raw in slot.spellings:
            self.spelled.pop(raw, None)
        slot.spellings.clear()
        slot.size = 0

    def clear(self) -> None:
        """Forget all."""
        self.slots.clear()
        self.spelled.clear()
        self.used_bytes = 0

    def _fits(self, slot: Slot) -> bool:
        return slot.entry.size + SLOT_BYTES <= self.limit_bytes // LARGEST_SHARE


def raw_key(scope: Mapping[str, Any]) -> RawKey | None:
    """The request of an ASGI scope as it arrived; None where a header that chooses the form of the
    answer stands there twice."""
    headers = dict(scope["headers"])
    if is_repeated(scope["headers"], CHOOSING):
        return None
    return scope["path"], scope["query_string"], headers.get(CHOOSING[0]), headers.get(CHOOSING[1])


def is_repeated(headers: Iterable[tuple[bytes, bytes]], names: Iterable[bytes]) -> bool:
    """Whether one of the names stands there twice."""
    sent = [name for name, _ in headers]
    return any(sent.count(name) > 1 for name in names)


def _size(slot: Slot) -> int:
    spellings = sum(SPELLING_BYTES + _length(raw) for raw in slot.spellings)
    return SLOT_BYTES + len(slot.key) + slot.entry.size + spellings


def _length(raw: RawKey) -> int:
    return sum(len(part) for part in raw if part is not None)
