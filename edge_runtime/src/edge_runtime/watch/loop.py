"""Watching a folder: each file that arrives is classified once, until a signal ends the watch.

The model runs in a process of its own (`model_process`), so that a file that crashes a decoder
costs one row, and this process loads neither numpy nor onnxruntime. Rows are written a chunk at a
time. After a restart, the rows of the output tell which files have been classified. Where files are
moved (`sorting`), those that are still in the folder have not, but for the moves in the journal.

What a person should know is logged: each file at DEBUG, counts of each minute at INFO, failures at
WARNING.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import EdgeRuntimeError, OutputError
from ..inference.results import Counts, Result
from ..inputs.files import FILE_SECONDS, MAX_PIXELS
from ..inputs.formats import ENDINGS
from ..output.file import RowFile, open_output
from ..output.row_format import Row, RowFormat, written
from ..system.signals import StopSignals
from .arrivals import Arrivals, stamp_of
from .model_process import ModelProcess
from .sorting import Move, Sorter, target_of

BATCH_SIZE = 64
LOOK_SECONDS = 2.0
"""How often the model's files are looked at; a changed model is loaded when two looks in a row
found the same files."""
REPORT_SECONDS = 60.0
"""Between two lines of counts; there is none for a time without files."""

_logger = logging.getLogger(__name__)
_PATIENCE = 5.0  # seconds, in which the processes of a run that was killed end


@dataclass
class Summary:
    """The files that a watch has classified, and the signal that ended it."""

    counts: Counts = field(default_factory=Counts)
    signal: int | None = None


def watch(
    folder: str,
    arguments: dict[str, Any],
    *,
    output: str | None,
    sort_into: Path | None,
    row_format: RowFormat,
    reads: str = "image",
    poll: float | None = None,
    max_pixels: int = MAX_PIXELS,
    timeout: float = FILE_SECONDS,
) -> Summary:
    """Classify the files of `folder` as they arrive, until SIGTERM or SIGINT.

    arguments: of the Classifier; `model` is a Path.
    output: the file to which rows are appended. sort_into: the folder in which each file is moved
        into a folder of its label. One of the two must be given.
    row_format: of the output. reads: the kind of files, a key of ENDINGS. poll: see Arrivals.
    timeout: seconds for a file, at least 1.

    Raises EdgeRuntimeError or one of its children, and OSError when a row cannot be written or a
    file cannot be moved; the next run goes on from there.
    """
    with StopSignals() as stop, ExitStack() as held:
        watching = _Watch(folder, arguments, row_format, reads, max_pixels, timeout, stop)
        held.callback(watching.close)
        if sort_into is not None:
            watching.sorter = Sorter(folder, sort_into, _PATIENCE)
            held.callback(watching.sorter.close)
        watching.arrivals = Arrivals(folder, poll, endings=ENDINGS[reads])
        if output is not None:
            watching.stream = held.enter_context(open_output(output, keep=True, patience=_PATIENCE))
            watching.go_on()
        _logger.info("watching %s (%s)", folder, watching.arrivals.how)
        while stop.received is None:
            watching.step()
        watching.summary.signal = stop.received
        counts = watching.summary.counts
        _logger.info("ended after %s%s", counts.read(reads), counts.failures())
        return watching.summary


class _Watch:
    sorter: Sorter | None = None
    stream: RowFile | None = None
    arrivals: Arrivals

    def __init__(
        self,
        folder: str,
        arguments: dict[str, Any],
        row_format: RowFormat,
        reads: str,
        max_pixels: int,
        timeout: float,
        stop: StopSignals,
    ) -> None:
        self.summary = Summary()
        self._folder = folder
        self._arguments = arguments
        self._row_format = row_format
        self._reads = reads
        self._limits = max_pixels, timeout
        self._stop = stop
        self._model_stamp = self._seen_stamp = _stamp_of_model(arguments["model"])
        self._next_look = time.monotonic() + LOOK_SECONDS
        self._reported = time.monotonic()
        self._unreported = Counts()
        self._process = ModelProcess(arguments, *self._limits)

    def close(self) -> None:
        self._process.close()

    def go_on(self) -> None:
        """Go on behind the rows of an earlier run, and finish the moves of its last rows."""
        assert self.stream
        journal = self.sorter and self.sorter.read_journal()
        place = 0  # the bytes of the output up to here
        moved = []  # the names in the rows that the journal is about

        def names_in(rows: Iterator[Row]) -> Iterator[str]:
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
                    moved.append(name)
                place += len(row.bytes)
                yield name

        with open(os.dup(self.stream.fileno()), "rb") as earlier:
            place = self._row_format.read_header(earlier, str(self.stream.name))
            names = names_in(self._row_format.read_rows(earlier))
            if self.sorter is None:
                self.arrivals.mark_read_earlier(names)
            else:  # files with a row have left the folder, but for the moves in the journal
                for _ in names:
                    pass
            earlier.seek(place)
            _check_torn_row(earlier.read(), str(self.stream.name), place)
        self.stream.seek(place)
        self.stream.truncate()
        if not place:
            self.stream.write(self._row_format.header())
        if self.sorter and journal:
            for name, move in zip(moved, journal.moves, strict=False):
                if name == written(move.name):
                    self.sorter.move(move)

    def step(self) -> None:
        """Wait for files or a signal, look at the model if it is time, and classify one chunk."""
        left = max(0.0, self._next_look - time.monotonic())
        self.arrivals.wait(self._stop.fileno(), left)
        self._stop.drain()
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + LOOK_SECONDS
            self._look_at_model()
        if time.monotonic() - self._reported >= REPORT_SECONDS:
            self._report()
        if self._stop.received is None:
            self._classify(self.arrivals.pop(BATCH_SIZE))

    def _classify(self, names: list[str]) -> None:
        stamps = {}
        for name in names:
            if stamp := stamp_of(self._path(name)):
                stamps[name] = stamp
        results = self._process.classify([self._path(name) for name in stamps])
        # A file that was deleted before it could be read gets no row.
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
                self.sorter.write_journal(self.stream.tell(), moves)
            self.stream.write(self._row_format.rows(result for _, result in found))
            if self.sorter:
                os.fsync(self.stream.fileno())
        for move in moves:
            if self.sorter is None:
                self.arrivals.mark_read(move.name, move.stamp)
            else:
                self.sorter.move(move)
        counts = Counts.of(result for _, result in found)
        self.summary.counts.update(counts)
        self._unreported.update(counts)
        if _logger.isEnabledFor(logging.DEBUG):
            for _, result in found:
                _logger.debug("%s", _told(result))

    def _report(self) -> None:
        """Log the counts since the last report, if there are any."""
        counts = self._unreported
        if counts.files:
            seconds = time.monotonic() - self._reported
            level = logging.WARNING if counts.failed else logging.INFO
            read, failed = counts.read(self._reads), counts.failures()
            _logger.log(level, "%s in the last %.0f s%s", read, seconds, failed)
        self._reported, self._unreported = time.monotonic(), Counts()

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, name)

    def _look_at_model(self) -> None:
        """Use a model that has changed, once its files are stable and it passes its checks."""
        path = self._arguments["model"]
        now = _stamp_of_model(path)
        stable, self._seen_stamp = now == self._seen_stamp, now
        if now == self._model_stamp or not stable:
            return
        self._model_stamp = now
        try:
            process = ModelProcess(self._arguments, *self._limits)
        except EdgeRuntimeError as error:
            where = "" if str(error).startswith(str(path)) else f"{path}: "
            _logger.warning("%s%s; the model from before goes on", where, error)
            return
        self._process.close()
        self._process = process
        _logger.info("%s has changed, passes its checks and is used from here on", path)


def _told(result: Result) -> str:
    """A result in words: `in/a.png  7  0.998`, or why there is none."""
    found = result.prediction
    if found is None:
        return f"{result.path}  {result.status}: {result.error}"
    return f"{result.path}  {found.label}  {found.score:.3f}"


def _stamp_of_model(path: Path) -> tuple[object, ...]:
    """The names, inodes, sizes and times of a model's files, which tell if it has changed."""
    try:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        stats = [os.stat(file) for file in files]
    except OSError as error:
        return (error.errno,)
    return tuple(
        (str(f), s.st_ino, s.st_size, s.st_mtime_ns) for f, s in zip(files, stats, strict=True)
    )


def _check_torn_row(rest: bytes, name: str, place: int) -> None:
    """Raise OutputError if more than a torn row follows the rows: a person may have written it."""
    if b"\n" in rest.strip(b"\0"):
        raise OutputError(
            f"{name}: what stands from byte {place} on ({rest[:40]!r}) is no row of this program;"
            " mend it, or give another -o"
        )
