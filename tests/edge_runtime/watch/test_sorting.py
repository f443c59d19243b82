"""Files moved into a folder for each class: nothing is replaced, nothing moved by mistake."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime import EdgeRuntimeError
from edge_runtime.inference.results import Prediction, Result
from edge_runtime.watch.arrivals import stamp_of
from edge_runtime.watch.sorting import JOURNAL_NAME, Move, Sorter, _free_name, target_of


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


@pytest.fixture
def sorter(tmp_path: Path, source: Path) -> Iterator[Sorter]:
    sorter = Sorter(str(source), tmp_path / "out")
    yield sorter
    sorter.close()


def arrive(source: Path, content: bytes, target: str, name: str = "latest.jpg") -> Move:
    (source / name).write_bytes(content)
    return Move(name, stamp_of(str(source / name)) or "", target)


def test_a_name_that_is_taken_gets_a_number(tmp_path: Path, source: Path, sorter: Sorter) -> None:
    for number in range(12):
        assert sorter.move(arrive(source, b"%d" % number, "7"))
    found = {path.name: path.read_bytes() for path in (tmp_path / "out" / "7").iterdir()}
    assert found.pop("latest.jpg") == b"0"
    assert found == {f"latest-{number + 1}.jpg": b"%d" % number for number in range(1, 12)}


def test_any_free_number_is_found_and_long_names_stay_possible(tmp_path: Path) -> None:
    for name in ("a.png", "a-2.png", "a-5.png"):
        (tmp_path / name).touch()
    assert not (tmp_path / _free_name(tmp_path, "a.png")).exists()
    long = "ü" * 125 + ".png"
    (tmp_path / long).touch()
    (tmp_path / _free_name(tmp_path, long)).touch()
    assert len(list(tmp_path.iterdir())) == 5


def test_a_file_replaced_since_it_was_read_stays(
    tmp_path: Path, source: Path, sorter: Sorter
) -> None:
    move = arrive(source, b"first", "7")
    arrive(source, b"another", "7")
    assert not sorter.move(move)
    assert (source / "latest.jpg").read_bytes() == b"another"
    (source / "latest.jpg").unlink()
    assert not sorter.move(move)


def test_what_is_intended_is_read_back_and_half_of_it_is_nothing(
    tmp_path: Path, source: Path, sorter: Sorter
) -> None:
    assert sorter.read_journal() is None
    moves = [arrive(source, b"x", "7", "a\udcff.png"), arrive(source, b"x", "failed/empty")]
    sorter.write_journal(123, moves)
    journal = sorter.read_journal()
    assert journal
    assert (journal.offset, journal.moves) == (123, moves)
    path = tmp_path / "out" / JOURNAL_NAME
    path.write_bytes(path.read_bytes()[:-3])
    assert sorter.read_journal() is None


@pytest.mark.parametrize(
    ("label", "folder"),
    [("7", "7"), ("a/b", "a_b"), ("..", "_."), (".git", "_git"), ("x" * 300, "x" * 200)],
)
def test_a_label_becomes_one_plain_folder(label: str, folder: str) -> None:
    assert target_of(Result("p", "ok", Prediction(label, 1.0, 0, ()), None)) == folder


def test_failed_files_have_a_folder_for_each_status() -> None:
    assert target_of(Result("p", "corrupt", None, "why")) == "failed/corrupt"


def test_one_process_sorts_a_folder(tmp_path: Path, source: Path, sorter: Sorter) -> None:
    with pytest.raises(EdgeRuntimeError, match="another watch"):
        Sorter(str(source), tmp_path / "elsewhere")


def test_a_folder_on_another_file_system_is_refused(source: Path) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == source.stat().st_dev:
        pytest.skip("needs a second file system")
    with pytest.raises(EdgeRuntimeError, match="another file system"):
        Sorter(str(source), other)


ON_MOUNTS_OF_ONE_FILE_SYSTEM = """
mkdir in out && mount --bind in in && mount --bind out out && exec "$0" -c '
from pathlib import Path
from edge_runtime.watch.sorting import Sorter
Sorter("in", Path("out"))
'
"""


def test_mounts_of_one_file_system_are_refused_too(tmp_path: Path) -> None:
    own_mounts = ("unshare", "--user", "--map-root-user", "--mount")
    if not shutil.which("unshare") or subprocess.run([*own_mounts, "true"]).returncode:
        pytest.skip("needs unshare and the right to mount")
    done = subprocess.run(
        [*own_mounts, "sh", "-c", ON_MOUNTS_OF_ONE_FILE_SYSTEM, sys.executable],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "EdgeRuntimeError: out: is on another file system or mount than in" in done.stderr
