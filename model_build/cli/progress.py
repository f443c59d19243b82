"""What a build says on the terminal while it goes on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Self

import click

if TYPE_CHECKING:
    from ..training.history import Epoch


class Progress:
    """Lines on standard error; on a terminal the last one is written over while it changes.

    As a context it ends that line, so that what follows, as an error, has a line of its own.
    """

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # A terminal shows the Ctrl-C as ^C, wherever the line is.
        self._open |= self._live and kind is KeyboardInterrupt
        self.end()

    def say(self, line: str) -> None:
        """A line that stays."""
        self.end()
        click.echo(line, err=True)

    def scanned(self, done: int, total: int) -> None:
        """How many examples were looked at; on a terminal only, and gone when all were."""
        if self._live:
            self._write(f"looking at {done:,} of {total:,}" if done < total else "")

    def computed(self, done: int, total: int, seconds: float) -> None:
        """How many examples a backbone has seen; on a terminal only, and gone when it saw all."""
        if self._live:
            line = f"features {done:,}/{total:,}  {seconds:.0f} s left" if done < total else ""
            self._write(line)

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
            self._write(line)
            if last:
                self.end()
        elif last or epoch.number % max(1, epochs // 10) == 0:
            click.echo(line, err=True)

    def end(self) -> None:
        """End the line that is being written over."""
        if self._open:
            click.echo(err=True)
            self._open = False

    def _write(self, line: str) -> None:
        """Put a line in the place of the last one; "" leaves the place empty."""
        click.echo(f"\r{line}\x1b[K", err=True, nl=False)
        self._open = bool(line)
