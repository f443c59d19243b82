"""What a library in C or C++ writes to standard error, past Python: caught, or thrown away."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

_MOST_BYTES = 1 << 16  # a pipe of Linux holds no more


def with_standard_error(call: Callable[[], T]) -> tuple[T, str]:
    """Call a function; returns its result, and what was written to file descriptor 2 meanwhile.

    That text does not reach the real standard error. It is empty on Windows, and where standard
    error is closed.
    """
    try:
        own = os.dup(2)
    except OSError:
        return call(), ""
    if sys.platform == "win32":  # its pipes block when they are full
        os.close(own)
        return call(), ""
    reading, writing = os.pipe()
    for end in (reading, writing):
        os.set_blocking(end, False)
    os.dup2(writing, 2)
    os.close(writing)
    try:
        result = call()
    finally:
        os.dup2(own, 2)
        os.close(own)
        text = b""
        with suppress(BlockingIOError):  # nothing was written
            text = os.read(reading, _MOST_BYTES)
        os.close(reading)
    return result, text.decode(errors="replace")


def mute_libraries() -> None:
    """Keep stderr for this program: libtiff writes its warnings on damaged files there."""
    if sys.stderr is sys.__stderr__ and sys.stderr is not None and sys.stderr.fileno() == 2:
        own = os.dup(2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        sys.stderr = open(  # noqa: SIM115  until the end
            own, "w", encoding=sys.stderr.encoding, errors="backslashreplace", buffering=1
        )
