"""List the files to classify: paths as given, and the files of folders in sorted order."""

from __future__ import annotations

import heapq
import os
import re
from collections.abc import Callable, Iterable, Iterator, Set

from .formats import ENDINGS, has_ending

_RUN = 8192  # names of a folder that are sorted at once


def walk(
    paths: Iterable[str],
    *,
    recursive: bool = True,
    all_files: bool = False,
    endings: Set[str] = ENDINGS["image"],
    passed_over: Callable[[str], object] = lambda path: None,
    empty: Callable[[str], object] = lambda path: None,
) -> Iterator[str]:
    """Yield the files to classify: each path as given, each folder as its files in sorted order.

    In a folder, hidden files and folders are left out, links to folders are not followed, and
    only names with one of the `endings` are taken unless `all_files`; `passed_over` is called with
    every other file, `empty` with each of the `paths` that is a folder without a file to take. A
    folder that cannot be listed is yielded itself, so that it gets a row.
    """
    taken = None if all_files else endings
    for path in paths:
        if os.path.isdir(path):
            files = _walk_folder(path, recursive, taken, passed_over)
            first = next(files, None)
            if first is None:
                empty(path)
            else:
                yield first
                yield from files
        else:
            yield path


def _walk_folder(
    folder: str, recursive: bool, endings: Set[str] | None, passed_over: Callable[[str], object]
) -> Iterator[str]:
    taken = _SortedNames()
    try:
        for entry, is_folder in _scan(folder, recursive, endings, passed_over):
            taken.add(entry.name + "/" if is_folder else entry.name)
    except OSError:
        yield folder
        return
    start = os.path.join(folder, "")
    for name in taken:
        if name.endswith("/"):
            yield from _walk_folder(start + name[:-1], recursive, endings, passed_over)
        else:
            yield start + name


def _scan(
    folder: str, recursive: bool, endings: Set[str] | None, passed_over: Callable[[str], object]
) -> Iterator[tuple[os.DirEntry[str], bool]]:
    """Yield the entries of one folder that a walk takes, and True for those that are folders."""
    with os.scandir(folder) as scan:
        for entry in scan:
            if entry.name.startswith("."):
                passed_over(entry.path)
            elif entry.is_dir(follow_symlinks=False):
                if recursive:
                    yield entry, True
            elif _deserves_row(entry) and has_ending(entry.name, endings):
                yield entry, False
            else:
                passed_over(entry.path)


def find_file(
    target: os.stat_result,
    folder: str,
    *,
    recursive: bool = True,
    all_files: bool = False,
    endings: Set[str] = ENDINGS["image"],
) -> str | None:
    """Search what `walk` takes of a folder for one file, by device and inode, also behind links.

    Returns the path at which the walk meets it; None if it does not. Only links, and files with
    the inode's number, cost more than the listing.
    """
    for entry in _unsorted(folder, recursive, None if all_files else endings):
        suspect = entry and (entry.is_symlink() or entry.inode() == target.st_ino)
        if entry and suspect and is_file(entry.path, target):
            return entry.path
    return None


def count_files(
    paths: Iterable[str],
    *,
    recursive: bool = True,
    all_files: bool = False,
    endings: Set[str] = ENDINGS["image"],
) -> Iterator[int]:
    """Count what `walk` yields: 1, 2 and so on, so that the caller can do it a little at a time.

    It lists each folder once more, but keeps and sorts no names.
    """
    count = 0
    for path in paths:
        found: Iterable[object] = [path]
        if os.path.isdir(path):
            found = _unsorted(path, recursive, None if all_files else endings)
        for _ in found:
            count += 1
            yield count


def _unsorted(
    folder: str, recursive: bool, endings: Set[str] | None
) -> Iterator[os.DirEntry[str] | None]:
    """Yield the entries of the files that a walk of a folder takes, in no order.

    None for a folder that cannot be listed.
    """
    folders = [folder]
    while folders:
        try:
            for entry, is_folder in _scan(folders.pop(), recursive, endings, lambda path: None):
                if is_folder:
                    folders.append(entry.path)
                else:
                    yield entry
        except OSError:
            yield None


def is_file(path: str, target: os.stat_result) -> bool:
    """Tell if the file at a path, or behind the link there, is that one."""
    try:
        return os.path.samestat(os.stat(path), target)
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return False


class _SortedNames:
    """Names in the order of their characters, those of folders end with `/`. A folder may hold
    millions: most of them are kept in long strings, a quarter of the memory."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._runs: list[str] = []

    def add(self, name: str) -> None:
        self._names.append(name)
        if len(self._names) == _RUN:
            self._runs.append("\0".join(sorted(self._names, key=_without_slash)))
            self._names.clear()

    def __iter__(self) -> Iterator[str]:
        self._names.sort(key=_without_slash)
        runs = [(found[0] for found in re.finditer("[^\0]+", run)) for run in self._runs]
        return heapq.merge(self._names, *runs, key=_without_slash)


def _without_slash(name: str) -> str:
    return name.removesuffix("/")


def _deserves_row(entry: os.DirEntry[str]) -> bool:
    """True for a file, a link to one, or a broken link."""
    try:
        return entry.is_file() or (entry.is_symlink() and not entry.is_dir())
    except OSError:  # a link to itself, or into a folder that may not be entered
        return True
