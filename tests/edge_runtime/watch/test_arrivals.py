"""Which files of a folder are given to be read: each once, when it is there whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime import EdgeRuntimeError
from edge_runtime.output.row_format import written
from edge_runtime.system.inotify import Event
from edge_runtime.watch.arrivals import SETTLED_SECONDS, Arrivals, stamp_of


class Clock:
    """Seconds that pass when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


@pytest.fixture
def never() -> Iterator[int]:
    """A descriptor that does not become readable."""
    reader, writer = os.pipe()
    yield reader
    os.close(reader)
    os.close(writer)


def taken(arrivals: Arrivals, never: int) -> list[str]:
    arrivals.wait(never, 0)
    return arrivals.pop(100)


def test_a_file_that_is_closed_is_taken_at_once_and_one_being_written_is_not(
    folder: Path, clock: Clock, never: int
) -> None:
    arrivals = Arrivals(str(folder), clock=clock)
    with open(folder / "a.png", "wb") as file:
        file.write(b"half")
        file.flush()
        clock.now += 100
        assert taken(arrivals, never) == []
    assert taken(arrivals, never) == ["a.png"]
    assert taken(arrivals, never) == []


@pytest.mark.parametrize("poll", [None, 0.5])
def test_what_was_there_before_has_to_settle(
    folder: Path, clock: Clock, never: int, poll: float | None
) -> None:
    for name in ("b.png", "a.png"):
        (folder / name).write_bytes(b"x")
    arrivals = Arrivals(str(folder), poll, clock)
    clock.now += SETTLED_SECONDS - 0.1
    assert taken(arrivals, never) == []
    with open(folder / "a.png", "ab") as file:
        file.write(b"more")
        file.flush()
        clock.now += 0.2
        assert taken(arrivals, never) == ["b.png"]
        clock.now += SETTLED_SECONDS
        assert taken(arrivals, never) == ["a.png"]


def test_without_the_kernel_files_that_arrive_are_found_by_looking(
    folder: Path, clock: Clock, never: int
) -> None:
    arrivals = Arrivals(str(folder), 0.5, clock)
    (folder / "a.png").write_bytes(b"x")
    for _ in range(int(SETTLED_SECONDS / 0.5)):
        clock.now += 0.5
        assert taken(arrivals, never) == []
    clock.now += 0.5
    assert taken(arrivals, never) == ["a.png"]
    arrivals.mark_read("a.png", stamp_of(str(folder / "a.png")) or "")
    clock.now += 60
    assert taken(arrivals, never) == []


def test_hidden_and_unfinished_names_folders_and_pipes_are_left_out(
    tmp_path: Path, folder: Path, clock: Clock, never: int
) -> None:
    def fill() -> None:
        for name in (".a.png", "a.png.part", "a.tmp", "notes.txt"):
            (folder / name).write_bytes(b"x")
        (folder / "deep.png").mkdir(exist_ok=True)
        (folder / "deep.png" / "a.png").write_bytes(b"x")
        if not (folder / "pipe.png").exists():
            os.mkfifo(folder / "pipe.png")
        (folder / "nowhere.png").unlink(missing_ok=True)
        (folder / "nowhere.png").symlink_to("absent")

    fill()
    arrivals = Arrivals(str(folder), clock=clock)
    fill()
    clock.now += 100
    assert taken(arrivals, never) == []
    (folder / "a.png.part").rename(folder / "A.PNG")
    assert taken(arrivals, never) == ["A.PNG"]


def test_a_link_to_a_whole_file_is_an_arrival(
    tmp_path: Path, folder: Path, clock: Clock, never: int
) -> None:
    (tmp_path / "x.png").write_bytes(b"x")
    arrivals = Arrivals(str(folder), clock=clock)
    (folder / "hard.png").hardlink_to(tmp_path / "x.png")
    (folder / "soft.png").symlink_to(tmp_path / "x.png")
    assert taken(arrivals, never) == ["hard.png", "soft.png"]


def test_a_name_is_given_again_when_its_content_is_another(
    folder: Path, clock: Clock, never: int
) -> None:
    arrivals = Arrivals(str(folder), clock=clock)
    path = folder / "latest.png"
    path.write_bytes(b"x")
    assert taken(arrivals, never) == ["latest.png"]
    arrivals.mark_read("latest.png", stamp_of(str(path)) or "")
    with open(path, "ab"):  # closed, but nothing written
        pass
    assert taken(arrivals, never) == []
    path.write_bytes(b"another")
    assert taken(arrivals, never) == ["latest.png"]


def test_what_was_read_before_is_left_out_by_its_written_name(
    folder: Path, clock: Clock, never: int
) -> None:
    odd = os.fsdecode(b"\xff.png")
    for name in ("a.png", "b.png", odd):
        (folder / name).write_bytes(b"x")
    arrivals = Arrivals(str(folder), clock=clock)
    assert arrivals.mark_read_earlier(["a.png", written(odd), "absent.png", "a.png"]) == 2
    clock.now += 100
    assert taken(arrivals, never) == ["b.png"]


def test_files_are_found_when_the_kernel_could_not_keep_all_events(
    folder: Path, clock: Clock, never: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrivals = Arrivals(str(folder), clock=clock)
    (folder / "a.png").write_bytes(b"x")
    inotify = arrivals._inotify
    assert inotify
    list(inotify.read())  # lost
    monkeypatch.setattr(inotify, "read", lambda: iter([Event("missed", "")]))
    assert taken(arrivals, never) == []
    monkeypatch.undo()
    clock.now += SETTLED_SECONDS
    assert taken(arrivals, never) == ["a.png"]


@pytest.mark.parametrize("poll", [None, 0.5])
def test_files_that_are_gone_are_forgotten(
    folder: Path, clock: Clock, never: int, poll: float | None
) -> None:
    arrivals = Arrivals(str(folder), poll, clock)
    for name in map(str, range(20)):
        path = folder / f"{name}.png"
        path.write_bytes(b"x")
        arrivals.mark_read(path.name, stamp_of(str(path)) or "")
        path.unlink()
    clock.now += 100
    assert taken(arrivals, never) == []
    assert not arrivals._read
    assert not arrivals._changing


@pytest.mark.parametrize("poll", [None, 0.5])
def test_a_folder_that_goes_away_ends_it(
    folder: Path, clock: Clock, never: int, poll: float | None
) -> None:
    arrivals = Arrivals(str(folder), poll, clock)
    shutil.rmtree(folder)
    clock.now += 100
    with pytest.raises(EdgeRuntimeError, match="in: "):
        arrivals.wait(never, 0)
