"""Worker processes for chunks of paths: answers come in order, and a process that dies or hangs
costs one path at most.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from selectors import EVENT_READ, DefaultSelector
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..errors import EdgeRuntimeError
from .forked import Channel, ForkedProcess, take_ahead
from .signals import interrupts_held

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnContext

T = TypeVar("T")
Start = Callable[[], Callable[[Iterator[str]], T]]
"""Prepares a process, and returns the function that works on the paths of a chunk."""
Lost = Callable[[str, str, str], T]
"""Makes the answer for a path that cannot be worked on: from the path, `crashed` or `timeout`, and
the reason in a line."""

_IN_FLIGHT = 4  # chunks for each worker, with those answered that wait for an earlier one
# Files. With fewer, the start of the processes takes longer than they save: each of them imports
# onnxruntime and loads the model, and a spawned one starts Python first.
_WORTH_FORKING = 64
_WORTH_SPAWNING = 512
_LOOK_SECONDS = 1.0  # between two looks for processes that hang
_TELL_SECONDS = 0.5  # between two messages of a process that it goes on; a timeout is 1 s or more
_GUARD = "call this under `if __name__ == '__main__':`"


@dataclass(eq=False)
class _Chunk(Generic[T]):
    paths: list[str]
    retried: bool = False  # after it ended a process
    answer: list[T] = field(default_factory=list)  # one item, once there is an answer


def work_in_order(
    start: Start[T],
    chunks: Iterable[list[str]],
    workers: int,
    lost: Lost[T],
    timeout: float,
) -> Generator[T, None, None]:
    """Let worker processes work on the chunks, and yield the answers in the order of the chunks.

    start: called once in each process. All that passes between processes is pickled.
    chunks: read as workers become free; at most `4 * workers` are in memory. An empty chunk means
        "nothing more for now": the next chunk is asked for once the next answer has been taken.
    timeout: seconds from one path to the next, at least 1. Time in which this process does not
        wait for an answer, as when the machine sleeps, does not count.

    When a process dies (its decoder crashed, the system was out of memory) or takes longer than
    `timeout`, another takes its place, and the paths of its chunk are tried again one by one. The
    path on which that happens for the second time is answered by `lost`.

    Raises what `start` or its function raised, and EdgeRuntimeError when more processes than
    `workers` die before they have started.
    """
    context = None if _may_fork() else _spawn_context()
    wait = _wait if context is None else _wait_for_spawned
    source = iter(chunks)
    pending: list[_Chunk[T]] = []  # in the order of the answers
    todo: deque[_Chunk[T]] = deque()
    team: list[_Worker[T]] = []
    died_starting = 0
    try:
        while True:
            while len(pending) < workers * _IN_FLIGHT and (paths := next(source, None)):
                pending.append(_Chunk(paths))
                todo.append(pending[-1])
            if not pending:
                return
            if not team:
                team.extend(_Worker(context, start) for _ in range(workers))
            for worker in team:
                if worker.idle and todo:
                    worker.give(todo.popleft())
            if pending[0].answer:
                yield pending.pop(0).answer[0]
                continue
            begun = time.monotonic()
            heard = wait([worker.answers for worker in team])
            waited = min(time.monotonic() - begun, 2 * _LOOK_SECONDS)
            for place, worker in enumerate(team):
                if worker.answers not in heard:
                    worker.silent += waited
                    if worker.chunk is None or worker.silent <= timeout:
                        continue
                    status, reason = "timeout", f"took longer than {timeout:g} s"
                    worker.end()
                elif worker.listen():
                    continue
                else:
                    how = worker.end()
                    status, reason = "crashed", f"the process reading it ended, {how}"
                    died_starting += not worker.ready
                    if died_starting > workers:
                        raise EdgeRuntimeError(
                            f"processes end before they can begin: {how}"
                            + ("" if context is None else f"; in a Python program {_GUARD}")
                        )
                team[place] = _Worker(context, start)
                if worker.chunk:
                    _try_again(worker.chunk, pending, todo, lost, status, reason)
    finally:
        for worker in team:
            worker.end()


def _try_again(
    chunk: _Chunk[T],
    pending: list[_Chunk[T]],
    todo: deque[_Chunk[T]],
    lost: Lost[T],
    status: str,
    reason: str,
) -> None:
    """Put each path of a chunk that ended a process into a chunk of its own, next in turn."""
    if chunk.retried:
        chunk.answer.append(lost(chunk.paths[0], status, reason))
        return
    single: list[_Chunk[T]] = [_Chunk([path], retried=True) for path in chunk.paths]
    place = pending.index(chunk)
    pending[place : place + 1] = single
    todo.extendleft(reversed(single))


class _Worker(Generic[T]):
    """A process, the chunk that it works on, and the ways to and from it."""

    def __init__(self, context: SpawnContext | None, start: Start[T]) -> None:
        """context: None to fork the process."""
        self.chunk: _Chunk[T] | None = None
        self.ready = False
        self.silent = 0.0  # seconds for which an answer has been waited for in vain
        self._process: Any
        self._tasks: Any
        self.answers: Any
        if context is None:
            self._process = take_ahead() or ForkedProcess(serve)
            self._tasks = self.answers = self._process.channel
        else:
            # Two pipes, not a pair of sockets: so a trace shows that this package opens no socket.
            tasks, self._tasks = context.Pipe(duplex=False)
            self.answers, answers = context.Pipe(duplex=False)
            self._process = context.Process(target=_serve, args=(tasks, answers), daemon=True)
            with interrupts_held():
                self._process.start()
            tasks.close()
            answers.close()
        self._send(start)

    @property
    def idle(self) -> bool:
        return self.ready and self.chunk is None

    def give(self, chunk: _Chunk[T]) -> None:
        self.chunk = chunk
        self.silent = 0.0
        self._send(chunk.paths)

    def _send(self, task: object) -> None:
        with suppress(OSError):  # it has just died; listen() finds that
            self._tasks.send(task)

    def listen(self) -> bool:
        """Receive an answer, or that the process has started or goes on; False if it is dead.

        Raises what was raised in the process.
        """
        self.silent = 0.0
        try:
            message = self.answers.recv()
        except (EOFError, OSError):
            return False
        if message is None:
            return True
        error, answer = message
        if error is not None:
            raise error
        if self.chunk:
            self.chunk.answer.append(answer)
            self.chunk = None
        self.ready = True
        return True

    def end(self) -> str:
        """End the process if it is still there; return how it ended."""
        for end in {self._tasks, self.answers}:  # one, of a forked process
            end.close()
        self._process.kill()  # SIGTERM would wait while the process is stopped
        self._process.join()
        code = self._process.exitcode
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"


def serve(channel: Channel) -> None:
    """Work for the parent until it is gone; runs in a forked process."""
    _serve(channel, channel)


def _serve(tasks: Channel | Connection, answers: Channel | Connection) -> None:
    """Answer chunks until the parent is gone; the first task is how to start."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all processes
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the parent's handler was inherited
    with suppress(EOFError, OSError):  # the parent is gone
        error, work = _outcome(tasks.recv())
        answers.send((error, None))
        while work is not None:
            answers.send(_outcome(partial(work, _telling(tasks.recv(), answers))))


def _telling(paths: list[str], answers: Channel | Connection) -> Iterator[str]:
    """Yield the paths, and tell the parent now and then that the work goes on."""
    told = time.monotonic()
    for path in paths:
        if time.monotonic() - told > _TELL_SECONDS:
            answers.send(None)
            told = time.monotonic()
        yield path


def _outcome(do: Callable[[], T]) -> tuple[Exception | None, T | None]:
    try:
        return None, do()
    except Exception as error:  # the parent raises it
        return error, None


def chunked(paths: Iterable[str], size: int) -> Iterator[list[str]]:
    """Yield the paths in lists of `size`, the last one shorter."""
    rest = iter(paths)
    while chunk := list(islice(rest, size)):
        yield chunk


def shared_out(paths: Iterable[str], size: int, workers: int) -> Iterator[list[str]]:
    """Yield the paths in lists of `size`, and of ever fewer towards the end, so that the workers
    finish at about the same time.

    A list holds 1 / (2 * workers) of the paths that are left, as in guided self-scheduling
    (Polychronopoulos and Kuck, 1987), which takes 1 / workers.
    """
    rest = iter(paths)
    ahead = deque(islice(rest, _IN_FLIGHT * workers * size))
    while ahead:
        count = min(size, -(-len(ahead) // (2 * workers)))
        yield [ahead.popleft() for _ in range(count)]
        ahead.extend(islice(rest, count))


def worth_workers() -> int:
    """The number of files from which worker processes are quicker, with their start counted."""
    return _WORTH_FORKING if _may_fork() else _WORTH_SPAWNING


def _may_fork() -> bool:
    """Tell if processes can be forked: quick, and safe while no library with threads is loaded."""
    bare = "numpy" not in sys.modules and threading.active_count() == 1
    return bare and sys.platform == "linux"


def _spawn_context() -> SpawnContext:
    """To start processes that are not forked. Raises EdgeRuntimeError in one that was so started
    and is not ready yet."""
    with interrupts_held():
        import multiprocessing

    if getattr(multiprocessing.current_process(), "_inheriting", False):
        # A spawned process runs the main module first: without a guard that leads here again. It
        # ends without a traceback, and the parent raises one error for all of them.
        sys.excepthook = lambda *_: None
        raise EdgeRuntimeError(f"worker processes cannot start workers; {_GUARD}")
    return multiprocessing.get_context("spawn")


def _wait(channels: list[Any]) -> list[Any]:
    """Those that have a message, or whose process is gone; waits for one of them for a while."""
    with DefaultSelector() as selector:
        for channel in channels:
            selector.register(channel, EVENT_READ)
        return [key.fileobj for key, _ in selector.select(_LOOK_SECONDS)]


def _wait_for_spawned(connections: list[Any]) -> list[Any]:
    """As `_wait`."""
    from multiprocessing.connection import wait

    return wait(connections, _LOOK_SECONDS)
