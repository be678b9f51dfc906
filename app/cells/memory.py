"""Memory for large arrays, kept between answers."""

import ctypes
from typing import Final

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_MOST_ARENAS: Final = -8
_KEPT_BYTES: Final = 128 << 20
_LARGEST_BYTES: Final = 32 << 20
"""The most that the C library takes for its threshold."""


def keep_freed_memory() -> bool:
    """Have the C library keep memory that arrays gave back, up to 128 MB, for those that follow.

    Otherwise every array of more than 128 kB is mapped and returned, and the kernel clears each of
    its pages again: a third of the time of a wide answer. All threads take from one arena: each
    would keep as much in its own. False where the library has no such setting. For a process that
    serves, before its first thread.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    settings = {
        _TRIM_THRESHOLD: _KEPT_BYTES,
        _MMAP_THRESHOLD: _LARGEST_BYTES,
        _MOST_ARENAS: 1,
    }
    taken = [mallopt(name, value) for name, value in settings.items()]
    return all(taken)
