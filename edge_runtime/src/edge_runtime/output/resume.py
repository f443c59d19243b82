"""What a resumed run may keep of an earlier output: the rows that this run would write too.

The promise is that the finished bytes equal those of an uninterrupted run with the same
arguments. No journal is kept: a row can be read again and compared.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BufferedReader

from ..bundle.spec import UNKNOWN
from ..errors import OutputError
from .formats import Row, Sink, written

SAMPLE = 16
"""About how many earlier rows are always read again: the first, the last, some in between."""

_ROUNDED = 5e-7  # half of the last digit of a written score


@dataclass(frozen=True, slots=True)
class Terms:
    """What this run's rows must agree with."""

    labels: frozenset[str]
    min_score: float
    row_of: Callable[[str], bytes]
    """The row that this run would write of a path."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What stays of an earlier output."""

    rows: int
    failed: int
    end: int
    """The offset, in bytes, behind the last row that stays."""


@dataclass(frozen=True, slots=True)
class _Sampled:
    number: int
    path: str
    row: Row


def keep(stream: BufferedReader, name: str, sink: Sink, files: Iterator[str], terms: Terms) -> Kept:
    """Find the rows of an earlier output that stand; `files` is taken up to where they end.

    A torn end is left out. Read again and compared are a sample of the rows, the first of each
    status, and every row whose file is not there or has changed since the output was last
    written. Raises OutputError when a row is not the one that this run would write.
    """
    last_write = os.fstat(stream.fileno()).st_mtime_ns
    statuses: set[str] = set()
    sample: list[_Sampled] = []
    step = 1
    latest = None
    count = failed = 0
    end = sink.read_header(stream, name)
    for row in sink.read_rows(stream):
        path = next(files, None)
        if path is None or written(path) != row.path:
            input_there = "no more inputs" if path is None else f"{written(path)!r} there"
            raise OutputError(
                f"{name}: cannot be resumed: row {count + 1} is of {row.path!r}, this run has"
                f" {input_there}; give the same PATHs in the same order, or another -o"
            )
        latest = _Sampled(count + 1, path, row)
        _check_terms(latest, name, terms)
        if row.status not in statuses or _changed_since(path, last_write):
            statuses.add(row.status)
            _compare(latest, name, terms)
        elif count % step == 0:
            sample.append(latest)
            if len(sample) > SAMPLE:
                sample, step = sample[::2], step * 2
        count += 1
        failed += row.status != "ok"
        end += len(row.bytes)
    if latest is not None and latest not in sample:
        sample.append(latest)
    for each in sample:
        _compare(each, name, terms)
    return Kept(count, failed, end)


def _changed_since(path: str, nanoseconds: int) -> bool:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return True
    return max(found.st_mtime_ns, found.st_ctime_ns) >= nanoseconds


def _check_terms(sampled: _Sampled, name: str, terms: Terms) -> None:
    """What a row tells by itself: of which labels it is, and of which minimum score."""
    row = sampled.row
    if row.status != "ok":
        return
    if row.label == UNKNOWN and UNKNOWN not in terms.labels:
        wrong = row.score > 0 and row.score - _ROUNDED >= terms.min_score
    elif row.label not in terms.labels:
        raise OutputError(
            f"{name}: cannot be resumed: row {sampled.number} has the label {row.label!r},"
            f" which this model does not know; {_ANEW}"
        )
    else:
        wrong = row.score + _ROUNDED < terms.min_score
    if wrong:
        raise OutputError(
            f"{name}: cannot be resumed: row {sampled.number} calls a score of {row.score:.6f}"
            f" {row.label!r}, with --min-score {terms.min_score:g} it would not be; {_ANEW}"
        )


def _compare(sampled: _Sampled, name: str, terms: Terms) -> None:
    now = terms.row_of(sampled.path)
    if now != sampled.row.bytes:
        raise OutputError(
            f"{name}: cannot be resumed: row {sampled.number} is {_shown(sampled.row.bytes)},"
            f" reading {written(sampled.path)!r} now gives {_shown(now)}: the model, the options"
            f" or the file changed since; {_ANEW}"
        )


_ANEW = "start anew without --resume, or give another -o"


def _shown(row: bytes) -> str:
    return row.decode("utf-8").removesuffix("\n")
