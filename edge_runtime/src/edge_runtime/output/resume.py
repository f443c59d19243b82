"""Resuming: the rows of an earlier run are kept if this run would write them too.

The promise is that the finished bytes equal those of an uninterrupted run with the same
arguments. No journal is kept: a file can be classified again and its row compared.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BufferedReader
from typing import BinaryIO, NamedTuple

from ..bundle.spec import UNKNOWN
from ..errors import OutputError
from ..inference.results import Counts
from ..system.workers import work_in_order
from .row_format import Row, RowFormat, written
from .rows import RowMaker

SAMPLE = 16
"""About how many earlier rows are always compared: the first, the last, some in between."""

_ROUNDING = 5e-7  # half of the last digit of a written score


@dataclass(frozen=True, slots=True)
class ThisRun:
    """The model and options of this run, as far as its rows show them."""

    labels: frozenset[str]
    min_score: float
    rows_of: Callable[[Iterator[list[str]]], Iterator[bytes]]
    """Classifies files, which come as lists of one path, and yields the row of each."""


class EarlierRows(NamedTuple):
    """The rows of an earlier run that are kept."""

    counts: Counts
    end: int
    """The offset, in bytes, behind the last of them."""


class _Numbered(NamedTuple):
    number: int
    """From 1, without the header."""
    path: str
    """The path that this run has in this place."""
    row: Row


def skip_earlier_rows(
    stream: BinaryIO,
    output: str,
    maker: RowMaker,
    labels: tuple[str, ...],
    files: Iterator[str],
    timeout: float,
) -> EarlierRows:
    """Keep the rows that `stream` holds of an earlier run, and cut off a torn row behind them.

    Takes the files of those rows from `files`, and leaves `stream` at its end. timeout: seconds
    for a file that is classified again, in a process of its own. Raises OutputError as
    `check_earlier_rows` does, with nothing changed.
    """

    def rows_of(chunks: Iterator[list[str]]) -> Iterator[bytes]:
        for rows in work_in_order(maker.start, chunks, 1, maker.lost, timeout):
            yield rows.data

    this_run = ThisRun(frozenset(labels), maker.arguments["min_score"], rows_of)
    with open(os.dup(stream.fileno()), "rb") as earlier:
        rows = check_earlier_rows(earlier, output, maker.row_format, files, this_run)
    stream.seek(rows.end)
    stream.truncate()
    return rows


def check_earlier_rows(
    stream: BufferedReader,
    output: str,
    row_format: RowFormat,
    files: Iterator[str],
    this_run: ThisRun,
) -> EarlierRows:
    """Read the whole rows of an earlier output, and check that this run would write them too.

    Takes from `files` one path for each row. These files are classified again and their rows
    compared: a sample of SAMPLE, the first of each status, and every file that is not there or
    has changed since the output was last written; but no file that took too long, as it might
    take longer or shorter now. Raises OutputError when a row differs.
    """
    last_write = os.fstat(stream.fileno()).st_mtime_ns
    counts = Counts()
    end = row_format.read_header(stream, output)

    def to_compare() -> Iterator[_Numbered]:
        nonlocal end
        sample: list[_Numbered] = []
        step = 1
        latest = None
        for row in row_format.read_rows(stream):
            number = counts.files + 1
            path = next(files, None)
            if path is None or written(path) != row.path:
                input_there = "no more inputs" if path is None else f"{written(path)!r} there"
                raise OutputError(
                    f"{output}: cannot be resumed: row {number} is of {row.path!r}, this run has"
                    f" {input_there}; give the same PATHs in the same order, or another -o"
                )
            latest = _Numbered(number, path, row)
            _check_label(latest, output, this_run)
            if row.status not in counts.statuses or _changed_since(path, last_write):
                yield latest
            elif (number - 1) % step == 0:
                sample.append(latest)
                if len(sample) > SAMPLE:
                    sample, step = sample[::2], step * 2
            counts.add(row.status, row.label)
            end += len(row.bytes)
        if latest is not None and latest not in sample:
            sample.append(latest)
        yield from sample

    asked: deque[_Numbered] = deque()

    def paths() -> Iterator[list[str]]:
        for each in to_compare():
            if each.row.status != "timeout":
                asked.append(each)
                yield [each.path]

    for now in this_run.rows_of(paths()):
        _compare(asked.popleft(), now, output)
    return EarlierRows(counts, end)


def _changed_since(path: str, nanoseconds: int) -> bool:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return True
    return max(found.st_mtime_ns, found.st_ctime_ns) >= nanoseconds


def _check_label(numbered: _Numbered, output: str, this_run: ThisRun) -> None:
    """Check, without reading the file, that the model knows the label of a row and that its score
    fits the minimum score.
    """
    row = numbered.row
    if row.status != "ok":
        return
    if row.label == UNKNOWN and UNKNOWN not in this_run.labels:
        wrong = row.score > 0 and row.score - _ROUNDING >= this_run.min_score
    elif row.label not in this_run.labels:
        raise OutputError(
            f"{output}: cannot be resumed: row {numbered.number} has the label {row.label!r},"
            f" which this model does not know; {_ANEW}"
        )
    else:
        wrong = row.score + _ROUNDING < this_run.min_score
    if wrong:
        raise OutputError(
            f"{output}: cannot be resumed: row {numbered.number} calls a score of {row.score:.6f}"
            f" {row.label!r}, with --min-score {this_run.min_score:g} it would not be; {_ANEW}"
        )


def _compare(numbered: _Numbered, now: bytes, output: str) -> None:
    """Compare a row with the one that its file has now, byte for byte."""
    if now != numbered.row.bytes:
        raise OutputError(
            f"{output}: cannot be resumed: row {numbered.number} is {_shown(numbered.row.bytes)},"
            f" reading {written(numbered.path)!r} now gives {_shown(now)}: the model, the options"
            f" or the file changed since; {_ANEW}"
        )


_ANEW = "start anew without --resume, or give another -o"


def _shown(row: bytes) -> str:
    return row.decode("utf-8").removesuffix("\n")
