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
def open_output(
    path: str, *, keep: bool, replace: bool = False, patience: float = 0.0
) -> Iterator[RowFile]:
    """Open an output file; what it holds stays there until the caller truncates it.

    keep: open it for reading too, to go on after the rows that it holds.
    replace: open it although it exists. A pipe or a device is opened in any case.
    patience: seconds to wait for another run that is writing it.

    On leaving, the rows are synced to the disk; a file that was made here and got none is removed.
    Raises OutputError when the file cannot be written, another run is writing it, it exists and
    neither `keep` nor `replace` is given, or `keep` is given and it is not a regular file.
    """
    handle, made = _open(path, (os.O_RDWR if keep else os.O_WRONLY) | getattr(os, "O_BINARY", 0))
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
        if regular and not (made or keep or replace):
            raise OutputError(
                f"{path}: exists already; --resume goes on after its rows, --force replaces it,"
                " or give another -o"
            )
        try:
            yield stream
        except BaseException:
            if made and not os.fstat(handle).st_size:
                _remove(path, handle)
            raise
        if regular:
            os.fsync(handle)


def _open(path: str, flags: int) -> tuple[int, bool]:
    """Open a file, which is made if there is none; returns its descriptor, and True if made."""
    try:
        with suppress(FileExistsError):
            return os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666), True
        made = not os.path.exists(path)  # behind a link to nothing
        return os.open(path, flags | os.O_CREAT, 0o666), made
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from None


def _remove(path: str, handle: int) -> None:
    """Remove a file, unless another one has taken its place."""
    with suppress(OSError):
        if os.path.samestat(os.lstat(path), os.fstat(handle)):
            os.unlink(path)
