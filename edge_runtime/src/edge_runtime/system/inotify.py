"""Events of the files in one folder, from the Linux kernel (inotify)."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Iterator
from typing import Literal, NamedTuple

What = Literal["whole", "new", "gone", "missed", "ended"]

_CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x8, 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF, _UNMOUNT, _OVERFLOW, _IGNORED = 0x400, 0x800, 0x2000, 0x4000, 0x8000
_ONLY_FOLDERS, _OF_A_FOLDER = 0x1000000, 0x40000000
_ENDED = _DELETE_SELF | _MOVE_SELF | _UNMOUNT | _IGNORED
_MASK = _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF
_WHATS: tuple[tuple[int, What], ...] = (
    (_OVERFLOW, "missed"),
    (_ENDED, "ended"),
    (_CLOSE_WRITE | _MOVED_TO, "whole"),
    (_CREATE, "new"),
    (_MOVED_FROM | _DELETE, "gone"),
)
_HEADER = struct.Struct("iIII")  # watch, mask, cookie, bytes of the name with its zeros
_AT_ONCE = 1 << 16  # bytes of events


class Event(NamedTuple):
    """An event of a file in the folder, or of the folder."""

    what: What
    """`whole`: a writer closed the file, or it was moved in. `new`: it was made, perhaps with
    nothing in it yet. `gone`: deleted or moved out. `missed`: more events than the kernel keeps,
    so the folder must be listed. `ended`: the folder itself was deleted, moved or unmounted."""
    name: str
    """The file's name in the folder; empty for `missed` and `ended`."""


class Inotify:
    """Watches a folder through the kernel, which does not see changes made by other machines."""

    def __init__(self, folder: str) -> None:
        """Raises OSError where the system has no inotify, or allows no more watches."""
        if sys.platform != "linux":
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), folder)
        libc = ctypes.CDLL(None, use_errno=True)
        self._handle: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        path = os.fsencode(folder)
        if (
            self._handle < 0
            or libc.inotify_add_watch(self._handle, path, _MASK | _ONLY_FOLDERS) < 0
        ):
            number = ctypes.get_errno()
            self.close()
            raise OSError(number, os.strerror(number), folder)

    def fileno(self) -> int:
        """The descriptor that becomes readable with an event, for `select`."""
        return self._handle

    def read(self) -> Iterator[Event]:
        """Yield the events since the last call, without waiting; those of subfolders are left out.

        Reads the kernel's queue once, so that it ends however fast files arrive.
        """
        try:
            data = os.read(self._handle, _AT_ONCE)
        except BlockingIOError:
            return
        place = 0
        while place < len(data):
            _, mask, _, length = _HEADER.unpack_from(data, place)
            place += _HEADER.size + length
            name = os.fsdecode(data[place - length : place].rstrip(b"\0"))
            for bits, what in _WHATS:
                if mask & bits and not mask & _OF_A_FOLDER:
                    yield Event(what, name)
                    break

    def close(self) -> None:
        """Stop watching."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
