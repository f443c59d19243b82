"""What `edge-runtime` and `python -m edge_runtime` start: Ctrl-C is minded before all else."""

import os
import signal
import sys
from types import FrameType


def main() -> None:
    """Run the command line, from the first moment without a traceback for an interrupt."""
    # A shell's background job has it ignored, and keeps that.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, end_at_once)
    # Where a stream is closed, Python has None.
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  until the end
    # NumPy's matrix products are small here: more threads only cost their start and memory.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from .cli.main import run

    try:
        run()
    finally:
        # Nothing is left to interrupt; Python's own end would let it kill the process.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def end_at_once(signum: int, frame: FrameType | None) -> None:
    """The answer to Ctrl-C while nothing is begun, where an exception could be swallowed."""
    os.write(sys.stderr.fileno(), b"edge-runtime: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    main()
