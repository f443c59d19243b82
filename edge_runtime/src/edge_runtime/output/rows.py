"""Files in, rows out, for the command line: a process that only hands out paths and writes rows
loads neither numpy nor onnxruntime.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, NamedTuple

from ..inference.results import Counts, Result, lost
from ..system.signals import interrupts_held
from ..system.workers import chunked, shared_out, work_in_order, worth_workers
from .encoding import RowStream
from .row_format import RowFormat


class Rows(NamedTuple):
    """The rows of a chunk of files."""

    data: bytes
    """A row for each file, as the output holds them."""
    counts: Counts


@dataclass(frozen=True)
class RowMaker:
    """Classifies files into rows; can be pickled, to be sent to another process."""

    arguments: dict[str, Any]
    """Of the Classifier."""
    row_format: RowFormat
    max_pixels: int

    def start(self) -> Callable[[Iterable[str]], Rows]:
        """Load the model in this process; the function returned makes the rows of a chunk of files.

        Raises BundleError.
        """
        with interrupts_held():
            from ..inference.batch import start_classifying
            from ..inference.classifier import Classifier

            classify = start_classifying(Classifier, self.arguments, self.max_pixels)
        return lambda paths: self._rows(classify(paths))

    def lost(self, path: str, status: str, reason: str) -> Rows:
        """The row of a file on which two processes died or hung."""
        return self._rows(lost(path, status, reason))

    def _rows(self, results: list[Result]) -> Rows:
        return Rows(self.row_format.rows(results), Counts.of(results))


def rows_in_order(
    maker: RowMaker, paths: Iterable[str], batch_size: int, workers: int, timeout: float
) -> Iterator[Rows]:
    """Yield the rows of the files, in their order, at most a batch at a time.

    `workers` processes read the files if there are enough of them to be worth the start, else
    one: it dies or hangs in the place of this one. timeout: seconds for a file.
    """
    rest = iter(paths)
    first = list(islice(rest, worth_workers()))
    files = chain(first, rest)
    if workers > 1 and len(first) == worth_workers():
        chunks = shared_out(files, batch_size, workers)
    else:
        chunks, workers = chunked(files, batch_size), 1
    return work_in_order(maker.start, chunks, workers, maker.lost, timeout)


def write_rows(stream: RowStream, header: bytes, chunks: Iterator[bytes], *, replace: bool) -> None:
    """Write whole rows, a chunk at a time, so that an interrupted output ends with a row.

    replace: cut off what the stream held before. That is done once the first rows are there, so
    that a model that fails leaves the earlier output as it was.
    """
    first = next(chunks, b"")
    if replace:
        with suppress(OSError):  # a pipe or a device, no file
            stream.truncate(0)
    stream.write(header)
    for rows in chain([first], chunks):
        stream.write(rows)
        stream.flush()
