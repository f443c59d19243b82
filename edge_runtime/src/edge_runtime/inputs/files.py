"""Reading input files: regular ones only, within bounds; every failure has a status."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TypeVar

from ..errors import InputError, one_line
from ..system.regular_files import (
    NotRegularError,
    TooLargeError,
    open_regular,
    read_bounded,
    read_small,
)

MAX_PIXELS = 64_000_000
"""Width times height above which an image is refused as `too_large`: 192 MB as RGB. For sounds
the limit of samples times channels, for series of values."""
AT_MOST = "; --max-pixels allows more"
"""What follows in a message about a file that is `too_large` by that limit."""

FILE_SECONDS = 60.0
"""Seconds after which a file counts as one that hangs: `timeout`. Ten times what the slowest image
takes, a PNG of 64 million pixels of RGBA noise on one core of a busy x86-64 machine: 6 s."""

T = TypeVar("T")

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # two letters: C:// is a drive


def is_uri(path: str) -> bool:
    """Tell if a path is a URI, with a scheme of two letters or more."""
    return _URI.match(path) is not None


def from_file(path: str | os.PathLike[str], read: Callable[[int], T]) -> T:
    """Open a regular file, call `read` with its descriptor and return what that returns.

    The descriptor is closed afterwards. Raises InputError with its status when the file cannot be
    read; the InputErrors of `read` pass.
    """
    try:
        descriptor = open_regular(path)
        try:
            return read(descriptor)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        raise _reason(error) from None


def small_file(path: str | os.PathLike[str], limit: int) -> bytes | None:
    """The bytes of a regular file that has fewer than `limit`, None of a larger one.

    Raises InputError with its status.
    """
    try:
        return read_small(path, limit)
    except (OSError, ValueError) as error:
        raise _reason(error) from None


def _reason(error: OSError | ValueError) -> InputError:
    """Why a file cannot be read; a ValueError comes of a NUL in the name."""
    if isinstance(error, FileNotFoundError):
        return InputError("not_found", "no such file")
    if isinstance(error, PermissionError):
        return InputError("permission", "not allowed to read it")
    if isinstance(error, IsADirectoryError):
        return InputError("not_a_file", "a folder")
    if isinstance(error, NotRegularError):
        return InputError("not_a_file", "not a regular file")
    return InputError("unreadable", one_line(error))


def file_bytes(path: str | os.PathLike[str], limit: int) -> bytes:
    """The bytes of a regular file of at most `limit` bytes. Raises InputError with its status."""

    def read(descriptor: int) -> bytes:
        try:
            return read_bounded(descriptor, limit)
        except TooLargeError as error:
            raise InputError(
                "too_large", f"{error.size} bytes are more than {limit}{AT_MOST}"
            ) from None

    return from_file(path, read)


def decode_source(
    source: object, decode: Callable[[str | os.PathLike[str] | bytes], T], kind: str, accepted: str
) -> T:
    """Decode a file that a caller gave by path, as its bytes, or open for reading.

    kind, accepted: for the message about a source that is neither: "an image", and what may be
        given instead.

    Raises TypeError for such a source, and the InputErrors of `decode`; they then name the path.
    """
    if isinstance(source, bytes):
        return decode(source)
    if isinstance(source, bytearray | memoryview):
        return decode(bytes(source))
    if hasattr(source, "read"):
        data = source.read()
        if not isinstance(data, bytes):
            raise TypeError(f"cannot read {kind} from a file of text; open it with mode 'rb'")
        if not data:
            raise InputError("empty", "the open file has no more bytes; seek(0) goes to its start")
        return decode(data)
    if not isinstance(source, str | os.PathLike):
        raise TypeError(f"cannot read {kind} from {type(source).__name__}; give {accepted}")
    try:
        return decode(source)
    except InputError as error:
        raise InputError(error.status, f"{os.fspath(source)}: {error}") from None
