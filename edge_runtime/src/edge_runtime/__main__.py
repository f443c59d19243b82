"""The entry point of `edge-runtime` and `python -m edge_runtime`; handles Ctrl-C from the start."""

import os
import signal
import sys
from types import FrameType


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
    from .cli.main import run

    try:
        run()
    finally:
        # Nothing is left to interrupt; Python's own end would let it kill the process.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def end_at_once(signum: int, frame: FrameType | None) -> None:
    """Handle Ctrl-C during start-up, where an import could swallow an exception."""
    os.write(sys.stderr.fileno(), b"edge-runtime: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    main()
