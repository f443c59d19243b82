"""A worker process forked from this one, and the messages between the two.

The command line forks its first one before it reads its options: to import numpy and onnxruntime
takes a process longer than all else of classifying one image, and so that is done meanwhile. To
import `multiprocessing` would take it a tenth more.
"""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False  # nothing is imported that would put off the first fork
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_SIZE_BYTES = 8  # of a message, before it
_CLOSED = -1

_ahead: ForkedProcess | None = None


class Channel:
    """Messages through two pipes, one for each direction; whatever can be pickled."""

    def __init__(self, reading: int, writing: int) -> None:
        """reading, writing: descriptors."""
        self._reading, self._writing = reading, writing

    def fileno(self) -> int:
        """The descriptor that is readable when there is a message, or none will come any more."""
        return self._reading

    def send(self, message: object) -> None:
        """Send a message. Raises OSError when the other process is gone."""
        import pickle

        data = pickle.dumps(message)
        rest = memoryview(len(data).to_bytes(_SIZE_BYTES, "big") + data)
        while rest:
            rest = rest[os.write(self._writing, rest) :]

    def recv(self) -> Any:
        """Wait for a message. Raises EOFError when the other process is gone."""
        import pickle

        return pickle.loads(self._read(int.from_bytes(self._read(_SIZE_BYTES), "big")))

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = os.read(self._reading, size - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def close(self) -> None:
        """Close both pipes; once is enough."""
        for descriptor in {self._reading, self._writing} - {_CLOSED}:
            os.close(descriptor)
        self._reading = self._writing = _CLOSED


class ForkedProcess:
    """A process forked from this one, with those methods of multiprocessing.Process that end it."""

    pid: int
    channel: Channel
    """To the process and from it."""
    exitcode: int | None = None
    """After `join`: the exit status, or minus the number of the signal that killed it."""

    def __init__(self, work: Callable[[Channel], object]) -> None:
        """work: called in the process with its end of the channel; the process ends with it."""
        if sys.platform == "win32":
            raise OSError("Windows forks no processes")
        tasks, sending = os.pipe()
        receiving, answers = os.pipe()
        # Between the fork and the next line Ctrl-C would do in the process what it does in this.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        self.pid = os.fork()
        if not self.pid:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all processes
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            status = 1
            try:
                os.close(sending)  # open here, they would hide that the parent is gone
                os.close(receiving)
                work(Channel(tasks, answers))
                status = 0
            finally:
                if status:
                    sys.excepthook(*sys.exc_info())
                os._exit(status)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(tasks)
        os.close(answers)
        self.channel = Channel(receiving, sending)

    def kill(self) -> None:
        """End the process at once."""
        if sys.platform != "win32" and self.exitcode is None:
            os.kill(self.pid, signal.SIGKILL)

    def join(self) -> None:
        """Wait until the process has ended."""
        if self.exitcode is None:
            try:
                self.exitcode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            except ChildProcessError:  # who started this program lets the system forget them
                self.exitcode = 0


def fork_ahead(work: Callable[[Channel], object]) -> None:
    """Fork a process that the next caller of `take_ahead` gets; nothing where none can be forked.

    work: as of a ForkedProcess.
    """
    global _ahead
    if sys.platform == "linux":
        try:
            _ahead = ForkedProcess(work)
        except OSError:  # no more processes or files are allowed; the first worker meets that
            _ahead = None


def take_ahead() -> ForkedProcess | None:
    """The process that was forked ahead; None if there is none any more."""
    global _ahead
    taken, _ahead = _ahead, None
    return taken


def end_ahead() -> None:
    """End the process that was forked ahead, if nobody took it."""
    process = take_ahead()
    if process is not None:
        process.channel.close()
        process.kill()
        process.join()
