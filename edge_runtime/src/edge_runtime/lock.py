"""One process at a time: a lock that ends with the process, however that ends."""

from __future__ import annotations

import sys


def lock(handle: int) -> bool:
    """Lock an open file or folder; False if another process has it locked.

    Where there are no such locks (Windows, some file systems), nothing is locked and it is True.
    """
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        pass
    return True
