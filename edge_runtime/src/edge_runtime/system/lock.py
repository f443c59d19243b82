"""A lock on a file or folder, which the system releases when the process ends, however it ends."""

from __future__ import annotations

import os
import sys
import time

_PAUSE = 0.05  # seconds
_LOCKED_BYTE = 0x7FFFFFFE  # the last that Windows' C library can lock: rows hardly ever reach it


def lock(handle: int, patience: float = 0.0) -> bool:
    """Lock an open file or folder for this process; return False if another one has locked it.

    patience: seconds to wait for the other one. A run that was killed may have left processes
    that hold its lock until they end, a moment later.

    On a file system without locks, returns True and locks nothing. Windows opens no folders, so
    there `handle` is that of a file, which must be open for writing.
    """
    end = time.monotonic() + patience
    while not _try(handle):
        if time.monotonic() >= end:
            return False
        time.sleep(_PAUSE)
    return True


if sys.platform == "win32":
    import msvcrt

    def _try(handle: int) -> bool:
        place = os.lseek(handle, 0, os.SEEK_CUR)
        os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        except OSError:
            return True
        finally:
            os.lseek(handle, place, os.SEEK_SET)
        return True

else:
    import fcntl

    def _try(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True
