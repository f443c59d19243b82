"""`edge-runtime explain`, as a process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ...conftest import Run
from ...support.small_bundles import colours_bundle, sounds_bundle


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Red on the left, blue on the right; beside it a bundle that tells such colours."""
    colours_bundle(tmp_path / "colours")
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[:, :40, 0], pixels[:, 40:, 2] = 250, 240
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def explain(run: Run, *arguments: object, status: int = 0) -> tuple[str, str]:
    done = run("explain", "--model", "colours", *arguments, status=status)
    return done.stdout.decode(), done.stderr.decode()


def test_the_picture_is_written_and_the_answer_printed(run: Run, photo: Path) -> None:
    out, err = explain(run, "photo.png", "-o", "heat.png")
    assert (out, err) == ("photo.png: blue 0.9593\n", "")
    with Image.open(photo.with_name("heat.png")) as picture:
        assert (picture.format, picture.size) == ("PNG", (320, 240))
        left, right = picture.getpixel((40, 120)), picture.getpixel((280, 120))
    assert left == (250, 0, 0)
    assert right != (0, 0, 240)
    out, _ = explain(run, "photo.png", "-o", "red.png", "--label", "red")
    assert out.startswith("photo.png: red 0.0")


def test_no_file_is_lost(run: Run, photo: Path) -> None:
    before = photo.read_bytes()
    heat = photo.with_name("heat.png")
    heat.write_text("mine")
    _, err = explain(run, "photo.png", "-o", "heat.png", status=2)
    assert "heat.png: exists already; --force replaces it" in err
    _, err = explain(run, "photo.png", "-o", "photo.png", "--force", status=2)
    assert "photo.png: is also an input" in err
    photo.with_name("bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    explain(run, "bad.jpg", "-o", "heat.png", "--force", status=1)
    assert (photo.read_bytes(), heat.read_text()) == (before, "mine")
    explain(run, "photo.png", "-o", "heat.png", "--force")
    assert heat.read_bytes().startswith(b"\x89PNG")
    assert not list(photo.parent.glob(".heat*"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-o", "heat.jpg"), "give a name that ends in .png"),
        (("-o", "heat.png", "--label", "pink"), "--label pink: the model's labels are red, green"),
        (("-o", "none/heat.png"), "there is no folder none"),
    ],
)
def test_mistakes_are_found_before_work(
    run: Run, photo: Path, arguments: tuple[str, ...], words: str
) -> None:
    _, err = explain(run, "photo.png", *arguments, status=2)
    assert words in err
    assert len(err.splitlines()) == 1


def test_a_model_of_sounds_is_refused(run: Run, tmp_path: Path) -> None:
    bundle = sounds_bundle(tmp_path / "tones")
    sound = bundle / "golden/low.wav"
    done = run("explain", sound, "--model", bundle, "-o", "heat.png", status=3)
    assert b"reads sounds; explain is for images" in done.stderr
    assert not (tmp_path / "heat.png").exists()
