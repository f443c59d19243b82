"""The output file when something goes wrong: whole rows stay, one line says what happened."""

from __future__ import annotations

import fcntl
import io
import os
import resource
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from edge_runtime.errors import OutputError
from edge_runtime.output.file import RowFile, open_output

from ...conftest import Run
from ...support.helpers import EXECUTABLE, GOLDEN, TIMEOUT, environment

GOOD = GOLDEN / "7.bmp"


def limited(size: int) -> None:
    """A full disk, as any user can have it: no file of this process may grow beyond `size`."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_a_full_disk_is_one_line_and_leaves_whole_rows_to_go_on_from(
    run: Run, scans: Path, home: Path, tmp_path: Path, format: str
) -> None:
    output = tmp_path / f"rows.{format}"
    folder = scans / "b"
    whole = run("predict", folder, "--format", format, status=1).stdout
    quiet = ["--quiet", "--batch-size", "16"]
    for size in (5000, 5):
        done = subprocess.run(
            [EXECUTABLE, "predict", folder, "-o", output, "--force", *quiet],
            capture_output=True,
            env=environment(home),
            timeout=TIMEOUT,
            preexec_fn=lambda size=size: limited(size),
        )
        assert done.returncode == 1
        assert done.stderr == f"edge-runtime: {output}: File too large\n".encode()
        left = output.read_bytes()
        assert whole.startswith(left)
        assert left == b"" or left.endswith(b"\n")
        assert len(left) > size - 4000, "no more than a batch of rows was given up"
        run("predict", folder, "-o", output, "--resume", status=1)
        assert output.read_bytes() == whole


@pytest.fixture
def small_disk(tmp_path: Path) -> str:
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() or shutil.which("mount") is None:
        pytest.skip("only root may mount a small file system")
    mount = ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", folder]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system may be mounted here")
    yield str(folder)
    subprocess.run(["umount", folder], check=True)


def test_a_small_disk_that_fills_up_is_one_line_and_leaves_whole_rows(
    run: Run, scans: Path, small_disk: str
) -> None:
    whole = run("predict", scans / "b", status=1).stdout
    output = Path(small_disk, "rows.csv")
    done = run("predict", scans / "b", "-o", output, "--quiet", "--batch-size", 8, status=1)
    assert done.stderr == f"edge-runtime: {output}: No space left on device\n".encode()
    left = output.read_bytes()
    assert whole.startswith(left)
    assert left.endswith(b"\n")
    assert len(left) > 4000


@pytest.mark.parametrize("arguments", [["predict", GOOD], ["info"], ["check"], ["--help"]], ids=str)
def test_standard_output_that_is_full_closed_or_cut_is_no_traceback(
    home: Path, arguments: list[object]
) -> None:
    endings = {"> /dev/full": 1, "| true": 0, ">&-": None}
    for ending, status in endings.items():
        words = " ".join(map(str, arguments))
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {EXECUTABLE} {words} {ending}"],
            capture_output=True,
            env=environment(home),
            timeout=TIMEOUT,
        )
        assert b"Traceback" not in done.stderr
        assert b"Exception ignored" not in done.stderr
        assert status is None or done.returncode == status, (ending, done.stderr)


def test_an_output_folder_removed_while_running_ends_as_usual(
    scans: Path, home: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    read, write = os.pipe()
    process = subprocess.Popen(
        [EXECUTABLE, "predict", "-", "-o", folder / "rows.csv", "--batch-size", "1"],
        stdin=read,
        stderr=subprocess.PIPE,
        env=environment(home),
    )
    os.close(read)
    os.write(write, f"{GOOD}\n".encode())
    while not (folder / "rows.csv").exists():
        assert process.poll() is None
    shutil.rmtree(folder)
    os.write(write, f"{GOOD}\n".encode())
    os.close(write)
    assert process.stderr
    stderr = process.stderr.read()
    process.stderr.close()
    assert process.wait(TIMEOUT) == 0
    assert stderr.startswith(b"2 images in ")


def test_two_runs_never_write_one_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("by the other\n")
    with open(tmp_path / "rows.csv", "r+b") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        for options in ([], ["--resume"], ["--force"]):
            done = run("predict", GOOD, "-o", "rows.csv", *options, status=2)
            assert done.stderr.startswith(b"edge-runtime: rows.csv: another run is writing it")
            assert len(done.stderr.splitlines()) == 1
    assert (tmp_path / "rows.csv").read_text() == "by the other\n"


def test_what_an_output_held_is_there_until_it_is_cut_off(tmp_path: Path) -> None:
    earlier = b"earlier rows\n" * 9
    (tmp_path / "x").write_bytes(earlier)
    with open_output(str(tmp_path / "x"), keep=False, replace=True) as stream:
        assert (tmp_path / "x").read_bytes() == earlier
        stream.truncate(0)
        stream.write(b"row\n")
    assert (tmp_path / "x").read_bytes() == b"row\n"
    with open_output(str(tmp_path / "x"), keep=True) as stream:
        stream.seek(0, io.SEEK_END)
        stream.write(b"two\n")
    assert (tmp_path / "x").read_bytes() == b"row\ntwo\n"
    with (
        pytest.raises(OutputError, match="cannot be written"),
        open_output(str(tmp_path / "no" / "x"), keep=False),
    ):
        pass


def test_an_interrupt_in_the_middle_of_a_write_leaves_none_of_it(tmp_path: Path) -> None:
    class Slow(io.FileIO):
        pieces = 0

        def write(self, data: memoryview) -> int:  # type: ignore[override]
            self.pieces += 1
            if self.pieces == 4:
                raise KeyboardInterrupt
            return os.write(self.fileno(), data[:2])

    class Interrupted(RowFile, Slow):
        pass

    with Interrupted(str(tmp_path / "x"), "wb") as stream:
        stream.write(b"row\n")
        with pytest.raises(KeyboardInterrupt):
            stream.write(b"another row\n")
    assert (tmp_path / "x").read_bytes() == b"row\n"


def test_a_file_without_rows_is_left_only_where_it_was_before(tmp_path: Path) -> None:
    for name in ("new", "old"):
        if name == "old":
            (tmp_path / name).touch()
        with (
            pytest.raises(KeyboardInterrupt),
            open_output(str(tmp_path / name), keep=False, replace=True),
        ):
            raise KeyboardInterrupt
        assert (tmp_path / name).exists() == (name == "old")
