"""The files that arrive in a folder: each is given once, when it is there whole."""

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
from ..output.formats import written
from ..system.inotify import Inotify

SETTLED_SECONDS = 2.0
"""A file that nobody was seen to close is whole when it did not change for so long."""


def stamp_of(path: str) -> str | None:
    """What tells one content of a name from another; None when there is no regular file."""
    with suppress(OSError, ValueError):
        found = os.stat(path)
        if stat.S_ISREG(found.st_mode):
            return f"{found.st_ino}-{found.st_size}-{found.st_mtime_ns}"
    return None


class Arrivals:
    """The files of one folder that wait to be read, and those that were read.

    The kernel tells when a writer closes a file (inotify). Without it, and for what was there
    before, a file is whole when its size and time did not change for SETTLED_SECONDS. Hidden
    files, other endings and what is in folders within the folder are left out.
    What is kept in memory is one entry for each file that is in the folder.
    """

    def __init__(
        self,
        folder: str,
        poll: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        endings: Set[str] = ENDINGS["image"],
    ) -> None:
        """poll: look at the folder every so many seconds and ask no kernel; None: only where the
        kernel cannot be asked, every SETTLED_SECONDS. endings: of the files that count, in
        lower case.

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
        self._ready: dict[str, None] = {}  # in the order of arrival
        self._waiting: dict[str, tuple[str, float]] = {}  # stamp, since when; the oldest first
        self._done: dict[str, str] = {}  # stamp
        self._scan()

    @property
    def how(self) -> str:
        """In words, how arrivals are noticed."""
        return f"looking every {self._poll:g} s" if self._poll else "inotify"

    def leave_out(self, names: Iterable[str]) -> int:
        """Of the files that are there, those with these names (as `written`) were read; returns
        how many.
        """
        there = {written(name): name for name in self._waiting}
        found = [name for each in names if (name := there.pop(each, None)) is not None]
        for name in found:
            self._done[name] = self._waiting.pop(name)[0]
        return len(found)

    def done(self, name: str, stamp: str) -> None:
        """It was read when it had that stamp, and stays where it is."""
        self._done[name] = stamp

    def take(self, most: int) -> list[str]:
        """Up to `most` names of whole files, in the order of their arrival; not given again
        before they are written again.
        """
        names = list(islice(self._ready, most))
        for name in names:
            del self._ready[name]
        return names

    def wait(self, wake: int, seconds: float) -> None:
        """Until there is something to take, `wake` (a descriptor) is readable, or so long.

        Raises EdgeRuntimeError when the folder is gone or cannot be listed.
        """
        if self._ready:
            seconds = 0
        elif self._waiting:
            since = next(iter(self._waiting.values()))[1]
            seconds = min(seconds, max(0.0, since + SETTLED_SECONDS - self._clock()))
        if self._poll is not None:
            seconds = min(seconds, max(0.0, self._scanned + self._poll - self._clock()))
        readable = [wake] if self._inotify is None else [wake, self._inotify.fileno()]
        select.select(readable, [], [], seconds)
        if self._inotify is not None:
            self._hear(self._inotify)
        elif self._clock() - self._scanned >= (self._poll or 0):
            self._scan()
        self._settle()

    def _hear(self, inotify: Inotify) -> None:
        for what, name in inotify.read():
            if what == "missed":
                self._scan()
            elif what == "ended":
                raise EdgeRuntimeError(f"{self.folder}: was moved or removed; nothing to watch")
            elif what == "gone":
                self._ready.pop(name, None)
                self._waiting.pop(name, None)
                self._done.pop(name, None)
            elif what == "whole" or self._is_link(name):
                self._whole(name)

    def _is_link(self, name: str) -> bool:
        """Whether a new name is one more of a file that is there, which nobody need close."""
        with suppress(OSError):
            found = os.lstat(os.path.join(self.folder, name))
            return stat.S_ISLNK(found.st_mode) or found.st_nlink > 1
        return False

    def _whole(self, name: str) -> None:
        if self._counts(name):
            self._waiting.pop(name, None)
            stamp = stamp_of(os.path.join(self.folder, name))
            if stamp and self._done.get(name) != stamp:
                self._ready[name] = None

    def _scan(self) -> None:
        """Look at every file of the folder: what is not known yet has to settle."""
        self._scanned = self._clock()
        try:
            there = sorted(filter(self._counts, os.listdir(self.folder)))
        except OSError as error:
            raise EdgeRuntimeError(f"{self.folder}: cannot be listed ({error.strerror})") from None
        for name in there:
            stamp = stamp_of(os.path.join(self.folder, name))
            if stamp and name not in self._ready:
                self._note(name, stamp)
        present = set(there)
        for known in (self._done, self._waiting):
            for name in known.keys() - present:
                del known[name]

    def _note(self, name: str, stamp: str) -> None:
        if self._done.get(name) == stamp:
            self._waiting.pop(name, None)
        elif name not in self._waiting or self._waiting[name][0] != stamp:
            self._waiting.pop(name, None)  # to stand behind what has waited longer
            self._waiting[name] = stamp, self._clock()

    def _settle(self) -> None:
        due = self._clock() - SETTLED_SECONDS
        for name, (stamp, since) in list(self._waiting.items()):
            if since > due:
                return
            now = stamp_of(os.path.join(self.folder, name))
            if now == stamp:
                self._ready[name] = None
            if now in (stamp, None):
                del self._waiting[name]
            else:
                self._note(name, now or "")

    def _counts(self, name: str) -> bool:
        return not name.startswith(".") and has_ending(name, self._endings)
