"""The examples run as their first lines say, in a process of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize("fps", [100, 5000])
def test_the_camera_loop_reads_or_drops_every_frame_and_never_queues(
    tmp_path: Path, fps: int
) -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLES / "camera_loop.py", "--fps", str(fps), "--frames", "200"],
        capture_output=True,
        text=True,
        timeout=120,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split()[2] == "1"
    delivered, read, dropped = map(
        int, re.findall(r"(\d+) (?:frames|read|dropped)", lines[-1].replace(",", ""))
    )
    assert delivered == 200
    assert read + dropped == delivered
    assert read
