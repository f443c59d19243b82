"""Atomic renames: swap two folders, and move a file without replacing another."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

_AT_FDCWD = -100
_RENAME_NOREPLACE, _RENAME_EXCHANGE = 1, 2


def exchange(one: Path, other: Path) -> None:
    """Swap two folders: atomically on Linux, elsewhere by three renames. Raises OSError."""
    if _renamed(one, other, _RENAME_EXCHANGE):
        return
    aside = one.with_name(one.name + ".aside")
    os.rename(other, aside)
    os.rename(one, other)
    os.rename(aside, one)


def move(source: str, target: str) -> None:
    """Rename a file. Raises FileExistsError when `target` exists: it is never replaced.

    Where the system has no such rename (not Linux), a file made at the same moment may be.
    """
    if _renamed(source, target, _RENAME_NOREPLACE):
        return
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
    os.rename(source, target)


def _renamed(source: str | Path, target: str | Path, flags: int) -> bool:
    """Rename with the flags of Linux's renameat2; False where the system does not have it."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):  # TypeError: on Windows
        return False
    if not rename(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), flags):
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS):
        return False
    raise OSError(number, os.strerror(number), str(source if number == errno.ENOENT else target))
