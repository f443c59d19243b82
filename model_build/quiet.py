"""The chatter of TensorFlow's libraries, which writes to standard error past Python."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Discard what libraries write to standard error, log and warn; exceptions still rise.

    Not for use beside other threads that write to standard error.
    """
    sys.stderr.flush()
    saved = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(level)
        sys.stderr.flush()
        os.dup2(saved, 2)
        os.close(saved)


def load_tensorflow(say: Callable[[str], object] = lambda line: None) -> None:
    """Import TensorFlow before all that needs it, quietly: it takes seconds and talks."""
    say("loading tensorflow ...")
    with quiet():
        import tensorflow as tf
    tf.get_logger().setLevel(logging.ERROR)  # what it warns of is no business of a user's
