"""A folder that is read for as long as it lasts: each file that arrives is classified once.

The model runs in a process of its own, so that a file that crashes a decoder costs no more than
itself; this process loads nothing heavy. Rows are written a chunk at a time. Where a run begins,
the rows that are there say what was read before; see `sorting` for files that move.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import EdgeRuntimeError, OutputError
from ..inputs.files import MAX_PIXELS
from ..inputs.formats import ENDINGS
from ..output.file import RowFile, open_output
from ..output.formats import Row, Sink, written
from ..system.signals import Ending
from .arrivals import Arrivals, stamp_of
from .reader import Reader
from .sorting import Move, Sorter, target_of

BATCH_SIZE = 64
LOOK_SECONDS = 2.0
"""How often the model's files are looked at; new ones are tried when two looks saw them alike."""

_PATIENCE = 5.0  # seconds, for the processes of a run that was killed to end


@dataclass
class Tally:
    """What a watch has done."""

    files: int = 0
    failed: int = 0
    signal: int | None = None
    """What it was ended by."""


def watch(
    folder: str,
    arguments: dict[str, Any],
    *,
    output: str | None,
    sort_into: Path | None,
    sink: Sink,
    reads: str = "image",
    poll: float | None = None,
    max_pixels: int = MAX_PIXELS,
    say: Callable[[str], object],
) -> Tally:
    """Classify the files of `folder` as they arrive, until SIGTERM or SIGINT.

    arguments: of the Classifier. output: the file to which rows are appended. sort_into: where
    each file is moved into a folder of its label. One of the two must be there. reads: what the
    model reads, a key of ENDINGS. poll: see Arrivals. say: told in a line what a person should
    know.

    Raises EdgeRuntimeError or one of its children, and OSError where rows cannot be written or
    files not be moved; the next run goes on from there.
    """
    with Ending() as ending, ExitStack() as held:
        watching = _Watch(folder, arguments, sink, max_pixels, say, ending)
        held.callback(watching.close)
        if sort_into is not None:
            watching.sorter = Sorter(folder, sort_into, _PATIENCE)
            held.callback(watching.sorter.close)
        watching.arrivals = Arrivals(folder, poll, endings=ENDINGS[reads])
        if output is not None:
            watching.stream = held.enter_context(open_output(output, keep=True, patience=_PATIENCE))
            watching.go_on()
        say(f"watching {folder} ({watching.arrivals.how})")
        while ending.signal is None:
            watching.step()
        watching.tally.signal = ending.signal
        return watching.tally


class _Watch:
    sorter: Sorter | None = None
    stream: RowFile | None = None
    arrivals: Arrivals

    def __init__(
        self,
        folder: str,
        arguments: dict[str, Any],
        sink: Sink,
        max_pixels: int,
        say: Callable[[str], object],
        ending: Ending,
    ) -> None:
        self.tally = Tally()
        self._folder = folder
        self._arguments = arguments
        self._sink = sink
        self._max_pixels = max_pixels
        self._say = say
        self._ending = ending
        self._model = self._seen = _stamp_of_model(arguments["model"])
        self._next_look = time.monotonic() + LOOK_SECONDS
        self._reader = Reader(arguments, max_pixels)

    def close(self) -> None:
        self._reader.close()

    def go_on(self) -> None:
        """Take up an earlier run's output where it ends, and finish the moves of its last rows."""
        assert self.stream
        journal = self.sorter and self.sorter.intended()
        place = 0
        rows_of_moves = []

        def paths(rows: Iterator[Row]) -> Iterator[str]:
            nonlocal place
            start = os.path.join(written(self._folder), "")
            for number, row in enumerate(rows, 1):
                if not row.path.startswith(start) or "/" in row.path[len(start) :]:
                    raise OutputError(
                        f"{self.stream and self.stream.name}: row {number} is of {row.path!r}, not"
                        f" of a file in {self._folder}; give the folder as it was given before, or"
                        " another -o"
                    )
                name = row.path[len(start) :]
                if journal and place >= journal.offset:
                    rows_of_moves.append(name)
                place += len(row.bytes)
                yield name

        with open(os.dup(self.stream.fileno()), "rb") as earlier:
            place = self._sink.read_header(earlier, str(self.stream.name))
            names = paths(self._sink.read_rows(earlier))
            if self.sorter is None:
                self.arrivals.leave_out(names)
            else:  # what is in the folder has no row yet, but for the moves that were intended
                for _ in names:
                    pass
            earlier.seek(place)
            _refuse_more_than_a_torn_row(earlier.read(), str(self.stream.name), place)
        self.stream.seek(place)
        self.stream.truncate()
        if not place:
            self.stream.write(self._sink.header())
        if self.sorter and journal:
            for name, move in zip(rows_of_moves, journal.moves, strict=False):
                if name == written(move.name):
                    self.sorter.move(move)

    def step(self) -> None:
        """Wait for files or a signal, mind the model, and read one chunk of what is there."""
        left = max(0.0, self._next_look - time.monotonic())
        self.arrivals.wait(self._ending.fileno(), left)
        self._ending.drain()
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + LOOK_SECONDS
            self._look_at_model()
        if self._ending.signal is None:
            self._read(self.arrivals.take(BATCH_SIZE))

    def _read(self, names: list[str]) -> None:
        stamps = {}
        for name in names:
            if stamp := stamp_of(self._path(name)):
                stamps[name] = stamp
        results = self._reader.read([self._path(name) for name in stamps])
        # What was deleted before it could be read was never here.
        found = [
            (Move(name, stamp, target_of(result)), result)
            for (name, stamp), result in zip(stamps.items(), results, strict=True)
            if result.status != "not_found"
        ]
        if not found:
            return
        moves = [move for move, _ in found]
        if self.stream:
            if self.sorter:
                self.sorter.intend(self.stream.tell(), moves)
            self.stream.write(self._sink.rows(result for _, result in found))
            if self.sorter:
                os.fsync(self.stream.fileno())
        for move in moves:
            if self.sorter is None:
                self.arrivals.done(move.name, move.stamp)
            else:
                self.sorter.move(move)
        self.tally.files += len(found)
        self.tally.failed += sum(result.status != "ok" for _, result in found)

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, name)

    def _look_at_model(self) -> None:
        """Take up a model that has changed, once it has stopped changing and passes its checks."""
        path = self._arguments["model"]
        now = _stamp_of_model(path)
        settled, self._seen = now == self._seen, now
        if now == self._model or not settled:
            return
        self._model = now
        try:
            reader = Reader(self._arguments, self._max_pixels)
        except EdgeRuntimeError as error:
            where = "" if str(error).startswith(str(path)) else f"{path}: "
            self._say(f"{where}{error}; the model from before goes on")
            return
        self._reader.close()
        self._reader = reader
        self._say(f"{path} has changed, passes its checks and is used from here on")


def _stamp_of_model(path: Path) -> tuple[object, ...]:
    """What tells one state of a model's files from another."""
    try:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        stats = [os.stat(file) for file in files]
    except OSError as error:
        return (error.errno,)
    return tuple(
        (str(f), s.st_ino, s.st_size, s.st_mtime_ns) for f, s in zip(files, stats, strict=True)
    )


def _refuse_more_than_a_torn_row(rest: bytes, name: str, place: int) -> None:
    """A row that a crash has torn may be cut off, but not what somebody wrote there."""
    if b"\n" in rest.strip(b"\0"):
        raise OutputError(
            f"{name}: what stands from byte {place} on ({rest[:40]!r}) is no row of this program;"
            " mend it, or give another -o"
        )
