"""The progress of a run over files: shown on a terminal, summed up at its end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..distributed.job import ShardSummary
    from ..output.resume import EarlierRows
    from ..output.rows import Rows

_REFRESH_SECONDS = 0.1


def counted(number: int, one: str, many: str) -> str:
    """A number of things, in words: `1 image`, `2 images`."""
    return f"{number:,} {one if number == 1 else many}"


class Progress:
    """Counts the files that have been read, and shows the counts on a terminal."""

    def __init__(self, quiet: bool, one: str, many: str) -> None:
        """quiet: show nothing. one, many: the word for the files, `image` and `images`."""
        self._one, self._many = one, many
        self.total = self.failed = self.passed_over = self.earlier = 0
        self._quiet = quiet
        self._live = not quiet and sys.stderr.isatty()
        self._start = time.monotonic()
        self._shown = 0.0

    def pass_over(self, path: str) -> None:
        """Count a file that is left out because of its name."""
        self.passed_over += 1

    def count(self, chunks: Iterable[Rows]) -> Iterator[bytes]:
        """Yield the bytes of each chunk of rows and count its files."""
        for rows in chunks:
            self._add(rows.files, rows.failed)
            yield rows.data

    def count_shards(self, shards: Iterable[ShardSummary]) -> None:
        """Count the files of each shard as it is done."""
        for shard in shards:
            self.passed_over += shard.passed_over
            if shard.earlier:
                self._add_earlier(shard.files, shard.failed)
            else:
                self._add(shard.files, shard.failed)

    def count_earlier(self, earlier: EarlierRows) -> None:
        """Count the rows that an earlier run wrote."""
        self._add_earlier(earlier.rows, earlier.failed)

    def _add(self, files: int, failed: int) -> None:
        self.total += files
        self.failed += failed
        if self._live and time.monotonic() - self._shown > _REFRESH_SECONDS:
            self._shown = time.monotonic()
            click.echo(f"\r{self._line()}\x1b[K", err=True, nl=False)

    def _add_earlier(self, files: int, failed: int) -> None:
        self.total += files
        self.earlier += files
        self.failed += failed

    def finish(self) -> None:
        """Print the summary, unless quiet."""
        if self._live:
            click.echo("\r\x1b[K", err=True, nl=False)
        if self._quiet:
            return
        words = self._line() if self.total else f"no {self._many} found"
        if self.earlier:
            words += f", {self.earlier:,} of them by an earlier run"
        if self.passed_over:
            words += f"; {self.passed_over:,} other files passed over"
        click.echo(words, err=True)

    def _line(self) -> str:
        seconds = max(time.monotonic() - self._start, 1e-9)
        rate = (self.total - self.earlier) / seconds
        failed = f", {self.failed:,} failed" if self.failed else ""
        files = counted(self.total, self._one, self._many)
        return f"{files} in {seconds:.1f} s ({rate:,.0f} a second){failed}"
