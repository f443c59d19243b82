"""An output that is the model or an input is refused, and every byte of it stays."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ...conftest import Run
from ...support.helpers import GOLDEN

CSV = ("--format", "csv")


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """A folder of three images, with one more in a folder below it."""
    folder = tmp_path / "digits"
    (folder / "below").mkdir(parents=True)
    for name in ("0.png", "1.png", "5.jpg"):
        shutil.copyfile(GOLDEN / name, folder / name)
    shutil.copyfile(GOLDEN / "2.png", folder / "below/2.png")
    return folder


def contents(top: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in top.rglob("*") if path.is_file()}


def refused(run: Run, top: Path, *arguments: object, input: bytes = b"") -> str:
    """The line with which `predict` refuses to begin; nothing is changed, whatever else is said."""
    before = contents(top)
    for more in ((), ("--resume",), ("--force",)):
        done = run("predict", *arguments, *more, status=2, input=input)
        assert done.stdout == b""
        (line,) = done.stderr.decode().splitlines()
        assert contents(top) == before, more
    return line


@pytest.mark.parametrize("output", ["digits/0.png", "./digits/../digits/0.png", "link", "hard"])
def test_an_input_that_is_named_is_no_output(
    run: Run, tmp_path: Path, digits: Path, output: str
) -> None:
    (tmp_path / "link").symlink_to(digits / "0.png")
    os.link(digits / "0.png", tmp_path / "hard")
    line = refused(run, tmp_path, "digits/5.jpg", "digits/0.png", "-o", output, *CSV)
    assert line.startswith(f"edge-runtime: {output}: is also an input (digits/0.png)")


@pytest.mark.parametrize("output", ["digits/1.png", "digits/below/2.png", "link", "hard"])
def test_an_input_that_is_met_in_a_folder_is_no_output(
    run: Run, tmp_path: Path, digits: Path, output: str
) -> None:
    (tmp_path / "link").symlink_to(digits / "below/2.png")
    os.link(digits / "1.png", tmp_path / "hard")
    assert "is also an input" in refused(run, tmp_path, "digits", "-o", output, *CSV)


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_an_output_that_a_folder_has_a_link_to_is_refused(
    run: Run, tmp_path: Path, digits: Path, link: object
) -> None:
    (tmp_path / "rows.csv").write_text("of last night\n")
    link(tmp_path / "rows.csv", digits / "below/x.png")  # type: ignore[operator]
    assert "below/x.png" in refused(run, tmp_path, "digits", "-o", "rows.csv")


def test_a_new_output_that_the_walk_would_meet_is_refused(
    run: Run, tmp_path: Path, digits: Path
) -> None:
    where = ("-o", "digits/below/rows.csv")
    assert "is also an input" in refused(run, tmp_path, "digits", "--all-files", *where)
    run("predict", "digits", "--all-files", "--no-recursive", *where)
    (digits / "below/rows.csv").unlink()
    run("predict", "digits", *where)
    assert (digits / "below/rows.csv").read_bytes().count(b",ok,") == 4


def test_an_input_that_is_read_from_standard_input_is_no_output(
    run: Run, tmp_path: Path, digits: Path
) -> None:
    names = b"digits/5.jpg\ndigits/0.png\n"
    assert "digits/0.png" in refused(run, tmp_path, "-", "-o", "digits/0.png", *CSV, input=names)


@pytest.mark.parametrize("name", ["model.onnx", "manifest.json", "labels.txt", "golden/0.png"])
def test_a_file_of_the_model_is_no_output(
    run: Run, bundle: Path, tmp_path: Path, name: str
) -> None:
    os.link(bundle / name, tmp_path / "hard")
    for output in (f"bundle/{name}", "hard"):
        arguments = ("5.jpg", "--model", "bundle", "-o", output, *CSV)
        assert "is the model's own" in refused(run, tmp_path, *arguments)


def test_a_lone_model_is_no_output(run: Run, bundle: Path, tmp_path: Path) -> None:
    arguments = ("5.jpg", "--model", "bundle/model.onnx", "-o", "bundle/model.onnx", *CSV)
    assert "is the model's own" in refused(run, tmp_path, *arguments)
