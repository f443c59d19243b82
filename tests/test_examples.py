"""The examples run as their first lines say, and do what they are examples of."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from .support.helpers import LABELS, VECTORS

ROOT = Path(__file__).parents[1]
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


def litert(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "examples" / "litert.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        **options,
    )


def test_the_tflite_file_passes_the_golden_tensors_and_reads_an_image() -> None:
    bundle = ROOT / "exported" / "digits"
    for file in ("model.tflite", "model.int8.tflite"):
        done = litert(bundle, "--golden", "--file", file)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count(" ok") == len(VECTORS)
    done = litert(bundle, bundle / "golden" / "7.bmp", bundle / "labels.txt")
    assert done.returncode == 1
    assert done.stdout.split()[1] == LABELS["7.bmp"]
    assert "not_an_image" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ([], 2, "bundle"),
        (["exported/digits"], 2, "give an image, or --golden"),
        (["exported/digits", "--golden", "--file", "model.ort"], 2, "model.tflite"),
        (["nowhere", "--golden"], 3, "nowhere: not a bundle with a model.tflite"),
        (["README.md", "--golden"], 3, "README.md: not a bundle"),
        (["no-manifest", "--golden"], 3, "no-manifest: not a bundle"),
        (["no-model", "--golden"], 3, "no-model: not a bundle"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_with_the_tflite_example_is_one_line(
    arguments: list[str], status: int, words: str, tmp_path: Path
) -> None:
    for name in ("no-manifest", "no-model"):
        (tmp_path / name).mkdir()
    (tmp_path / "README.md").touch()
    (tmp_path / "no-manifest" / "manifest.json").write_text("{}")
    shutil.copyfile(ROOT / "exported/digits/manifest.json", tmp_path / "no-model" / "manifest.json")
    (tmp_path / "exported").symlink_to(ROOT / "exported")
    done = litert(*arguments, cwd=tmp_path)
    assert done.returncode == status
    assert done.stdout == ""
    line = done.stderr.splitlines()[-1]
    assert line.startswith("litert.py: ")
    assert words in line
    others = done.stderr.splitlines()[:-1]
    assert all(other.startswith("INFO: ") for other in others), done.stderr  # of the library


def test_the_help_of_the_tflite_example_needs_no_tflite(tmp_path: Path) -> None:
    (tmp_path / "ai_edge_litert.py").write_text("raise ImportError('absent')")
    done = litert("--help", env=os.environ | {"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert "python litert.py BUNDLE --golden" in done.stdout
