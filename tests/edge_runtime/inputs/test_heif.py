"""AVIF and HEIC files: read where there is a decoder, named where there is none."""

from __future__ import annotations

import contextlib
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from edge_runtime import ImageError
from edge_runtime.inputs.image import decode

from ...conftest import Run
from ...support.helpers import TIMEOUT, encoded, environment, rows_of

# 64x96 of an L, written by libheif and x265, turned by EXIF.
HEIC = Path(__file__).parents[2] / "support" / "turned.heic"
SIZE = (16, 24)

needs_avif = pytest.mark.skipif(
    "avif" not in features.get_supported(), reason="this Pillow reads no AVIF"
)


def letter() -> Image.Image:
    """Ground 30, ink 220, not square, and like none of its own turns."""
    pixels = np.full((24, 16), 30, np.uint8)
    pixels[3:21, 4:7] = 220
    pixels[3:6, 4:13] = 220
    return Image.fromarray(pixels).resize((64, 96), Image.Resampling.NEAREST)


def refused(data: bytes, **limits: int) -> ImageError:
    with pytest.raises(ImageError) as error:
        decode(data, **limits)
    assert "\n" not in str(error.value)
    return error.value


@needs_avif
def test_an_avif_file_is_read_upright_with_its_transparency() -> None:
    plain = np.asarray(letter()).astype(int)
    assert np.abs(decode(encoded(letter().convert("RGB"), "AVIF"))[..., 0] - plain).max() < 40
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = decode(encoded(letter().convert("RGB"), "AVIF", exif=exif))
    assert np.abs(turned[..., 0] - np.rot90(plain, -1)).max() < 40
    ground = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    assert (decode(encoded(ground, "AVIF")) == 255).all()


def test_a_heic_file_is_read_upright() -> None:
    pytest.importorskip("pi_heif", reason="needs edge-runtime[heif]")
    pixels = decode(HEIC)
    expected = np.rot90(np.asarray(letter()).astype(int), -1)
    assert np.abs(pixels[..., 0] - expected).max() < 60
    assert refused(HEIC.read_bytes(), max_pixels=64 * 96 - 1).status == "too_large"


def test_a_folder_gives_a_row_for_photos_of_phones(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.heic", "b.HEIC", "c.heif"):
        shutil.copyfile(HEIC, tmp_path / "in" / name)
    (tmp_path / "in" / "d.avif").write_bytes(b"none")
    rows = rows_of(run("predict", "in", status=1).stdout)
    assert len({row["status"] for row in rows[:3]}) == 1
    assert rows[3]["status"] == "not_an_image"
    assert "AVIF, HEIC" in rows[3]["error"]


def test_without_a_decoder_the_row_names_what_reads_it(home: Path, tmp_path: Path) -> None:
    (tmp_path / "x.avif").write_bytes(b"\0\0\0\x14ftypavif\0\0\0\0mif1" + bytes(99))
    code = f"""
import sys
sys.modules["pi_heif"] = sys.modules["PIL.AvifImagePlugin"] = None
sys.argv = ["edge-runtime", "predict", {str(HEIC)!r}, "x.avif"]
from edge_runtime.__main__ import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        cwd=tmp_path,
        env=environment(home),
        timeout=TIMEOUT,
    )
    heic, avif = rows_of(done.stdout)
    assert (heic["status"], avif["status"]) == ("unreadable", "unreadable")
    assert "pip install 'edge-runtime[heif]'" in heic["error"]
    assert "Pillow" in avif["error"]


def test_the_decoders_are_loaded_for_such_files_only(home: Path, tmp_path: Path) -> None:
    data = encoded(letter().convert("RGBA"), "PNG")
    code = f"""
import sys
from edge_runtime.inputs.image import decode
decode({data!r})
assert not {{"pi_heif", "PIL.AvifImagePlugin"}} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=TIMEOUT)


def samples() -> dict[str, bytes]:
    found = {"HEIC": HEIC.read_bytes()}
    if "avif" in features.get_supported():
        found["AVIF"] = encoded(letter(), "AVIF")
    return found


@pytest.mark.parametrize("name", samples())
def test_damaged_files_and_lies_about_the_size_are_refused(name: str) -> None:
    if name == "HEIC":
        pytest.importorskip("pi_heif", reason="needs edge-runtime[heif]")
    data = samples()[name]
    assert refused(data[: len(data) // 2]).status == "corrupt"
    place = data.index(b"ispe") + 8
    size = data[place : place + 8]
    giant = data.replace(size, (30_000).to_bytes(4, "big") * 2)
    assert refused(giant).status in ("corrupt", "too_large")
    chance = random.Random(name)
    for _ in range(60):
        damaged = bytearray(data)
        damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        with contextlib.suppress(ImageError):
            decode(bytes(damaged), max_pixels=1_000_000)


def test_an_item_at_which_the_decoder_would_end_the_process_is_refused() -> None:
    pytest.importorskip("pi_heif", reason="needs edge-runtime[heif]")
    data = HEIC.read_bytes()
    assert b"infe" in data[: data.index(b"Exif")]
    error = refused(data.replace(b"Exif\0", b"Axif\0", 1))
    assert (error.status, "Axif" in str(error)) == ("corrupt", True)
    assert refused(data + (8).to_bytes(4, "big") * 30_000).status == "corrupt"


def test_a_file_of_more_bytes_than_its_pixels_need_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "endless.heic"
    path.write_bytes(HEIC.read_bytes())
    with open(path, "r+b") as stream:
        stream.truncate(40 << 20)
    with pytest.raises(ImageError, match="enough for 1000000 pixels") as error:
        decode(path, max_pixels=1_000_000)
    assert error.value.status == "too_large"
