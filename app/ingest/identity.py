"""Which record a row is: keyed hashes of its external id, or of the row as it arrived."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from app.ingest.chunks import ROW

Hashes = npt.NDArray[np.uint64]

KEY_BYTES: Final = 16
_NUMBER: Final = pl.Decimal(38, 10)
SEPARATOR: Final = "\x1f"
_BY_EXTERNAL_ID: Final = b"external_id"
_BY_ROW: Final = b"row"
_REPEATED: Final = b"repeated"


class RepeatCounter:
    """Counts how often each 64-bit hash was met before, in 8 bytes for each row.

    Sorted runs of all hashes met, merged when two are of about the same size, so that a hash is
    looked up in a few of them. Five million rows take 40 MB, and twice that while runs merge.
    """

    def __init__(self) -> None:
        self._runs: list[Hashes] = []

    def count(self, hashes: Hashes) -> npt.NDArray[np.int64]:
        """For each hash how many equal ones came before it, in this call and in earlier ones."""
        order = np.argsort(hashes, kind="stable")
        ordered = hashes[order]
        distinct, starts, counts = np.unique(ordered, return_index=True, return_counts=True)
        group = np.repeat(np.arange(len(distinct)), counts)
        before = np.arange(len(ordered)) - starts[group] + self._known(distinct)[group]
        self._add(ordered)
        result = np.empty(len(hashes), np.int64)
        result[order] = before
        return result

    def _known(self, distinct: Hashes) -> npt.NDArray[np.int64]:
        known = np.zeros(len(distinct), np.int64)
        for run in self._runs:
            known += np.searchsorted(run, distinct, "right") - np.searchsorted(run, distinct)
        return known

    def _add(self, ordered: Hashes) -> None:
        self._runs.append(ordered)
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            merged = np.concatenate([self._runs.pop(), self._runs.pop()])
            merged.sort()
            self._runs.append(merged)


@dataclass
class Identities:
    """Makes the keys of one import's rows. `batch` is what tells its rows without an external id
    from those of other imports; None where there is none to tell them by."""

    secret: bytes
    batch: str | None
    _repeats: RepeatCounter = field(default_factory=RepeatCounter)

    def keys(self, rows: pl.DataFrame, arrived: pl.DataFrame) -> pl.Series:
        """The key of each of `rows` as 32 hexadecimal digits, null where it needs a batch.

        `arrived` is the chunk that `rows` were made of: text columns and row numbers.
        """
        by_id = _hasher(self.secret, _BY_EXTERNAL_ID)
        keys = pl.Series("key", [None] * rows.height, dtype=pl.String)
        has_id = rows["external_id"].is_not_null()
        if has_id.any():
            texts = rows["external_id"].to_list()
            keys = pl.Series(
                "key", [None if text is None else _digest(by_id, text).hex() for text in texts]
            ).cast(pl.String)
        if has_id.all() or self.batch is None:
            return keys
        lacking = rows.filter(~has_id).select(ROW)
        made = self._row_keys(lacking.join(arrived, on=ROW, how="left", maintain_order="left"))
        places = pl.Series(np.flatnonzero(~has_id.to_numpy()), dtype=pl.UInt32)
        return keys.scatter(places, made)

    def _row_keys(self, arrived: pl.DataFrame) -> list[str]:
        """Keys of rows by batch, content and repetition."""
        by_row = _hasher(self.secret, _BY_ROW)
        by_row.update(f"{self.batch}{SEPARATOR}".encode())
        digests = [_digest(by_row, text) for text in row_texts(arrived)]
        firsts = np.frombuffer(b"".join(digest[:8] for digest in digests), np.uint64)
        repeats = self._repeats.count(firsts)
        repeated = _hasher(self.secret, _REPEATED)
        keys = [digest.hex() for digest in digests]
        for place in np.flatnonzero(repeats):
            text = f"{keys[place]}{SEPARATOR}{repeats[place]}"
            keys[place] = _digest(repeated, text).hex()
        return keys


def row_texts(arrived: pl.DataFrame) -> list[str]:
    """Each row as one text: names and values of the columns that are not null, by name, so that
    neither the order of columns nor columns without a value matter."""
    names = sorted(name for name in arrived.columns if name != ROW)
    if not names:
        return [""] * arrived.height
    parts = [pl.lit(f"{name}=") + pl.col(name) for name in names]
    joined = pl.concat_str(parts, separator=SEPARATOR, ignore_nulls=True)
    return arrived.select(joined.fill_null("")).to_series().to_list()


def content_hashes(
    rows: pl.DataFrame, columns: Sequence[str], numbers: Collection[str] = ()
) -> pl.Series:
    """A signed 64-bit hash of the columns of each row: whether a correction changes anything.

    Columns in `numbers` are texts of numbers, equal where the numbers are: `1e5`, `100000.00`.
    """
    parts = [_spelled_alike(name) if name in numbers else pl.col(name) for name in columns]
    texts = rows.select(
        pl.concat_str([part.cast(pl.String).fill_null("") for part in parts], separator=SEPARATOR)
    ).to_series()
    digests = [blake2b(text.encode(), digest_size=8).digest() for text in texts.to_list()]
    values = np.frombuffer(b"".join(digests), ">i8").astype(np.int64)
    return pl.Series("content_hash", values)


def _spelled_alike(name: str) -> pl.Expr:
    """At most 15 digits before the point and 10 after it are accepted: exact in 38."""
    text = pl.col(name)
    plain = text.cast(_NUMBER, strict=False)
    return pl.coalesce(plain, text.cast(pl.Float64, strict=False).cast(_NUMBER, strict=False))


def _hasher(secret: bytes, purpose: bytes) -> Any:
    return blake2b(key=secret, person=purpose, digest_size=KEY_BYTES)


def _digest(hasher: Any, text: str) -> bytes:
    """The digest of a text by a copy of `hasher`: half the cost of a new one."""
    copy = hasher.copy()
    copy.update(text.encode())
    digest: bytes = copy.digest()
    return digest
