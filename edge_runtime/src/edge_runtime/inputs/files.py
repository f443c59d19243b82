"""Which files a run reads, opening them, and on how many processors: the standard library only."""

from __future__ import annotations

import heapq
import math
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Set
from typing import TypeVar

from ..errors import InputError

ENDINGS = {
    "image": frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"}),
    "sound": frozenset({".wav"}),
    "series": frozenset({".npy"}),
}
"""The file endings, in lower case, that a walk of a folder takes, by what the model reads."""
MAX_PIXELS = 64_000_000
"""Width times height above which an image is refused as `too_large`: 192 MB as RGB. Of a sound,
samples times channels; of a series, values."""

_RUN = 8192  # names of a folder that are sorted at once
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_FOUND = {"image": "an image", "sound": "a WAV sound", "series": "an array (.npy)"}
_WANTED = {
    "image": "images (PNG, JPEG, BMP, GIF, TIFF, WebP)",
    "sound": "sounds (WAV)",
    "series": "series (.npy)",
}
_STARTS = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*")

T = TypeVar("T")


def walk(
    paths: Iterable[str],
    *,
    recursive: bool = True,
    all_files: bool = False,
    endings: Set[str] = ENDINGS["image"],
    passed_over: Callable[[str], object] = lambda path: None,
) -> Iterator[str]:
    """The files to read: each path as given, each folder as its files in sorted order.

    In a folder, hidden files and folders are left out, links to folders are not followed, and
    only names with one of the `endings` are taken unless `all_files`; `passed_over` is called with
    every other file. A folder that cannot be listed is yielded itself, so that it gets a row.
    """
    taken = None if all_files else endings
    for path in paths:
        if os.path.isdir(path):
            yield from _walk_folder(path, recursive, taken, passed_over)
        else:
            yield path


def _walk_folder(
    folder: str, recursive: bool, endings: Set[str] | None, passed_over: Callable[[str], object]
) -> Iterator[str]:
    taken = _SortedNames()
    try:
        with os.scandir(folder) as scan:
            for entry in scan:
                if entry.name.startswith("."):
                    passed_over(entry.path)
                elif entry.is_dir(follow_symlinks=False):
                    if recursive:
                        taken.add(entry.name + "/")
                elif _deserves_row(entry) and has_ending(entry.name, endings):
                    taken.add(entry.name)
                else:
                    passed_over(entry.path)
    except OSError:
        yield folder
        return
    start = os.path.join(folder, "")
    for name in taken:
        if name.endswith("/"):
            yield from _walk_folder(start + name[:-1], recursive, endings, passed_over)
        else:
            yield start + name


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


def has_ending(name: str, endings: Set[str] | None) -> bool:
    """Whether a walk that asks for these endings, or for none, takes a file of that name."""
    return endings is None or os.path.splitext(name)[1].lower() in endings


def _deserves_row(entry: os.DirEntry[str]) -> bool:
    """Whether it is a file, or a link to one, or a link that leads nowhere."""
    try:
        return entry.is_file() or (entry.is_symlink() and not entry.is_dir())
    except OSError:  # a link to itself, or into a folder that may not be entered
        return True


def from_file(path: str | os.PathLike[str], read: Callable[[int], T]) -> T:
    """What `read` makes of a regular file, given as a descriptor that is closed afterwards.

    Raises InputError with its status; the InputErrors of `read` pass.
    """
    try:
        _refuse_special(os.stat(path).st_mode)
        descriptor = os.open(path, _READ)
        try:
            _refuse_special(os.fstat(descriptor).st_mode)  # it may have been replaced
            return read(descriptor)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise InputError("not_found", "no such file") from None
    except PermissionError:
        raise InputError("permission", "not allowed to read it") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError("unreadable", one_line(error)) from None


def _refuse_special(mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
        raise InputError("not_a_file", kind)


def file_bytes(path: str | os.PathLike[str], limit: int) -> bytes:
    """The bytes of a regular file of at most `limit` bytes. Raises InputError with its status."""

    def read(descriptor: int) -> bytes:
        size = os.fstat(descriptor).st_size
        if size > limit:
            raise InputError("too_large", f"{size} bytes are more than {limit}")
        with open(descriptor, "rb", closefd=False) as stream:
            return stream.read(limit)

    return from_file(path, read)


def read_named(
    source: object, decode: Callable[[str | os.PathLike[str] | bytes], T], accepted: str
) -> T:
    """What `decode` makes of a path or an encoded file's bytes.

    Raises its InputErrors, which name a path, and TypeError when the source is neither.
    """
    if isinstance(source, bytes):
        return decode(source)
    if not isinstance(source, str | os.PathLike):
        what, _, instead = accepted.partition(": ")
        raise TypeError(f"cannot read {what} from {type(source).__name__}; {instead}")
    try:
        return decode(source)
    except InputError as error:
        raise InputError(error.status, f"{os.fspath(source)}: {error}") from None


def refuse_other_kinds(start: bytes, reads: str) -> None:
    """Raise InputError with `wrong_kind` if a file that begins so, with 12 bytes or more, is of
    a kind that other models read than those that read `reads`."""
    if start.startswith(_STARTS) or (start[:4] == b"RIFF" and start[8:12] == b"WEBP"):
        found = "image"
    elif start[:4] == b"RIFF" and start[8:12] == b"WAVE":
        found = "sound"
    elif start.startswith(b"\x93NUMPY"):
        found = "series"
    else:
        return
    if found != reads:
        raise InputError("wrong_kind", f"{_FOUND[found]}; this model reads {_WANTED[reads]}")


def one_line(error: BaseException) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__


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
