"""The examples run as their first lines say, and do what they are examples of."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CAMERA_LOOP = Path(__file__).parents[1] / "examples" / "camera_loop.py"


def test_the_camera_loop_accounts_for_every_frame(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, CAMERA_LOOP, "--fps", "100", "--frames", "200"],
        capture_output=True,
        text=True,
        timeout=120,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split()[2] == "1"
    delivered, read, dropped = map(int, re.findall(r"(\d+) (?:frames|read|dropped)", lines[-1]))
    assert delivered == 200
    assert read + dropped == delivered
    assert read


def test_a_camera_that_is_faster_is_not_queued() -> None:
    spec = importlib.util.spec_from_file_location("camera_loop", CAMERA_LOOP)
    assert spec
    assert spec.loader
    camera_loop = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(camera_loop)
    ended = threading.Event()

    def frames() -> Iterator[NDArray[np.uint8]]:
        for number in range(10):
            yield np.full((2, 2), number, np.uint8)
        ended.set()

    camera = camera_loop.Newest(frames())
    assert ended.wait(60)
    assert [frame[0, 0] for frame in camera] == [9]
    assert (camera.delivered, camera.dropped) == (10, 9)
