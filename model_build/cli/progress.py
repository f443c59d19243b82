"""What a build says on the terminal while it goes on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..training.history import Epoch


class Progress:
    """Lines on standard error; on a terminal the last one is written over while it changes."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._open = False

    def say(self, line: str) -> None:
        """A line that stays."""
        self.end()
        click.echo(line, err=True)

    def scanned(self, done: int, total: int) -> None:
        """How many examples were looked at; on a terminal only."""
        if self._live:
            self._show(f"looking at {done:,} of {total:,}", done == total)

    def epoch(self, epoch: Epoch, epochs: int) -> None:
        """How far training is; away from a terminal one line for every tenth of the epochs."""
        left = epoch.seconds / epoch.number * (epochs - epoch.number)
        line = (
            f"epoch {epoch.number:>3}/{epochs}  loss {epoch.loss:.4f}"
            f"  validation {epoch.validation_loss:.4f} ({epoch.validation_accuracy:.2%})"
            f"  {left:.0f} s left"
        )
        last = epoch.number == epochs
        if self._live:
            self._show(line, last)
        elif last or epoch.number % max(1, epochs // 10) == 0:
            click.echo(line, err=True)

    def end(self) -> None:
        """End the line that is being written over."""
        if self._open:
            click.echo(err=True)
            self._open = False

    def _show(self, line: str, last: bool) -> None:
        click.echo(f"\r{line}\x1b[K", err=True, nl=last)
        self._open = not last
