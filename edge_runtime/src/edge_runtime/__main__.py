"""The entry point of `edge-runtime` and `python -m edge_runtime`; handles Ctrl-C from the start."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

TYPE_CHECKING = False  # nothing is imported that would put off the fork
if TYPE_CHECKING:
    from .system.forked import Channel


def main() -> None:
    """Run the command line; an interrupt at any moment gives one line, no traceback."""
    # A shell's background job ignores it, and goes on to.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, end_at_once)
    # Python has None for a stream that is closed.
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  until the end
    # The matrix products of NumPy are small here: more threads cost more than they bring.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from .system.forked import end_ahead, fork_ahead

    if sys.argv[1:2] == ["predict"]:
        fork_ahead(_work)
    try:
        from .cli.main import run

        run()
    finally:
        end_ahead()
        # Nothing is left to interrupt; Python's own end would let it kill the process.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _work(channel: Channel) -> None:
    """In a process of its own: import what it takes to classify images, then do as it is told."""
    from .system.standard_error import mute_libraries

    mute_libraries()
    try:
        from .inference.session import import_onnxruntime
        from .preprocessing import image  # noqa: F401

        import_onnxruntime()
    except ImportError:
        pass  # it is raised again where the parent hears of it
    from .system.workers import serve

    serve(channel)


def end_at_once(signum: int, frame: FrameType | None) -> None:
    """Handle Ctrl-C during start-up, where an import could swallow an exception."""
    os.write(sys.stderr.fileno(), b"edge-runtime: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    main()
