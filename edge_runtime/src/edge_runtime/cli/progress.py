"""What a run over files has done so far, on a terminal and at its end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..distributed.job import Done
    from ..output.rows import Rows

_PROGRESS_SECONDS = 0.1


def counted(number: int, one: str, many: str) -> str:
    """A number of things, in words: `1 image`, `2 images`."""
    return f"{number:,} {one if number == 1 else many}"


class Tally:
    """Counts what passes, and shows it on a terminal."""

    def __init__(self, quiet: bool, one: str, many: str) -> None:
        """one, many: what the files are, `image` and `images` or the like."""
        self._one, self._many = one, many
        self.total = self.failed = self.passed_over = self.earlier = 0
        self._quiet = quiet
        self._live = not quiet and sys.stderr.isatty()
        self._start = time.monotonic()
        self._shown = 0.0

    def pass_over(self, path: str) -> None:
        """Of a file that is none of those looked for."""
        self.passed_over += 1

    def count(self, chunks: Iterable[Rows]) -> Iterator[bytes]:
        """The rows themselves, counted as they pass."""
        for rows in chunks:
            self._add(rows.files, rows.failed)
            yield rows.data

    def _add(self, files: int, failed: int) -> None:
        self.total += files
        self.failed += failed
        if self._live and time.monotonic() - self._shown > _PROGRESS_SECONDS:
            self._shown = time.monotonic()
            click.echo(f"\r{self._line()}\x1b[K", err=True, nl=False)

    def count_parts(self, parts: Iterable[Done]) -> None:
        """Of a run on many machines, as its parts are done."""
        for done in parts:
            self.passed_over += done.passed_over
            if done.earlier:
                self.add_earlier(done.files, done.failed)
            else:
                self._add(done.files, done.failed)

    def add_earlier(self, rows: int, failed: int) -> None:
        """Rows that an earlier run wrote."""
        self.total += rows
        self.earlier += rows
        self.failed += failed

    def finish(self) -> None:
        """Say what it came to, unless quiet."""
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
