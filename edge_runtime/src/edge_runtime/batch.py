"""Files in, an ordered stream of results out; one bad file never ends the stream."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np

from .classifier import Classifier, Prediction
from .errors import ImageError
from .preprocess import EXTENSIONS, MAX_PIXELS, decode, ignore_decoder_warnings, prepare

# Fewer files than this are done sooner by one process than by starting more.
_WORTH_A_PROCESS = 512
_CHUNKS_IN_FLIGHT = 4


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one input file."""

    path: str
    """As it was given, or as the walk found it."""
    status: str
    """`ok`, or the status of an ImageError."""
    prediction: Prediction | None
    """None unless `status` is `ok`."""
    error: str | None
    """One line for a person; None when `status` is `ok`."""


def walk(
    paths: Iterable[str],
    *,
    recursive: bool = True,
    all_files: bool = False,
    passed_over: Callable[[str], object] = lambda path: None,
) -> Iterator[str]:
    """The files to read: each path as given, each folder as its image files in sorted order.

    In a folder, hidden files and folders are left out, links to folders are not followed, and
    only the endings in `EXTENSIONS` are taken unless `all_files`; `passed_over` is called with
    every other file. A folder that cannot be listed is yielded itself, so that it gets a row.
    """
    for path in paths:
        if os.path.isdir(path):
            yield from _walk_folder(path, recursive, all_files, passed_over)
        else:
            yield path


def _walk_folder(
    folder: str, recursive: bool, all_files: bool, passed_over: Callable[[str], object]
) -> Iterator[str]:
    try:
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except OSError:
        yield folder
        return
    for entry in entries:
        if entry.name.startswith("."):
            passed_over(entry.path)
        elif entry.is_dir(follow_symlinks=False):
            if recursive:
                yield from _walk_folder(entry.path, recursive, all_files, passed_over)
        elif _deserves_row(entry) and (
            all_files or os.path.splitext(entry.name)[1].lower() in EXTENSIONS
        ):
            yield entry.path
        else:
            passed_over(entry.path)


def _deserves_row(entry: os.DirEntry[str]) -> bool:
    """Whether it is a file, or a link to one, or a link that leads nowhere."""
    try:
        return entry.is_file() or (entry.is_symlink() and not entry.is_dir())
    except OSError:  # a link to itself, or into a folder that may not be entered
        return True


def classify_chunk(
    classifier: Classifier, paths: Iterable[str], max_pixels: int = MAX_PIXELS
) -> list[Result]:
    """Read the files, run the model once over those that could be read; one Result for each."""
    results: list[Result | None] = []
    tensors = []
    names = []
    for path in paths:
        names.append(path)
        try:
            pixels = decode(path, max_pixels)
            tensors.append(prepare(pixels, classifier.spec.input, classifier.spec.preprocessing))
            results.append(None)
        except ImageError as error:
            results.append(Result(path, error.status, None, str(error)))
        except MemoryError:
            results.append(Result(path, "too_large", None, "not enough memory to decode it"))
    predictions = iter(classifier.read_tensors(np.stack(tensors)) if tensors else ())
    return [
        result or Result(path, "ok", next(predictions), None)
        for path, result in zip(names, results, strict=True)
    ]


def classify_files(
    classifier: Classifier,
    paths: Iterable[str],
    *,
    batch_size: int = 64,
    workers: int = 1,
    max_pixels: int = MAX_PIXELS,
) -> Iterator[Result]:
    """Stream one Result for each path, in their order; a few batches are in memory at a time.

    With `workers` above 1, and enough files to be worth it, that many processes read and
    classify; the results are the same.
    """
    rest = iter(paths)
    if workers > 1:
        first = list(islice(rest, _WORTH_A_PROCESS))
        rest = chain(first, rest)
        if len(first) == _WORTH_A_PROCESS:
            yield from _in_processes(classifier, rest, batch_size, workers, max_pixels)
            return
    while chunk := list(islice(rest, batch_size)):
        yield from classify_chunk(classifier, chunk, max_pixels)


def _in_processes(
    classifier: Classifier, paths: Iterator[str], batch_size: int, workers: int, max_pixels: int
) -> Iterator[Result]:
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(classifier.arguments, max_pixels),
    )
    pending: deque[Future[list[Result]]] = deque()
    try:
        while True:
            while len(pending) < workers * _CHUNKS_IN_FLIGHT and (
                chunk := list(islice(paths, batch_size))
            ):
                with _interrupts_held():
                    pending.append(pool.submit(_work, chunk))
            if not pending:
                return
            yield from pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """A process started in here is out of Ctrl-C's reach, also while it still starts."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_worker: tuple[Classifier, int] | None = None


def _start_worker(arguments: dict[str, Any], max_pixels: int) -> None:
    # Ctrl-C reaches the whole group; the parent ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    global _worker
    ignore_decoder_warnings()
    _worker = Classifier(**arguments), max_pixels


def _work(paths: list[str]) -> list[Result]:
    assert _worker is not None
    classifier, max_pixels = _worker
    return classify_chunk(classifier, paths, max_pixels)


def available_cpus() -> int:
    """The processors this process may use: its affinity, bounded by the cgroup's quota."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        count = os.cpu_count() or 1
    try:
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as file:
            quota, period = file.read().split()
        return max(1, min(count, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no cgroup v2, or the quota is "max"
        return count
