"""What the kernel tells of a folder."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from edge_runtime.system.inotify import Event, Inotify

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


def test_a_file_is_whole_when_its_writer_closes_it(folder: Path) -> None:
    watched = Inotify(str(folder))
    with open(folder / "a.png", "wb") as file:
        file.write(b"half")
        file.flush()
        assert list(watched.read()) == [Event("new", "a.png")]
        file.write(b"rest")
    assert list(watched.read()) == [Event("whole", "a.png")]
    assert not list(watched.read())


def test_moves_and_deletions_are_told_and_folders_are_not(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "b.png").touch()
    watched = Inotify(str(folder))
    (tmp_path / "b.png").rename(folder / "b ü.png")
    (folder / "deep").mkdir()
    (folder / "b ü.png").unlink()
    assert list(watched.read()) == [Event("whole", "b ü.png"), Event("gone", "b ü.png")]


@pytest.mark.parametrize("end", ["removed", "moved"])
def test_the_end_of_the_folder_is_told(tmp_path: Path, folder: Path, end: str) -> None:
    watched = Inotify(str(folder))
    shutil.rmtree(folder) if end == "removed" else folder.rename(tmp_path / "other")
    assert next(watched.read()) == Event("ended", "")


def test_more_than_the_kernel_keeps_is_told_as_missed(folder: Path) -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 50_000:
        pytest.skip(f"the kernel keeps {limit} events")
    watched = Inotify(str(folder))
    for name in range(limit // 2 + 1):  # two events each
        (folder / f"{name}.png").touch()
    events = []
    while some := list(watched.read()):
        events += some
    assert events[-1] == Event("missed", "")


@pytest.mark.parametrize("name", ["absent", "file"])
def test_only_a_folder_can_be_watched(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=name):
        Inotify(str(tmp_path / name))
