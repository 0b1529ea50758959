"""Memory that is kept between updates instead of being handed back to the system after each."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # from malloc.h
_KEPT = 1 << 30


def keep_memory() -> bool:
    """Tell glibc to keep up to a gigabyte of freed memory for this process; return whether it could be told.

    An update makes and frees tensors of a megabyte, which glibc by default hands back and asks for again every time:
    a quarter of the time of an update goes into fresh pages. It is a setting of the whole process, so only programs
    call this (`robust-envs train` does), never the trainers.

    Example:
        >>> keep_memory() in (True, False)
        True
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library, as on Alpine
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _KEPT) and mallopt(_TRIM_THRESHOLD, _KEPT))
