"""Signals that wait until what is begun is ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType


class Ending:
    """SIGTERM and SIGINT as something to look at: what is begun is ended first."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __enter__(self) -> Ending:
        self._woken, self._waker = os.pipe()
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
        self.signal = number

    def fileno(self) -> int:
        """What becomes readable with a signal."""
        return self._woken

    def drain(self) -> None:
        """Forget what made it readable; `signal` stays."""
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
    """Ctrl-C waits until this ends, and does not reach a process that is started in here.

    An interrupt in the middle of an import may be lost, or leave warnings behind.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
