"""One process at a time: a lock that ends with the process, however that ends."""

from __future__ import annotations

import sys
import time

_PAUSE = 0.05  # seconds


def lock(handle: int, patience: float = 0.0) -> bool:
    """Lock an open file or folder; False if another process has it locked, also after `patience`
    seconds: a process that was killed may have left others that end a moment later.

    Where there are no such locks (Windows, some file systems), nothing is locked and it is True.
    """
    if sys.platform == "win32":
        return True
    import fcntl

    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(_PAUSE)
        except OSError:  # a file system without locks
            return True
        else:
            return True
