"""One process at a time: the lock of POSIX systems, and that of Windows on a stand-in for it."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from edge_runtime.system import lock as module

Lock = Callable[[int], bool]


@pytest.fixture(params=["here", "on Windows"])
def lock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Lock:
    if request.param == "here":
        return module.lock
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "msvcrt", stand_in())
    spec = importlib.util.spec_from_file_location("lock_on_windows", module.__file__)
    assert spec
    assert spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    locked: Lock = loaded.lock
    return locked


def stand_in() -> ModuleType:
    """`msvcrt`: locks bytes from the file's position on, whose owner is a handle."""
    owners: dict[tuple[int, int], int] = {}

    def locking(handle: int, mode: int, count: int) -> None:
        place = os.fstat(handle).st_ino, os.lseek(handle, 0, os.SEEK_CUR)
        assert (mode, count) == (2, 1)
        assert place[1] < 1 << 31
        if owners.setdefault(place, handle) != handle:
            raise PermissionError

    found = ModuleType("msvcrt")
    vars(found).update(locking=locking, LK_NBLCK=2)
    return found


def test_a_file_is_locked_for_one_and_its_rows_stay_in_place(tmp_path: Path, lock: Lock) -> None:
    path = tmp_path / "rows.csv"
    with open(path, "wb", 0) as mine, open(path, "r+b", 0) as theirs:
        mine.write(b"first\n")
        assert lock(mine.fileno())
        assert not lock(theirs.fileno())
        mine.write(b"second\n")
    assert path.read_bytes() == b"first\nsecond\n"
