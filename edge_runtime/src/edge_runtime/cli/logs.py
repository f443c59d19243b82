"""Log records on standard error: plain on a terminal, dated and with their level elsewhere."""

from __future__ import annotations

import logging
import sys

from .exits import in_journal, printable

# systemd's, as of syslog (sd-daemon(3)).
_PRIORITIES = {logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}


class _OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


class _WithPriority(_OneLine):
    def format(self, record: logging.LogRecord) -> str:
        return f"<{_PRIORITIES[record.levelno]}>{super().format(record)}"


def log_to_stderr(*, quiet: bool) -> None:
    """Send this package's log to standard error.

    quiet: from WARNING on. Else from INFO on, and from DEBUG on on a terminal. In systemd's
    journal each line begins with its priority, `<4>` for a warning, which the journal takes away.
    """
    live = sys.stderr.isatty()
    handler = logging.StreamHandler(sys.stderr)
    if in_journal():
        handler.setFormatter(_WithPriority())
    elif live:
        handler.setFormatter(_OneLine())
    else:
        handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger(__package__.partition(".")[0])
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING if quiet else logging.DEBUG if live else logging.INFO)
    logger.propagate = False
