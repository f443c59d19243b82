"""Sorting: each classified file is moved into a folder of its label.

The moves of a chunk are written to a journal before its rows, so that a run after a crash can make
those that are missing.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import EdgeRuntimeError
from ..inference.results import Result
from ..system.atomic import move
from ..system.lock import lock
from .arrivals import stamp_of

FAILED = "failed"
"""The folder for files that could not be read; it holds a folder for each status."""
JOURNAL_NAME = ".edge-runtime-moves.json"

_MAX_STEM = 200  # bytes of a file's name that are kept before a number


class Move(NamedTuple):
    """A file that was classified, and the folder where it belongs."""

    name: str
    """In the folder that is watched."""
    stamp: str
    """Its `stamp_of` from before it was read; a file with another stamp is another file."""
    target: str
    """The folder, relative to `top` of the Sorter."""


class Journal(NamedTuple):
    """The moves that belong to the last rows of an output."""

    offset: int
    """The size of the output in bytes before those rows were written."""
    moves: list[Move]


class Sorter:
    """Moves files out of a folder that it locks until `close`."""

    def __init__(self, source: str, top: Path, patience: float = 0.0) -> None:
        """source: the folder that files are moved out of. top: the folder that the folders of the
        labels are in; it is made if it is not there. patience: seconds to wait for the lock.

        Raises EdgeRuntimeError when another process sorts `source`, or when `top` is on another
        mount, so that a move would not be atomic.
        """
        self._source, self._top = source, top
        self._journal = top / JOURNAL_NAME
        top.mkdir(parents=True, exist_ok=True)
        if _is_other_mount(source, top):
            raise EdgeRuntimeError(
                f"{top}: is on another file system or mount than {source}, so that a move could be"
                " cut in half; give a folder on the same one"
            )
        self._handle = os.open(source, os.O_RDONLY)
        if not lock(self._handle, patience):
            os.close(self._handle)
            raise EdgeRuntimeError(f"{source}: another watch sorts this folder; wait for its end")

    def close(self) -> None:
        """Unlock the folder."""
        os.close(self._handle)

    def write_journal(self, offset: int, moves: Sequence[Move]) -> None:
        """Note, synced to the disk, that these moves belong to the rows from `offset` on."""
        with open(self._journal, "w", encoding="ascii") as file:
            json.dump({"offset": offset, "moves": moves}, file)
            file.flush()
            os.fsync(file.fileno())

    def read_journal(self) -> Journal | None:
        """The journal written last; None if it is not there or torn, so that its rows were never
        written.
        """
        try:
            data = json.loads(self._journal.read_text("ascii"))
            return Journal(int(data["offset"]), [Move(*each) for each in data["moves"]])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def move(self, planned: Move) -> bool:
        """Move the file; return False if it is gone, or another file has its name now.

        Where the name is taken in the target folder, a number is added to it. Raises OSError.
        """
        path = os.path.join(self._source, planned.name)
        if stamp_of(path) != planned.stamp:
            return False
        folder = self._top / planned.target
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                move(path, os.path.join(folder, _free_name(folder, planned.name)))
            except FileNotFoundError:
                return False
            except FileExistsError:  # another program has just taken it
                continue
            return True


def target_of(result: Result) -> str:
    """The folder for a result: its label as a plain file name, or FAILED and the status."""
    if result.prediction is None:
        return f"{FAILED}/{result.status}"
    name = os.fsdecode(os.fsencode(result.prediction.label.replace("/", "_"))[:_MAX_STEM])
    return "_" + name[1:] if name.startswith(".") else name


def _is_other_mount(source: str, top: Path) -> bool:
    """Tell if files cannot be renamed from one folder to the other.

    `st_dev` does not tell: it is the same for two mounts of one file system.
    """
    try:
        os.rename(
            os.path.join(source, "."), os.path.join(top, ".")
        )  # always refused; the reason tells
    except OSError as error:
        return error.errno == errno.EXDEV
    return False


def _free_name(folder: Path, name: str) -> str:
    """The name itself if it is free in the folder, else with a free number: `latest-2.jpg`.

    The number is found by exponential and binary search, so that the hundred thousandth
    `latest.jpg` takes about 30 look-ups.
    """
    stem, ending = os.path.splitext(name)
    short = os.fsdecode(os.fsencode(stem)[:_MAX_STEM])

    def numbered(number: int) -> str:
        return name if number < 2 else f"{short}-{number}{ending}"

    def taken(number: int) -> bool:
        return os.path.lexists(folder / numbered(number))

    low, high = 0, 1
    while taken(high):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if taken(middle) else (low, middle)
    return numbered(high)
