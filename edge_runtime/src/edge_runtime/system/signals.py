"""Signals that are noted or held, so that a step that has begun is finished first."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from ..errors import EdgeRuntimeError


class StopSignals:
    """Notes SIGTERM and SIGINT, instead of letting them end the process in the middle of a step.

    Use it as a context in the main thread; a loop looks at `received` between its steps, and
    gives the object to `select` to be woken by a signal. Raises EdgeRuntimeError on Windows, which
    selects no pipes.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        if sys.platform == "win32":
            raise EdgeRuntimeError("watching a folder needs Linux or macOS; this is Windows")

    def __enter__(self) -> StopSignals:
        self._woken, self._waker = os.pipe()
        if sys.platform != "win32":
            os.set_blocking(self._woken, False)
            os.set_blocking(self._waker, False)
        self._before = {
            number: signal.signal(number, self._note)
            for number in (signal.SIGTERM, signal.SIGINT)
            if signal.getsignal(number) is not signal.SIG_IGN  # as a shell's background job has it
        }
        self._wakeup = signal.set_wakeup_fd(self._waker)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = number

    def fileno(self) -> int:
        """The descriptor that becomes readable with a signal, for `select`."""
        return self._woken

    def drain(self) -> None:
        """Make the descriptor unreadable again; `received` stays."""
        with suppress(BlockingIOError):
            os.read(self._woken, 64)

    def __exit__(self, *details: object) -> None:
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._woken)
        os.close(self._waker)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back until this context ends, also from a process that is started in it.

    An interrupt in the middle of an import may be lost, or leave warnings behind.
    """
    if sys.platform == "win32":  # has no masks
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
