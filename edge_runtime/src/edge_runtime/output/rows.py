"""Files in, chunks of whole rows out, for the command line: nothing heavy is loaded in a process
that only hands out work and writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, NamedTuple

from ..inference.results import Result
from ..system.signals import interrupts_held
from ..system.workers import chunked, shared_out, work_in_order, worth_workers
from .formats import Sink


class Rows(NamedTuple):
    """What became of a chunk of files."""

    data: bytes
    """One row for each, as the output holds them."""
    files: int
    failed: int


@dataclass(frozen=True)
class RowMaker:
    """Makes rows of files; it can be sent to another process."""

    arguments: dict[str, Any]
    """Of the Classifier."""
    sink: Sink
    max_pixels: int

    def start(self) -> Callable[[list[str]], Rows]:
        """Load the model here; what is returned reads a chunk of files. Raises BundleError."""
        with interrupts_held():
            from ..inference.batch import start_classifying
            from ..inference.classifier import Classifier

            classify = start_classifying(Classifier, self.arguments, self.max_pixels)
        return lambda paths: self._rows(classify(paths))

    def lost(self, path: str, reason: str) -> Rows:
        """Of a file that was given up."""
        return self._rows([Result.crashed(path, reason)])

    def _rows(self, results: list[Result]) -> Rows:
        failed = sum(result.status != "ok" for result in results)
        return Rows(self.sink.rows(results), len(results), failed)


def rows_in_order(
    maker: RowMaker, paths: Iterable[str], batch_size: int, workers: int
) -> Iterator[Rows]:
    """The rows of the files, in their order, at most a batch at a time, by `workers` processes if
    there are enough files to be worth it.
    """
    rest = iter(paths)
    first = list(islice(rest, worth_workers()))
    files = chain(first, rest)
    if workers > 1 and len(first) == worth_workers():
        chunks = shared_out(files, batch_size, workers)
        yield from work_in_order(maker.start, chunks, workers, maker.lost)
    else:
        yield from map(maker.start(), chunked(files, batch_size))
