"""Which files a run reads, and on how many processors: the standard library only."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator

EXTENSIONS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"})
"""The file endings, in lower case, that a walk of a folder takes."""
MAX_PIXELS = 64_000_000
"""Width times height above which an image is refused as `too_large`: 192 MB as RGB."""


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
    taken: list[str] = []  # names only: a folder may hold millions
    try:
        with os.scandir(folder) as scan:
            for entry in scan:
                if entry.name.startswith("."):
                    passed_over(entry.path)
                elif entry.is_dir(follow_symlinks=False):
                    if recursive:
                        taken.append(entry.name + "/")
                elif _deserves_row(entry) and (all_files or has_image_ending(entry.name)):
                    taken.append(entry.name)
                else:
                    passed_over(entry.path)
    except OSError:
        yield folder
        return
    taken.sort(key=lambda name: name.removesuffix("/"))
    for name in taken:
        path = os.path.join(folder, name.removesuffix("/"))
        if name.endswith("/"):
            yield from _walk_folder(path, recursive, all_files, passed_over)
        else:
            yield path


def has_image_ending(name: str) -> bool:
    """Whether a walk takes a file of that name."""
    return os.path.splitext(name)[1].lower() in EXTENSIONS


def _deserves_row(entry: os.DirEntry[str]) -> bool:
    """Whether it is a file, or a link to one, or a link that leads nowhere."""
    try:
        return entry.is_file() or (entry.is_symlink() and not entry.is_dir())
    except OSError:  # a link to itself, or into a folder that may not be entered
        return True


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
