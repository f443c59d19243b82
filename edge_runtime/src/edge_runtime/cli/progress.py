"""The progress of a run over files: shown on a terminal, summed up at its end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from .exits import printable

if TYPE_CHECKING:
    from ..distributed.job import ShardSummary
    from ..inference.results import Counts
    from ..output.rows import Rows

_REFRESH_SECONDS = 0.1
_COUNT_SECONDS = 0.01  # of each refresh, for counting the files that are to come
_FEW_LABELS = 20  # a line or two


class Progress:
    """Counts the files that have been read, and shows the counts on a terminal."""

    def __init__(self, reads: str, labels: Sequence[str], *, quiet: bool, live: bool) -> None:
        """reads: the kind of files, `image`, `sound` or `series`. labels: of the model.

        quiet: show nothing. live: show the counts while they grow, if standard error is a terminal.
        """
        from ..inference.results import Counts

        self._reads, self._labels = reads, labels
        self._quiet = quiet
        self._live = live and not quiet and sys.stderr.isatty()
        self._counts, self._earlier = Counts(), Counts()
        self._passed_over = 0
        self._expected: int | None = None  # files, once they have been counted
        self._counting: Iterator[int] | None = None
        self._counted = 0
        self._start = time.monotonic()
        self._shown = 0.0

    @property
    def total(self) -> int:
        """All files, with those of an earlier run."""
        return self._counts.files

    @property
    def failed(self) -> int:
        """Those that could not be read."""
        return self._counts.failed

    def expect(self, files: Iterator[int]) -> None:
        """Show how much is left. files: counts the files of the run, 1, 2 and so on.

        It is used a little at a time, and only where progress is shown.
        """
        if self._live:
            self._counting = files

    def pass_over(self, path: str) -> None:
        """Count a file that is left out because of its name."""
        self._passed_over += 1

    def count(self, chunks: Iterable[Rows]) -> Iterator[bytes]:
        """Yield the bytes of each chunk of rows and count its files."""
        for rows in chunks:
            self._add(rows.counts)
            yield rows.data

    def count_shards(self, shards: Iterable[ShardSummary]) -> None:
        """Count the files of each shard as it is done."""
        for shard in shards:
            self._passed_over += shard.passed_over
            if shard.earlier:
                self._earlier.update(shard.counts)
            self._add(shard.counts)

    def count_earlier(self, counts: Counts) -> None:
        """Count the rows that an earlier run wrote."""
        self._counts.update(counts)
        self._earlier.update(counts)
        self._start = time.monotonic()

    def _add(self, counts: Counts) -> None:
        self._counts.update(counts)
        if self._live and time.monotonic() - self._shown > _REFRESH_SECONDS:
            self._count_on()
            click.echo(f"\r{self._line()}\x1b[K", err=True, nl=False)
            self._shown = time.monotonic()

    def _count_on(self) -> None:
        end = time.monotonic() + _COUNT_SECONDS
        while self._counting and time.monotonic() < end:
            found = next(self._counting, None)
            if found is None:
                self._expected, self._counting = self._counted, None
            else:
                self._counted = found

    def _line(self) -> str:
        failed = self._counts.failures()
        if self._expected is None:
            return (
                f"{self.total:,} files in {self._seconds():.1f} s{self._rate(self.total)}{failed}"
            )
        left = max(0, self._expected - self.total)
        seconds = left * self._seconds() / max(1, self.total - self._earlier.files)
        share = self.total / max(self._expected, self.total, 1)
        return (
            f"{self.total:,} of {self._expected:,} files, {int(100 * share)} %,"
            f" {_duration(seconds)} left{failed}"
        )

    def finish(self) -> None:
        """Print the summary, unless quiet."""
        if self._live:
            click.echo("\r\x1b[K", err=True, nl=False)
        if self._quiet:
            return
        words = self._summary() if self.total else f"{self._counts.read(self._reads)} found"
        if self._passed_over:
            others = "file" if self._passed_over == 1 else "files"
            words += f"; {self._passed_over:,} other {others} passed over"
        click.echo(words, err=True)
        labels = self._counts.labels
        if labels.total() > 1 and len(self._labels) <= _FEW_LABELS:
            # `unknown` is none of the model's.
            found = [label for label in dict.fromkeys([*self._labels, *labels]) if labels[label]]
            line = ", ".join(f"{label}: {labels[label]:,}" for label in found)
            click.echo(printable(line), err=True)

    def _summary(self) -> str:
        earlier = self._earlier.statuses["ok"]
        new = self._counts.statuses["ok"] - earlier
        words = self._counts.read(self._reads)
        if earlier and not new:
            words += ", all by an earlier run"
        elif earlier:
            words += f", {earlier:,} of them by an earlier run, the others"
        if new:
            words += f" in {self._seconds():.1f} s{self._rate(new)}"
        return words + self._counts.failures()

    def _seconds(self) -> float:
        return max(time.monotonic() - self._start, 1e-9)

    def _rate(self, files: int) -> str:
        return f" ({files / self._seconds():,.0f} a second)"


def _duration(seconds: float) -> str:
    """A time in words, of which one number is enough: `12 s`, `34 min`, `5 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.0f} h"
