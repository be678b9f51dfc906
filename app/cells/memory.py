"""Memory for large arrays, kept between answers."""

import ctypes
from functools import cache
from typing import Final

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_KEPT_BYTES: Final = 128 << 20
_LARGEST_BYTES: Final = 32 << 20
"""The most that the C library takes for its threshold."""


@cache
def keep_freed_memory() -> bool:
    """Have the C library keep memory that arrays gave back, up to 128 MB, for those that follow.

    Otherwise every array of more than 128 kB is mapped and returned, and the kernel clears each of
    its pages again: a third of the time of a wide answer. False where the library has no such
    setting. For the process, once.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(mallopt(_TRIM_THRESHOLD, _KEPT_BYTES) and mallopt(_MMAP_THRESHOLD, _LARGEST_BYTES))
