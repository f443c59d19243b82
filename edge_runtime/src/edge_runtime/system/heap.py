"""The memory that a process has freed: kept for what it allocates next."""

from __future__ import annotations

import sys

_KEPT = 32 << 20
"""bytes, the most that glibc takes for its second threshold. Without it, a worker on 12,000 small
PNGs gave back and asked for 5 pages an image, 7 % of its time."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


def keep_freed_memory() -> None:
    """Have glibc keep up to 32 MB that are freed; with another C library, do nothing."""
    if sys.platform != "linux":
        return
    import ctypes  # numpy has loaded it

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, _KEPT)
        mallopt(_MMAP_THRESHOLD, _KEPT)
