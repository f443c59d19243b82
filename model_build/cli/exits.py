"""How a command ends: a mistake is one line on standard error and an exit status."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import click

from edge_runtime import EdgeRuntimeError
from edge_runtime.cli import exits

from ..errors import BuildError, GateError

PROGRAM = "model-build"

_AGAIN_SECONDS = 4.0
"""After this time an interrupt that was swallowed is raised again; ending a training takes less."""

_STATUSES = {
    **exits.EXIT_STATUSES,
    BuildError: exits.EXIT_USAGE,
    EdgeRuntimeError: exits.EXIT_USAGE,
    OSError: exits.EXIT_USAGE,
}


@contextmanager
def errors_as_exits(gate_failed: str = "", interrupted: str = "interrupted") -> Iterator[None]:
    """End the process for what is raised in here; the texts are added to a gate's, and said of
    Ctrl-C."""
    with exits.errors_as_exits(PROGRAM, interrupted=interrupted, statuses=_STATUSES), _ctrl_c():
        try:
            yield
        except GateError as error:
            click.echo(error.table, err=True)
            for line in error.failures:
                click.echo(f"{PROGRAM}: {line}", err=True)
            stop(exits.EXIT_GATE, error.gate + gate_failed)


@contextmanager
def _ctrl_c() -> Iterator[None]:
    """Ctrl-C ends what is in here as a KeyboardInterrupt, even if a library makes it an error,
    prints it, or swallows it: where the system has timers, it is then raised again.
    """
    pressed = False
    hooks = sys.excepthook, sys.unraisablehook

    def press(*_: Any) -> NoReturn:
        nonlocal pressed
        pressed = True
        sys.excepthook = lambda *_: None
        sys.unraisablehook = lambda _: None
        _raise_again(_AGAIN_SECONDS)
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:  # as a shell's background job has it
        signal.signal(signal.SIGINT, press)
        if hasattr(signal, "SIGALRM"):
            signal.signal(signal.SIGALRM, press)  # of the timer in `press`
    try:
        yield
    except Exception:
        if pressed:
            raise KeyboardInterrupt from None
        raise
    finally:
        _raise_again(0)
        sys.excepthook, sys.unraisablehook = hooks
        signal.signal(signal.SIGINT, before)
        if hasattr(signal, "SIGALRM"):
            signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _raise_again(seconds: float) -> None:
    """Let the alarm go off after that time; 0 stops it."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, seconds)


def stop(status: int, message: str) -> NoReturn:
    """End the process with that exit status and one line on standard error."""
    exits.stop(status, message, PROGRAM)
