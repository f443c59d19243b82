"""Opening files for reading: regular ones only, within bounds; errors with a status."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import TypeVar

from ..errors import InputError, one_line

MAX_PIXELS = 64_000_000
"""Width times height above which an image is refused as `too_large`: 192 MB as RGB. Of a sound,
samples times channels; of a series, values."""
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)

T = TypeVar("T")


def from_file(path: str | os.PathLike[str], read: Callable[[int], T]) -> T:
    """What `read` makes of a regular file, given as a descriptor that is closed afterwards.

    Raises InputError with its status; the InputErrors of `read` pass.
    """
    try:
        _refuse_special(os.stat(path).st_mode)
        descriptor = os.open(path, _READ)
        try:
            _refuse_special(os.fstat(descriptor).st_mode)  # it may have been replaced
            return read(descriptor)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise InputError("not_found", "no such file") from None
    except PermissionError:
        raise InputError("permission", "not allowed to read it") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError("unreadable", one_line(error)) from None


def _refuse_special(mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
        raise InputError("not_a_file", kind)


def file_bytes(path: str | os.PathLike[str], limit: int) -> bytes:
    """The bytes of a regular file of at most `limit` bytes. Raises InputError with its status."""

    def read(descriptor: int) -> bytes:
        size = os.fstat(descriptor).st_size
        if size > limit:
            raise InputError("too_large", f"{size} bytes are more than {limit}")
        with open(descriptor, "rb", closefd=False) as stream:
            return stream.read(limit)

    return from_file(path, read)


def read_named(
    source: object, decode: Callable[[str | os.PathLike[str] | bytes], T], accepted: str
) -> T:
    """What `decode` makes of a path or an encoded file's bytes.

    Raises its InputErrors, which name a path, and TypeError when the source is neither.
    """
    if isinstance(source, bytes):
        return decode(source)
    if not isinstance(source, str | os.PathLike):
        what, _, instead = accepted.partition(": ")
        raise TypeError(f"cannot read {what} from {type(source).__name__}; {instead}")
    try:
        return decode(source)
    except InputError as error:
        raise InputError(error.status, f"{os.fspath(source)}: {error}") from None
