"""Processes that work through chunks of paths: the answers come in order, and the death of a
process costs one path at most.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..errors import EdgeRuntimeError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
from .signals import interrupts_held

T = TypeVar("T")

_IN_FLIGHT = 4  # chunks a worker, with those done that wait for an earlier one
_WORTH_FORKING = 64
_WORTH_SPAWNING = 512


@dataclass(eq=False)
class _Chunk(Generic[T]):
    paths: list[str]
    again: bool = False  # a process died on it before
    answer: list[T] = field(default_factory=list)  # one, once it is there


def work_in_order(
    start: Callable[[], Callable[[list[str]], T]],
    chunks: Iterable[list[str]],
    workers: int,
    lost: Callable[[str, str], T],
) -> Generator[T, None, None]:
    """Yield what the work makes of each chunk, in their order; a few chunks are in memory.

    Each process calls `start` once, and what that returns on one chunk after another. When a
    process dies (its decoder crashed, the system was out of memory), another takes its place
    and the paths of its chunk are tried again, one by one; one that then ends a process again
    is answered with `lost(path, reason)`. All that passes between processes must be picklable.
    An empty chunk says that no more are there before the next answer was taken.

    Raises what `start` or the work raised, and EdgeRuntimeError when more processes die before
    they can begin than there are.
    """
    with interrupts_held():
        import multiprocessing  # a tenth of the time that one image takes
        from multiprocessing.connection import wait

    context = multiprocessing.get_context("fork" if _may_fork() else "spawn")
    source = iter(chunks)
    pending: list[_Chunk[T]] = []  # in the order of the answers
    todo: deque[_Chunk[T]] = deque()
    crew: list[_Worker[T]] = []
    stillborn = 0
    try:
        crew.extend(_Worker(context, start) for _ in range(workers))
        while True:
            while len(pending) < workers * _IN_FLIGHT and (paths := next(source, None)):
                pending.append(_Chunk(paths))
                todo.append(pending[-1])
            if not pending:
                return
            for worker in crew:
                if worker.idle and todo:
                    worker.give(todo.popleft())
            if pending[0].answer:
                yield pending.pop(0).answer[0]
                continue
            heard = wait([worker.answers for worker in crew])
            for place, worker in enumerate(crew):
                if worker.answers not in heard or worker.listen():
                    continue
                reason = worker.end()
                stillborn += not worker.ready
                if stillborn > workers:
                    raise EdgeRuntimeError(
                        f"processes end before they can begin: {reason}"
                        + ("; --workers 1 needs none" if workers > 1 else "")
                    )
                crew[place] = _Worker(context, start)
                if worker.chunk:
                    _try_again(worker.chunk, pending, todo, lost, reason)
    finally:
        for worker in crew:
            worker.end()


def _try_again(
    chunk: _Chunk[T],
    pending: list[_Chunk[T]],
    todo: deque[_Chunk[T]],
    lost: Callable[[str, str], T],
    reason: str,
) -> None:
    if chunk.again:
        chunk.answer.append(lost(chunk.paths[0], reason))
        return
    single: list[_Chunk[T]] = [_Chunk([path], again=True) for path in chunk.paths]
    place = pending.index(chunk)
    pending[place : place + 1] = single
    todo.extendleft(reversed(single))


class _Worker(Generic[T]):
    """A process, what it is doing, and the lines to and from it."""

    def __init__(self, context: Any, start: Callable[[], Callable[[list[str]], T]]) -> None:
        self.chunk: _Chunk[T] | None = None
        self.ready = False
        # Two pipes rather than one pair of sockets: what opens no socket is seen to open none.
        tasks, self._tasks = context.Pipe(duplex=False)
        self.answers, answers = context.Pipe(duplex=False)
        self._process = context.Process(
            target=_serve, args=(tasks, answers, (self._tasks, self.answers), start), daemon=True
        )
        with interrupts_held():
            self._process.start()
        tasks.close()
        answers.close()

    @property
    def idle(self) -> bool:
        return self.ready and self.chunk is None

    def give(self, chunk: _Chunk[T]) -> None:
        self.chunk = chunk
        with suppress(OSError):  # it has just died, as listening will tell
            self._tasks.send(chunk.paths)

    def listen(self) -> bool:
        """Take what it has to say; False if it is dead."""
        try:
            error, answer = self.answers.recv()
        except (EOFError, OSError):
            return False
        if error is not None:
            raise error
        if self.chunk:
            self.chunk.answer.append(answer)
            self.chunk = None
        self.ready = True
        return True

    def end(self) -> str:
        """End it if it is still there; returns how it ended."""
        self._tasks.close()
        self.answers.close()
        self._process.terminate()
        self._process.join()
        code = self._process.exitcode
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"


def _serve(
    tasks: Connection,
    answers: Connection,
    theirs: tuple[Connection, Connection],
    start: Callable[[], Callable[[list[str]], T]],
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it reaches all; the parent ends its workers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the parent may have its own answer to it
    for end in theirs:  # else this process would keep its own pipes open when the parent is gone
        end.close()
    with suppress(EOFError, OSError):  # the parent is gone
        error, work = _outcome(start)
        answers.send((error, None))
        while work is not None:
            answers.send(_outcome(partial(work, tasks.recv())))


def _outcome(do: Callable[[], T]) -> tuple[Exception | None, T | None]:
    try:
        return None, do()
    except Exception as error:  # the parent raises it
        return error, None


def chunked(paths: Iterable[str], size: int) -> Iterator[list[str]]:
    """The paths in lists of `size`, the last one shorter."""
    rest = iter(paths)
    while chunk := list(islice(rest, size)):
        yield chunk


def shared_out(paths: Iterable[str], size: int, workers: int) -> Iterator[list[str]]:
    """The paths in lists of `size`, towards their end in ever shorter ones, so that no process has
    long to work when the others have nothing left.
    """
    rest = iter(paths)
    ahead = deque(islice(rest, _IN_FLIGHT * workers * size))
    while ahead:
        count = min(size, -(-len(ahead) // (2 * workers)))
        yield [ahead.popleft() for _ in range(count)]
        ahead.extend(islice(rest, count))


def worth_workers() -> int:
    """The number of files from which on processes of their own take no longer to read them."""
    return _WORTH_FORKING if _may_fork() else _WORTH_SPAWNING


def _may_fork() -> bool:
    """Forking is quick, and safe while nothing that runs threads of its own has been loaded."""
    bare = "numpy" not in sys.modules and threading.active_count() == 1
    return bare and sys.platform == "linux"
