"""The files that arrive in a folder: a queue that holds each once, when it is complete."""

from __future__ import annotations

import os
import select
import stat
import time
from collections.abc import Callable, Iterable, Set
from contextlib import suppress
from itertools import islice

from ..errors import EdgeRuntimeError
from ..inputs.formats import ENDINGS, has_ending
from ..output.row_format import written
from ..system.inotify import Inotify

SETTLED_SECONDS = 2.0
"""A file whose closing was not seen counts as complete when it has not changed for so long."""


def stamp_of(path: str) -> str | None:
    """A text that changes when the file does: its inode, size and time.

    None when there is no regular file at the path.
    """
    with suppress(OSError, ValueError):
        found = os.stat(path)
        if stat.S_ISREG(found.st_mode):
            return f"{found.st_ino}-{found.st_size}-{found.st_mtime_ns}"
    return None


class Arrivals:
    """Finds the complete files of one folder, and remembers those that were read.

    A file is complete when the kernel tells that its writer closed it (inotify). Without inotify,
    and for files that were there before, it is complete when its size and time have not changed
    for SETTLED_SECONDS. Hidden files, files with other endings and subfolders are left out. One
    entry for each file in the folder is kept in memory.
    """

    def __init__(
        self,
        folder: str,
        poll: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        endings: Set[str] = ENDINGS["image"],
    ) -> None:
        """poll: list the folder every so many seconds, instead of using inotify. None: use inotify
        where there is one, else list the folder every SETTLED_SECONDS. endings: of the files to
        find, in lower case.

        Raises EdgeRuntimeError when the folder cannot be listed.
        """
        self.folder = folder
        self._clock = clock
        self._endings = endings
        self._inotify: Inotify | None = None
        if poll is None:
            with suppress(OSError):
                self._inotify = Inotify(folder)
        self._poll = None if self._inotify else poll or SETTLED_SECONDS
        self._complete: dict[str, None] = {}  # in the order of arrival
        self._changing: dict[str, tuple[str, float]] = {}  # stamp and when it was new, oldest first
        self._read: dict[str, str] = {}  # the stamp from before it was read
        self._scan()

    @property
    def how(self) -> str:
        """How files are found, in words: `inotify` or `looking every 2 s`."""
        return f"looking every {self._poll:g} s" if self._poll else "inotify"

    def mark_read_earlier(self, names: Iterable[str]) -> int:
        """Mark the files with these names (as `written`) as read by an earlier run.

        Returns how many of them are in the folder.
        """
        there = {written(name): name for name in self._changing}
        found = [name for each in names if (name := there.pop(each, None)) is not None]
        for name in found:
            self._read[name] = self._changing.pop(name)[0]
        return len(found)

    def mark_read(self, name: str, stamp: str) -> None:
        """Remember that the file with that stamp was read; it stays in the folder."""
        self._read[name] = stamp

    def pop(self, limit: int) -> list[str]:
        """Remove up to `limit` complete files from the queue, in the order of their arrival.

        Returns their names. A file comes again when it is written again.
        """
        names = list(islice(self._complete, limit))
        for name in names:
            del self._complete[name]
        return names

    def wait(self, wake: int, seconds: float) -> None:
        """Wait until a file is complete, the descriptor `wake` is readable, or `seconds` are over.

        Raises EdgeRuntimeError when the folder is gone or cannot be listed.
        """
        if self._complete:
            seconds = 0
        elif self._changing:
            since = next(iter(self._changing.values()))[1]
            seconds = min(seconds, max(0.0, since + SETTLED_SECONDS - self._clock()))
        if self._poll is not None:
            seconds = min(seconds, max(0.0, self._scanned + self._poll - self._clock()))
        readable = [wake] if self._inotify is None else [wake, self._inotify.fileno()]
        select.select(readable, [], [], seconds)
        if self._inotify is not None:
            self._read_events(self._inotify)
        elif self._clock() - self._scanned >= (self._poll or 0):
            self._scan()
        self._queue_settled()

    def _read_events(self, inotify: Inotify) -> None:
        for what, name in inotify.read():
            if what == "missed":
                self._scan()
            elif what == "ended":
                raise EdgeRuntimeError(f"{self.folder}: was moved or removed; nothing to watch")
            elif what == "gone":
                self._complete.pop(name, None)
                self._changing.pop(name, None)
                self._read.pop(name, None)
            elif what == "whole" or self._is_link(name):
                self._add_complete(name)

    def _is_link(self, name: str) -> bool:
        """Tell if a new name is a link: its file is complete, and no writer will close it."""
        with suppress(OSError):
            found = os.lstat(os.path.join(self.folder, name))
            return stat.S_ISLNK(found.st_mode) or found.st_nlink > 1
        return False

    def _add_complete(self, name: str) -> None:
        if self._is_wanted(name):
            self._changing.pop(name, None)
            stamp = stamp_of(os.path.join(self.folder, name))
            if stamp and self._read.get(name) != stamp:
                self._complete[name] = None

    def _scan(self) -> None:
        """List the folder; files that are new or changed have to stay unchanged for a while."""
        self._scanned = self._clock()
        try:
            there = sorted(filter(self._is_wanted, os.listdir(self.folder)))
        except OSError as error:
            raise EdgeRuntimeError(f"{self.folder}: cannot be listed ({error.strerror})") from None
        for name in there:
            stamp = stamp_of(os.path.join(self.folder, name))
            if stamp and name not in self._complete:
                self._note(name, stamp)
        present = set(there)
        for known in (self._read, self._changing):
            for name in known.keys() - present:
                del known[name]

    def _note(self, name: str, stamp: str) -> None:
        if self._read.get(name) == stamp:
            self._changing.pop(name, None)
        elif name not in self._changing or self._changing[name][0] != stamp:
            self._changing.pop(name, None)  # to go behind those that changed earlier
            self._changing[name] = stamp, self._clock()

    def _queue_settled(self) -> None:
        """Queue the files that have not changed for SETTLED_SECONDS."""
        due = self._clock() - SETTLED_SECONDS
        for name, (stamp, since) in list(self._changing.items()):
            if since > due:
                return
            now = stamp_of(os.path.join(self.folder, name))
            if now == stamp:
                self._complete[name] = None
            if now in (stamp, None):
                del self._changing[name]
            else:
                self._note(name, now or "")

    def _is_wanted(self, name: str) -> bool:
        return not name.startswith(".") and has_ending(name, self._endings)
