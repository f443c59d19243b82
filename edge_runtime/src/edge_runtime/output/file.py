"""The output file: a failed write leaves no part of its rows; one process writes at a time."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..errors import OutputError
from ..system.lock import lock


class RowFile(io.FileIO):
    """An unbuffered file; a write that fails is undone."""

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
    """Open an output file; what it holds stays there until the caller truncates it.

    keep: open it for reading too, to go on after the rows that it holds.
    patience: seconds to wait for another run that is writing it.

    On leaving, the rows are synced to the disk. Raises OutputError when the file cannot be
    written, another run is writing it, or `keep` is given and it is not a regular file.
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
