"""A file whose decoder hangs or crashes costs its own row, whatever reads it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ..support.helpers import (
    BAD_DECODERS,
    EXECUTABLE,
    GOLDEN,
    LABELS,
    TIMEOUT,
    Completed,
    environment,
    rows_of,
)

CRASHED = "the process reading it ended, killed by SIGKILL"
EXPECTED = [
    ("0.png", "ok", LABELS["0.png"], ""),
    ("a-hang.png", "timeout", "", "took longer than 1 s"),
    ("b-crash.png", "crashed", "", CRASHED),
    ("c-hang.png", "timeout", "", "took longer than 1 s"),
    ("d.png", "ok", LABELS["3.png"], ""),
]


@pytest.fixture
def bad(tmp_path: Path, home: Path) -> dict[str, str]:
    """The environment in which some files of `in/` make their readers hang or crash."""
    (tmp_path / "sitecustomize.py").write_text(BAD_DECODERS)
    (tmp_path / "in").mkdir()
    shutil.copyfile(GOLDEN / "0.png", tmp_path / "in/0.png")
    shutil.copyfile(GOLDEN / "3.png", tmp_path / "in/d.png")
    for name in ("a-hang.png", "b-crash.png", "c-hang.png"):
        (tmp_path / "in" / name).write_bytes(b"x")
    return environment(home, PYTHONPATH=str(tmp_path))


def predict(top: Path, environment: dict[str, str], *options: object) -> Completed:
    command = [EXECUTABLE, "predict", *map(str, options), "--timeout", "1"]
    return subprocess.run(command, cwd=top, env=environment, capture_output=True, timeout=TIMEOUT)


def rows(output: bytes) -> list[tuple[str, ...]]:
    """Name, status, label and error of each row."""
    found = rows_of(output)
    return [(Path(r["path"]).name, r["status"], r["label"], r["error"]) for r in found]


def test_a_run_goes_on_and_is_resumed(tmp_path: Path, bad: dict[str, str]) -> None:
    done = predict(tmp_path, bad, "in", "-o", "rows.csv")
    assert done.returncode == 1, done.stderr
    assert b"2 images in " in done.stderr
    assert b", 3 failed: 2 timeout, 1 crashed\n" in done.stderr
    whole = (tmp_path / "rows.csv").read_bytes()
    assert rows(whole) == EXPECTED
    (tmp_path / "rows.csv").write_bytes(whole[:-5])
    done = predict(tmp_path, bad, "in", "-o", "rows.csv", "--resume")
    assert done.returncode == 1, done.stderr
    assert (tmp_path / "rows.csv").read_bytes() == whole


def test_several_workers_go_on(tmp_path: Path, bad: dict[str, str]) -> None:
    options = ["--workers", 2, "--batch-size", 8, "--format", "csv"]
    done = predict(tmp_path, bad, *["in/0.png"] * 40, "in", *["in/d.png"] * 40, *options)
    assert rows(done.stdout) == [*EXPECTED[:1] * 40, *EXPECTED, *EXPECTED[-1:] * 40]
