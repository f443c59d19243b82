"""A lock on a file or folder, which the system releases when the process ends, however it ends."""

from __future__ import annotations

import sys
import time

_PAUSE = 0.05  # seconds


def lock(handle: int, patience: float = 0.0) -> bool:
    """Lock an open file or folder for this process; return False if another one has locked it.

    patience: seconds to wait for the other one. A run that was killed may have left processes
    that hold its lock until they end, a moment later.

    Where there are no such locks (Windows, some file systems), returns True and locks nothing.
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
