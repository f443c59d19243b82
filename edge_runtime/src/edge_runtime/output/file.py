"""The output file: each write leaves all of its rows or none, and there is one writer at a time."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..errors import OutputError
from ..system.lock import lock


class RowFile(io.FileIO):
    """An unbuffered file whose writes are whole: one that fails is cut off again."""

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Write all of the bytes. Raises OSError, with none of them left in the file."""
        start = self.tell() if self.seekable() else 0
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[super().write(rest) :]
        except BaseException as error:  # the disk is full; an interrupt between two pieces
            with suppress(OSError):  # no file, but a pipe or a device
                self.seek(start)
                self.truncate()
            if isinstance(error, OSError):
                error.filename = self.name
            raise
        return len(data)


@contextmanager
def open_output(path: str, *, keep: bool, patience: float = 0.0) -> Iterator[RowFile]:
    """Open an output file, also for reading if `keep`; what it holds stays in it until truncated.

    On leaving, the rows are on the disk, also if the power fails then. Raises OutputError when
    the file cannot be written, is being written by another run (for `patience` seconds), or
    `keep` is asked of something that is no file.
    """
    flags = (os.O_RDWR if keep else os.O_WRONLY) | os.O_CREAT | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, flags, 0o666)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from None
    regular = stat.S_ISREG(os.fstat(handle).st_mode)
    with RowFile(handle, "r+b" if keep else "wb") as stream:
        stream.name = path
        if keep and not regular:
            raise OutputError(f"{path}: cannot be resumed: it is not a regular file")
        if regular and not lock(
            handle, patience
        ):  # two runs in one file would lose and double rows
            raise OutputError(
                f"{path}: another run is writing it; wait for its end, or give another -o"
            )
        yield stream
        if regular:
            os.fsync(handle)
