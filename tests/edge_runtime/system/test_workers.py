"""Processes that work in order and survive each other's death."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count, islice
from pathlib import Path

import pytest

from edge_runtime import BundleError, EdgeRuntimeError
from edge_runtime.system import workers
from edge_runtime.system.workers import chunked, shared_out, work_in_order

Answers = list[tuple[str, int]]


@pytest.fixture(params=["fork", "spawn"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to start a process; which one it is depends on what this one has loaded."""
    if request.param == "fork" and sys.platform != "linux":
        pytest.skip("only on Linux are processes forked")
    monkeypatch.setattr(workers, "_may_fork", lambda: request.param == "fork")


def children() -> list[int]:
    """The worker processes of this one."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = stat.read_text().rpartition(")")[2].split()[1]
            command = stat.with_name("cmdline").read_bytes()
        except OSError:  # it has just ended
            continue
        if parent == str(os.getpid()) and b"resource_tracker" not in command:
            found.append(int(stat.parent.name))
    return found


def start(deadly: str = "") -> Callable[[Iterator[str]], Answers]:
    """Work that notes its process; a path that begins with `deadly` kills it."""

    def work(paths: Iterator[str]) -> Answers:
        done = []
        for path in paths:
            if deadly and path.startswith(deadly):
                os.kill(os.getpid(), signal.SIGKILL)
            done.append((path, os.getpid()))
        return done

    return work


def die_once(flag: str) -> Callable[[Iterator[str]], Answers]:
    def work(paths: Iterator[str]) -> Answers:
        paths = list(paths)
        if "7" in paths and not os.path.exists(flag):
            open(flag, "w").close()
            os.kill(os.getpid(), signal.SIGTERM)
        return [(path, 0) for path in paths]

    return work


def refuse() -> Callable[[Iterator[str]], Answers]:
    raise BundleError("no such model")


def fall_over() -> Callable[[Iterator[str]], Answers]:
    os._exit(3)


def slowly() -> Callable[[Iterator[str]], Answers]:
    def work(paths: Iterator[str]) -> Answers:
        time.sleep(0.01)
        return [(path, os.getpid()) for path in paths]

    return work


def break_down(paths: Iterator[str]) -> Answers:
    raise ZeroDivisionError(*paths)


def hang() -> Callable[[Iterator[str]], Answers]:
    """Work that hangs on some paths as a decoder might, and takes its time on the others."""

    def work(paths: Iterator[str]) -> Answers:
        done = []
        for path in paths:
            if path == "stopped":
                os.kill(os.getpid(), signal.SIGSTOP)
            elif path == "holds Python's lock":
                ctypes.PyDLL(None).sleep(1000)
            time.sleep(0.1)
            done.append((path, os.getpid()))
        return done

    return work


def give_up(path: str, status: str, reason: str) -> Answers:
    return [(f"{path}: {status}, {reason}", -1)]


def names(chunks: list[Answers]) -> list[str]:
    return [path for chunk in chunks for path, _ in chunk]


def run(
    start: Callable[[], Callable[[Iterator[str]], Answers]], paths: list[str], size: int = 4
) -> list[Answers]:
    return list(work_in_order(start, chunked(paths, size), 2, give_up, 60))


@pytest.mark.parametrize("many", [0, 1, 5, 100, 2000])
def test_towards_the_end_the_work_is_shared_out_in_ever_shorter_pieces(many: int) -> None:
    paths = [str(number) for number in range(many)]
    chunks = list(shared_out(paths, 64, 2))
    sizes = [len(chunk) for chunk in chunks]
    assert [path for chunk in chunks for path in chunk] == paths
    assert max(sizes, default=0) <= 64
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1:] == [1] * bool(many)
    assert all(size <= 1 + (many - sum(sizes[:i])) // 4 for i, size in enumerate(sizes))
    assert len(chunks) <= many / 64 + 20


def test_answers_come_in_order_and_every_process_works() -> None:
    paths = [str(number) for number in range(1000)]
    answers = run(slowly, paths)
    assert names(answers) == paths
    assert len({pid for chunk in answers for _, pid in chunk}) == 2
    assert children() == []


@pytest.mark.parametrize("size", [1, 5, 64])
def test_the_path_that_kills_its_process_is_given_up_and_no_other(size: int) -> None:
    paths = ["a", "b", "deadly 1", "c", "d", "deadly 2", "deadly 3", *"efghij"]
    expected = [
        f"{path}: crashed, the process reading it ended, killed by SIGKILL"
        if path.startswith("deadly")
        else path
        for path in paths
    ]
    assert names(run(partial(start, "deadly"), paths, size)) == expected


@pytest.mark.skipif(sys.platform == "win32", reason="its processes cannot be stopped")
def test_a_path_that_hangs_is_given_up_and_one_that_is_slow_is_not() -> None:
    slow = [str(number) for number in range(15)]
    hanging = ["stopped", "holds Python's lock"]
    chunks = [slow, [*hanging, "behind"], ["last"]]
    answers = list(work_in_order(hang, chunks, 2, give_up, 1))
    given_up = [f"{path}: timeout, took longer than 1 s" for path in hanging]
    assert names(answers) == [*slow, *given_up, "behind", "last"]
    assert len({pid for _, pid in answers[0]}) == 1, "1.5 s, but never 1 s for one path"
    assert children() == []


def test_a_process_that_dies_for_another_reason_costs_nothing(tmp_path: os.PathLike[str]) -> None:
    paths = [str(number) for number in range(40)]
    assert names(run(partial(die_once, os.path.join(tmp_path, "flag")), paths)) == paths
    assert os.path.exists(os.path.join(tmp_path, "flag"))


def test_idle_processes_that_are_killed_are_replaced() -> None:
    answers = work_in_order(start, ([str(n)] for n in count()), 2, give_up, 60)
    first = list(islice(answers, 8))
    for child in children():
        os.kill(child, signal.SIGKILL)
    assert names(first + list(islice(answers, 30))) == [str(n) for n in range(38)]
    answers.close()  # type: ignore[attr-defined]
    assert children() == []


def test_what_start_or_the_work_raises_is_raised_here() -> None:
    with pytest.raises(BundleError, match="no such model"):
        run(refuse, ["a"])
    with pytest.raises(ZeroDivisionError, match="a"):
        run(partial(partial, break_down), ["a"])  # type: ignore[arg-type]
    with pytest.raises(EdgeRuntimeError, match="before they can begin: exit status 3"):
        run(fall_over, ["a"])
    assert children() == []


def test_no_more_than_a_few_chunks_are_taken_ahead() -> None:
    taken = []

    def endless() -> object:
        for number in count():
            taken.append(number)
            yield [str(number)]

    answers = work_in_order(start, endless(), 2, give_up, 60)  # type: ignore[arg-type]
    assert names(list(islice(answers, 20))) == [str(number) for number in range(20)]
    assert len(taken) <= 20 + 2 * 4
    answers.close()  # type: ignore[attr-defined]


CHILDREN = """
import os, sys
from edge_runtime.system.workers import work_in_order
def start():
    return lambda paths: os.getpid()
if __name__ == "__main__":
    answers = work_in_order(start, iter(lambda: ["x"], None), 2, lambda path, status, reason: 0, 60)
    pids = set()
    while len(pids) < 2:
        pids.add(next(answers))
    print("numpy" in sys.modules, *pids, flush=True)
    os.kill(os.getpid(), 9)
"""


def runs(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="only there are processes forked")
def test_forked_processes_do_not_outlive_a_parent_that_is_killed() -> None:
    done = subprocess.run([sys.executable, "-c", CHILDREN], capture_output=True, timeout=60)
    loaded, *pids = done.stdout.decode().split()
    assert loaded == "False"
    while any(map(runs, pids)):  # the test run's own limit ends a wait in vain
        time.sleep(0.01)
