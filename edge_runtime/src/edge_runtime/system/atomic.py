"""Renames that one step of the system decides: an exchange, and a move that replaces nothing."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

_AT_FDCWD = -100
_RENAME_NOREPLACE, _RENAME_EXCHANGE = 1, 2


def exchange(one: Path, other: Path) -> None:
    """Swap two folders: in one step on Linux, elsewhere in three renames."""
    if _renamed(one, other, _RENAME_EXCHANGE):
        return
    aside = one.with_name(one.name + ".aside")
    os.rename(other, aside)
    os.rename(one, other)
    os.rename(aside, one)


def move(source: str, target: str) -> None:
    """Rename a file. Raises FileExistsError when `target` is there; it is never replaced."""
    if _renamed(source, target, _RENAME_NOREPLACE):
        return
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
    os.rename(source, target)


def _renamed(source: str | Path, target: str | Path, flags: int) -> bool:
    """Whether the system did it; False where it knows no such rename."""
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
