"""Opening and reading regular files: never a pipe or a device, never more bytes than allowed."""

from __future__ import annotations

import errno
import os
import stat

# Without O_NONBLOCK, opening a named pipe would wait for a writer.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)

_TINY = 4096  # bytes, an allocation that costs less than one of the next size


class NotRegularError(OSError):
    """A pipe, a device or a socket, where a regular file was expected."""


class TooLargeError(OSError):
    """A file of more bytes than allowed."""

    def __init__(self, size: int) -> None:
        super().__init__(errno.EFBIG, os.strerror(errno.EFBIG))
        self.size = size
        """Bytes of the file."""


def open_regular(path: str | os.PathLike[str]) -> int:
    """Open a regular file for reading; returns its descriptor, which the caller closes.

    Raises NotRegularError; IsADirectoryError for a folder; OSError; ValueError for a NUL in the
    name.
    """
    _check(os.stat(path).st_mode)  # a device may do something when it is opened
    descriptor = os.open(path, _READ)
    try:
        _check(os.fstat(descriptor).st_mode)  # it may have been replaced
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def read_small(path: str | os.PathLike[str], limit: int) -> bytes | None:
    """The bytes of a regular file that has fewer than `limit`; None of a larger one.

    What replaces it while it is opened is not looked at again, but no more than `limit` bytes are
    read of it. Raises as `open_regular`.
    """
    found = os.stat(path)
    _check(found.st_mode)
    if found.st_size >= limit:
        return None
    descriptor = os.open(path, _READ)
    try:
        data = os.read(descriptor, _TINY)
        if len(data) == _TINY:
            data += os.read(descriptor, limit - _TINY)
    finally:
        os.close(descriptor)
    return data if len(data) < limit else None


def _check(mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    raise NotRegularError(errno.EINVAL, "not a regular file")


def read_bounded(descriptor: int, limit: int) -> bytes:
    """The bytes of an open regular file of at most `limit` bytes; it stays open.

    Raises TooLargeError and OSError.
    """
    size = os.fstat(descriptor).st_size
    if size > limit:
        raise TooLargeError(size)
    with open(descriptor, "rb", closefd=False) as stream:
        return stream.read(size or limit)  # some file systems say 0 of every file
