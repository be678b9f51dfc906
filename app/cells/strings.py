"""What the byte strings of cells and rollups hold.

An entry of a cell is one record, or (`WITHDRAWN`) the withdrawal of one that was written before;
the two cancel out. It has 8 bytes in each of three strings, so that a question reads those that it
needs. All numbers are big-endian: PostgreSQL writes them.

This module loads numpy: import it where it is used, not when the service starts.
"""

import hashlib
import zlib
from typing import Final

import numpy as np
import numpy.typing as npt

FORM: Final = 1
"""The version of all that is below; rows of another are not answered from."""

AMOUNTS: Final = np.dtype([("amount", ">i4"), ("level", ">i2"), ("day", "u1"), ("kinds", "u1")])
"""`amount`: annual, in the base currency; below zero one of PENDING to OUT_OF_BOUNDS. `day`: the
day of the month, and flags. `kinds`: 16 x employment type + work mode."""

PLACES: Final = np.dtype([("region", ">i4"), ("industry", ">i2"), ("currency", ">u2")])
"""`currency`: see `currency_code`."""

PAID: Final = np.dtype(">f8")
"""The yearly full-time amount in the currency that was paid, not made whole; NaN: none."""

DAY: Final = 31
WITHDRAWN: Final = 32
RANGED: Final = 64
"""The record states a range."""
MONTHLY: Final = 128
"""The record's date is a month; its day is then 1."""

PENDING: Final = -1
ONE_SIDED: Final = -2
OUT_OF_BOUNDS: Final = -3
PENDING_ONE_SIDED: Final = -4
"""Why there is no annual amount, as LEFT_OUT of app/statistics/statement.py tells it apart. The
last is pending, but one-sided where amounts are taken as they were paid."""


def currency_code(currency: str) -> int:
    """Three capital letters as a number below 17,576."""
    first, second, third = (ord(letter) - 65 for letter in currency)
    return (first * 26 + second) * 26 + third


HEAD: Final = np.dtype(
    [
        ("region", ">i4"),
        ("level", ">i2"),
        ("first", ">u2"),
        ("pairs", ">i4"),
        ("count", ">i8"),
        ("total", ">i8"),
        ("squares_high", ">i8"),
        ("squares_low", ">i8"),
        ("ranged", ">i8"),
        ("pending", ">i8"),
        ("one_sided", ">i8"),
        ("out_of_bounds", ">i8"),
        ("newest", ">i4"),
    ]
)
"""The head of one cell of a rollup, of a region (0 in the grain of roles) and a level.

`pairs` is how many pairs belong to it, in the order of the heads; `first` the bucket from which the
pairs of the grain of places count on. `count`, `total` (the sum of amounts), the sum of squares
(`squares_high` * 2**24 + `squares_low`) and `ranged` are over its amounts; `pending` (those that
are also one-sided included) to `out_of_bounds` count entries without. `newest` is the last day of
an amount, in days since 1970-01-01, NO_DAY where there is none."""

NO_DAY: Final = -(2**31)

ROLE_PAIR: Final = np.dtype([("amount", ">i4"), ("count", ">i4")])
"""Grain of roles: a whole amount, ascending within a cell, and how many have it."""

PLACE_PAIR: Final = np.dtype([("step", "u1"), ("count", "u1")])
"""Grain of places: `step` buckets after the pair before (or `first`), and how many amounts are in
it. More than 255 of either are written as several pairs: steps with count 0, counts with step 0."""

BUCKET_RATIO: Final = 1.01
"""A bucket's upper edge / its lower one."""
MAX_RELATIVE_ERROR: Final = 0.005
"""Of the amount that stands for a bucket (`bucket_amounts`), against any in it."""
LOWEST: Final = 1_000
"""The lower edge of bucket 0: the least annual amount there is."""


def buckets_of(amounts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The buckets of annual amounts, from 0 on."""
    logarithms = np.log(np.asarray(amounts, np.float64) / LOWEST) / np.log(BUCKET_RATIO)
    return np.asarray(np.maximum(logarithms, 0), np.int64)


def bucket_amounts(buckets: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The amount that stands for each bucket: the harmonic mean of its edges, from which none in
    it differs by more than MAX_RELATIVE_ERROR of itself."""
    edges = LOWEST * np.power(BUCKET_RATIO, buckets.astype(np.float64))
    return np.asarray(edges * (2 * BUCKET_RATIO / (1 + BUCKET_RATIO)), np.float64)


def check_of(string: bytes) -> bytes:
    """The check of a string written here: its CRC-32."""
    return zlib.crc32(string).to_bytes(4, "big")


def is_whole(string: bytes | memoryview, check: bytes) -> bool:
    """Whether a string is what was written: by the database (MD5) or here (CRC-32).

    An empty check is that of strings which the database has joined, and checked before.
    """
    if not check:
        return True
    if len(check) == 4:
        return zlib.crc32(string).to_bytes(4, "big") == check
    return hashlib.md5(string, usedforsecurity=False).digest() == check
