"""Many rows of cells made one: sorted, and what withdraws each other cancelled.

This module loads numpy: import it where it is used, not when the service starts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from app.cells.strings import AMOUNTS, PAID, PLACES, WITHDRAWN


class UnmatchedWithdrawal(Exception):
    """An entry withdraws a record that the cells do not hold: they differ from the records."""


@dataclass(frozen=True, slots=True)
class Block:
    """Entries of one role, source, pay kind and month, as what the three strings hold.

    `paid` is compared by its bytes: NaN is equal to itself.
    """

    amounts: npt.NDArray[Any]
    places: npt.NDArray[Any]
    paid: npt.NDArray[Any]

    def __len__(self) -> int:
        return len(self.amounts)

    def taken(self, places: npt.NDArray[Any]) -> "Block":
        """The entries at those places, or where a mask is true."""
        return Block(self.amounts[places], self.places[places], self.paid[places])

    @property
    def withdraws(self) -> npt.NDArray[np.bool_]:
        """Which entries are withdrawals."""
        return np.asarray(self.amounts["day"] & WITHDRAWN > 0)

    def strings(self) -> tuple[bytes, bytes, bytes]:
        """`amounts`, `places` and `paid`."""
        return self.amounts.tobytes(), self.places.tobytes(), self.paid.tobytes()


def read_block(amounts: bytes, places: bytes, paid: bytes) -> Block:
    """The entries of three strings. Raises ValueError where they differ in length."""
    block = Block(*map(np.frombuffer, (amounts, places, paid), (AMOUNTS, PLACES, PAID)))
    if not len(block.amounts) == len(block.places) == len(block.paid):
        raise ValueError("the strings have different lengths")
    return block


def merge_blocks(blocks: Sequence[Block]) -> Block:
    """All entries by region, level and amount, without those that cancel out.

    Raises UnmatchedWithdrawal.
    """
    block = _joined(blocks)
    if block.withdraws.any():
        return _net(block)
    return block.taken(np.lexsort(_order(block)))


def canonical(block: Block) -> Block:
    """The entries in the one order that equal entries have whatever they came from."""
    return block.taken(np.lexsort(_full_order(block)))


def _joined(blocks: Sequence[Block]) -> Block:
    # The types are stated: joining would turn them into the numbers of this machine.
    if len(blocks) == 1:
        return blocks[0]
    return Block(
        np.concatenate([block.amounts for block in blocks], dtype=AMOUNTS),
        np.concatenate([block.places for block in blocks], dtype=PLACES),
        np.concatenate([block.paid for block in blocks], dtype=PAID),
    )


def _order(block: Block) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Keys of a sort, the weightiest last: amount, level, day and kinds; region and level."""
    level = block.amounts["level"].astype(np.int64)
    place = (block.places["region"].astype(np.int64) << 16) | level
    day = (block.amounts["day"] & ~np.uint8(WITHDRAWN)).astype(np.int64)
    rest = (level << 16) | (day << 8) | block.amounts["kinds"]
    return (block.amounts["amount"].astype(np.int64) << 32) | rest, place


def _full_order(block: Block) -> tuple[npt.NDArray[np.int64], ...]:
    """As `_order`, over all that an entry holds but the flag of withdrawals."""
    industry = block.places["industry"].astype(np.int64)
    paid = np.ascontiguousarray(block.paid).view(">i8").astype(np.int64)
    return (paid, (industry << 16) | block.places["currency"], *_order(block))


def _net(block: Block) -> Block:
    """Each kind of entry as often as it was added more than withdrawn."""
    keys = _full_order(block)
    order = np.lexsort(keys)
    starts = np.zeros(len(order), bool)
    starts[0] = True
    for key in keys:
        ordered = key[order]
        starts[1:] |= ordered[1:] != ordered[:-1]
    block = block.taken(order)
    firsts = np.flatnonzero(starts)
    left = np.add.reduceat(np.where(block.withdraws, -1, 1), firsts)
    if (left < 0).any():
        raise UnmatchedWithdrawal
    # Which of the equal entries stay does not matter, but that they do not withdraw.
    kept = block.taken(np.repeat(firsts, left))
    amounts = kept.amounts.copy()
    amounts["day"] &= np.uint8(255 - WITHDRAWN)
    return Block(amounts, kept.places, kept.paid)
