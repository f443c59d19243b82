"""Progress and summary: on a terminal only, and never among the rows."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ...conftest import Run
from ...support.helpers import GOLDEN, TIMEOUT
from .test_predict import start


def shown(home: Path, *arguments: object, rows: bool = False, input: bytes = b"") -> str:
    """What a terminal shows of a run. rows: the terminal gets its rows too."""
    terminal, end = pty.openpty()
    out = end if rows else subprocess.DEVNULL
    process = start(home, *arguments, stdout=out, stderr=end, stdin=subprocess.PIPE)
    os.close(end)
    assert process.stdin
    process.stdin.write(input)
    process.stdin.close()
    said = b""
    try:
        while piece := os.read(terminal, 65536):
            said += piece
    except OSError:  # Linux says so when the other end is closed
        pass
    finally:
        os.close(terminal)
    process.wait(TIMEOUT)
    return said.decode()


def test_quiet_says_nothing(run: Run, scans: Path) -> None:
    assert run("predict", scans, "--quiet", "--workers", 2, status=1).stderr == b""


def test_the_summary_counts_statuses_and_labels(run: Run, scans: Path) -> None:
    stderr = run("predict", scans, status=1).stderr.decode()
    first, labels = stderr.splitlines()
    counts = r"\d+ images in [\d.]+ s \([\d,]+ a second\), \d+ failed: \d+ corrupt, \d+ empty"
    assert re.fullmatch(counts, first)
    images = int(first.split()[0])
    assert sum(int(each.split(": ")[1]) for each in labels.split(", ")) == images < 540
    assert "\r" not in stderr
    assert "\x1b" not in stderr


def test_a_file_that_does_not_exist_is_no_image(run: Run, tmp_path: Path) -> None:
    done = run("predict", "typo.png", status=1)
    assert done.stderr == b"no images, 1 failed: 1 not_found\n"
    (tmp_path / "in").mkdir()
    shutil.copyfile(GOLDEN / "7.bmp", tmp_path / "in/7.bmp")
    (tmp_path / "in/notes.txt").touch()
    done = run("predict", "in")
    (line,) = done.stderr.splitlines()
    assert line.startswith(b"1 image in ")
    assert line.endswith(b"; 1 other file passed over")


@pytest.mark.parametrize("known", [True, False], ids=["a folder", "a stream"])
def test_a_terminal_shows_one_line_of_progress_that_the_summary_replaces(
    home: Path, scans: Path, known: bool
) -> None:
    names = b"".join(os.fsencode(path) + b"\n" for path in sorted(scans.rglob("*.*")))
    options = ("--workers", 1, "--batch-size", 16)
    if known:
        said = shown(home, "predict", scans, *options)
    else:
        said = shown(home, "predict", "-", *options, input=names)
    progress, _, summary = said.rpartition("\r\x1b[K")
    steps = progress.split("\r")[1:]
    assert steps
    assert "\n" not in progress
    failed = r"(, \d+ failed: .*)?\x1b\[K$"
    for step in steps:
        with_total = re.match(r"\d+ of 540 files, \d+ %, \d+ s left" + failed, step)
        without = re.match(r"\d+ files in [\d.]+ s \(\d+ a second\)" + failed, step)
        assert with_total or without, step
    assert bool(with_total) == known
    assert re.match(r"\d+ images in ", summary)
    assert summary.count("\r\n") == 2


def test_rows_on_the_terminal_are_not_mixed_with_progress(home: Path, scans: Path) -> None:
    said = shown(home, "predict", scans, "--workers", 1, rows=True)
    lines = said.split("\r\n")
    assert len(lines) == 1 + 540 + 2 + 1
    assert "\x1b" not in said
    assert all(line.startswith(str(scans)) for line in lines[1:541])
    assert " images in " in lines[541]
