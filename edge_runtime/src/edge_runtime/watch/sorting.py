"""A folder for each class: files are moved there, and a move that a crash prevented is made up."""

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
"""The folder whose folders, one a status, take the files that could not be read."""
JOURNAL_NAME = ".edge-runtime-moves.json"

_MAX_STEM = 200  # bytes of a file's name that are kept before a number


class Move(NamedTuple):
    """A file that was read, and where it belongs."""

    name: str
    """Within the folder that is watched."""
    stamp: str
    """Its `stamp_of` from before it was read: if it has another, it is another file."""
    target: str
    """The folder, relative to that of the Sorter."""


class Journal(NamedTuple):
    """The moves that the last rows of an output stand for."""

    offset: int
    """The bytes of the output before those rows."""
    moves: list[Move]


class Sorter:
    """Moves files out of a folder. One process at a time; to be closed."""

    def __init__(self, source: str, top: Path, patience: float = 0.0) -> None:
        """source: the folder that files leave. top: where the folders are made; it is made, too.

        Raises EdgeRuntimeError when another process sorts `source` (after `patience` seconds),
        or a file cannot be moved from it to `top` in one step.
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
        """Let another process sort the folder."""
        os.close(self._handle)

    def intend(self, offset: int, moves: Sequence[Move]) -> None:
        """Have it on the disk that the rows behind `offset` of the output stand for these moves."""
        with open(self._journal, "w", encoding="ascii") as file:
            json.dump({"offset": offset, "moves": moves}, file)
            file.flush()
            os.fsync(file.fileno())

    def intended(self) -> Journal | None:
        """What was intended last; None if that was never wholly written, so that no row was."""
        try:
            data = json.loads(self._journal.read_text("ascii"))
            return Journal(int(data["offset"]), [Move(*each) for each in data["moves"]])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def move(self, intended: Move) -> bool:
        """Move the file; False if it is not there any more, or another is. Raises OSError."""
        path = os.path.join(self._source, intended.name)
        if stamp_of(path) != intended.stamp:
            return False
        folder = self._top / intended.target
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                move(path, os.path.join(folder, _free_name(folder, intended.name)))
            except FileNotFoundError:
                return False
            except FileExistsError:  # another program has just taken it
                continue
            return True


def target_of(result: Result) -> str:
    """The folder of a result: its label as a plain name, or that of its status in FAILED."""
    if result.prediction is None:
        return f"{FAILED}/{result.status}"
    name = os.fsdecode(os.fsencode(result.prediction.label.replace("/", "_"))[:_MAX_STEM])
    return "_" + name[1:] if name.startswith(".") else name


def _is_other_mount(source: str, top: Path) -> bool:
    """Whether nothing can be renamed from one folder to the other: of one file system mounted
    twice, their st_dev would be equal.
    """
    try:
        os.rename(os.path.join(source, "."), os.path.join(top, "."))  # is refused in any case
    except OSError as error:
        return error.errno == errno.EXDEV
    return False


def _free_name(folder: Path, name: str) -> str:
    """The name itself, or with a number that is free.

    The number is found in steps that double and are halved then, so that the hundred thousandth
    `latest.jpg` takes 30 looks.
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
