"""--resume: the rows that are kept are those that an uninterrupted run would write."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from ...conftest import Run
from ...support.helpers import DIGITS, GOLDEN, LABELS, rows_of

COUNT = 40


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    """Images that are all older than any output."""
    folder = tmp_path / "images"
    folder.mkdir()
    made = []
    for number in range(COUNT):
        source = GOLDEN / DIGITS[number % len(DIGITS)]["image"]
        made.append(Path(shutil.copyfile(source, folder / f"{number:02}{source.suffix}")))
    (folder / "39-not.png").write_text("no image")
    time.sleep(0.05)  # file times are coarse
    return made


def refused(run: Run, tmp_path: Path, *options: object, format: str = "csv") -> str:
    """The one line with which going on is refused, leaving the output alone."""
    output = tmp_path / f"rows.{format}"
    before = output.read_bytes()
    done = run("predict", "images", "-o", output, "--resume", *options, status=2)
    assert output.read_bytes() == before
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith(f"edge-runtime: {output}: cannot be resumed: ")
    assert "without --resume" in line or "another -o" in line
    return line


def test_a_file_that_changed_since_is_named_with_both_readings(
    run: Run, tmp_path: Path, images: list[Path]
) -> None:
    run("predict", "images", "-o", "rows.csv", status=1)
    shutil.copyfile(GOLDEN / "7.bmp", images[25])
    line = refused(run, tmp_path)
    old, new = DIGITS[25 % len(DIGITS)]["label"], LABELS["7.bmp"]
    assert f"row 26 is images/{images[25].name},ok,{old}," in line
    assert (
        f"reading 'images/{images[25].name}' now gives images/{images[25].name},ok,{new}," in line
    )
    assert "the model, the options or the file changed since" in line


def test_a_file_that_can_be_read_now_or_no_longer_is_a_change(
    run: Run, tmp_path: Path, images: list[Path]
) -> None:
    names = ["images/00.png", "images/later.png", "images/01.png"]
    whole = run("predict", *names, "-o", "rows.csv", status=1)
    shutil.copyfile(GOLDEN / "7.bmp", tmp_path / "images/later.png")
    done = run("predict", *names, "-o", "rows.csv", "--resume", status=2)
    assert b"row 2 is images/later.png,not_found,,,no such file" in done.stderr
    (tmp_path / "images/later.png").unlink()
    images[0].rename(tmp_path / "elsewhere")
    done = run("predict", *names, "-o", "rows.csv", "--resume", status=2)
    assert b"now gives images/00.png,not_found," in done.stderr
    (tmp_path / "elsewhere").rename(images[0])
    run("predict", *names, "-o", "rows.csv", "--resume", status=1)
    assert whole.stdout == b""


def test_a_file_replaced_by_an_older_one_is_a_change(
    run: Run, tmp_path: Path, images: list[Path]
) -> None:
    run("predict", "images", "-o", "rows.csv", status=1)
    shutil.copyfile(GOLDEN / "7.bmp", tmp_path / "old.bmp")
    os.utime(tmp_path / "old.bmp", (1, 1))
    (tmp_path / "old.bmp").rename(images[32])
    assert "row 33 " in refused(run, tmp_path)


@pytest.mark.parametrize("format", ["csv", "jsonl"])
@pytest.mark.parametrize(
    ("first", "again"),
    [
        ([], ["--precision", "int8"]),
        (["--top-k", 2], ["--top-k", 3]),
        ([], ["--min-score", 1]),
        (["--min-score", 1], ["--min-score", 0]),
        (["--max-pixels", 9000], []),
    ],
    ids=lambda options: " ".join(map(str, options)) or "default",
)
def test_other_options_are_refused(
    run: Run,
    tmp_path: Path,
    images: list[Path],
    format: str,
    first: list[object],
    again: list[object],
) -> None:
    run("predict", "images", "-o", f"rows.{format}", *first, status=1)
    refused(run, tmp_path, *again, format=format)


def test_another_model_is_refused(
    run: Run, tmp_path: Path, images: list[Path], bundle: Path
) -> None:
    run("predict", "images", "-o", "rows.csv", status=1)
    shutil.copyfile(bundle / "model.int8.onnx", tmp_path / "other.onnx")
    assert "row 1 " in refused(run, tmp_path, "--model", "other.onnx")


def test_blank_and_unsure_readings_resume_with_the_same_minimum_score(
    run: Run, tmp_path: Path, images: list[Path]
) -> None:
    shutil.copyfile(GOLDEN / "c.png", images[5])
    options = ["predict", "images", "-o", "rows.csv", "--min-score", 0.99]
    run(*options, status=1)
    whole = (tmp_path / "rows.csv").read_bytes()
    assert {row["label"] for row in rows_of(whole)} > {"unknown"}
    (tmp_path / "rows.csv").write_bytes(whole[: len(whole) // 2])
    run(*options, "--resume", status=1)
    assert (tmp_path / "rows.csv").read_bytes() == whole


@pytest.mark.parametrize("format", ["csv", "jsonl"])
@pytest.mark.parametrize(
    "tail", [bytes(9000), b"\xff\xfe\n", b'"\n', b"images/\n", b'{"path": "x"}\n']
)
def test_a_spoilt_end_is_cut_off_and_written_again(
    run: Run, tmp_path: Path, images: list[Path], format: str, tail: bytes
) -> None:
    output = tmp_path / f"rows.{format}"
    run("predict", "images", "-o", output, status=1)
    whole = output.read_bytes()
    place = whole.index(b"\n", len(whole) // 2) + 1
    output.write_bytes(whole[:place] + tail + whole[place + 20 :])
    run("predict", "images", "-o", output, "--resume", status=1)
    assert output.read_bytes() == whole


def test_nothing_but_the_output_is_written(
    run: Run, tmp_path: Path, images: list[Path], home: Path
) -> None:
    before = set(tmp_path.rglob("*"))
    for _ in range(2):
        run("predict", "images", "-o", "rows.csv", "--resume", status=1)
    assert set(tmp_path.rglob("*")) - before == {tmp_path / "rows.csv"}


def test_only_a_file_can_be_gone_on_with(run: Run, tmp_path: Path, images: list[Path]) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "/dev/null", "images"):
        done = run("predict", "images", "-o", name, "--resume", status=2)
        (line,) = done.stderr.decode().splitlines()
        assert line.startswith(f"edge-runtime: {name}: cannot be ")
