"""A watchdog that ends its own process, where no parent can end it."""

from __future__ import annotations

import faulthandler
import math
import os
import time

_RENEW_SECONDS = 0.5  # between two timers: each is a thread


class Watchdog:
    """Ends this process when `go_on` is not called for some time, whatever holds Python's lock."""

    def __init__(self, seconds: float) -> None:
        """seconds: the time, at least 1. It begins with the first call of `go_on`."""
        self._seconds = seconds
        self._set = -math.inf
        self._nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  until the end

    def go_on(self) -> None:
        """Begin the time anew; quick."""
        now = time.monotonic()
        if now - self._set > _RENEW_SECONDS:
            faulthandler.dump_traceback_later(self._seconds, file=self._nowhere, exit=True)
            self._set = now

    def rest(self) -> None:
        """Let the process be until the next `go_on`."""
        faulthandler.cancel_dump_traceback_later()
        self._set = -math.inf
