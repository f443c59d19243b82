"""Progress and summary: on a terminal only, and never among the rows."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

from ...conftest import Run
from ...support.helpers import (
    TIMEOUT,
)
from .test_predict import start


def test_quiet_says_nothing(run: Run, scans: Path) -> None:
    assert run("predict", scans, "--quiet", "--workers", 2, status=1).stderr == b""


def test_no_progress_when_stderr_is_no_terminal(run: Run, scans: Path) -> None:
    stderr = run("predict", scans, status=1).stderr
    assert b"\r" not in stderr
    assert b"\x1b" not in stderr
    assert len(stderr.splitlines()) == 1


def test_a_terminal_shows_one_line_of_progress_that_the_summary_replaces(
    home: Path, scans: Path
) -> None:
    terminal, end = pty.openpty()
    process = start(home, "predict", scans, "--workers", 1, stdout=subprocess.DEVNULL, stderr=end)
    os.close(end)
    shown = b""
    try:
        while piece := os.read(terminal, 65536):
            shown += piece
    except OSError:  # Linux says so when the other end is closed
        pass
    finally:
        os.close(terminal)
    assert process.wait(TIMEOUT) == 1
    lines = shown.decode().split("\r\n")
    assert lines[1:] == [""], "one line break, behind the summary"
    steps = lines[0].split("\r")
    assert len(steps) >= 3
    assert all(" images in " in step and step.endswith("\x1b[K") for step in steps[1:-1])
    assert steps[-1].startswith("\x1b[K540 images in ")
