"""The page's JavaScript makes of images what Python makes of them: in Node, without a browser."""

from __future__ import annotations

import io
import json
import shutil
import struct
import subprocess
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edge_runtime import Classifier
from edge_runtime.bundle.preprocessing import Crop, Fit, Preprocessing, Stretch, Whole
from edge_runtime.bundle.spec import InputSpec
from edge_runtime.inputs.image import decode
from edge_runtime.preprocessing.readers import reader_of
from edge_runtime.web.server import PAGE

from ...support.helpers import GOLDEN, TIMEOUT, VECTORS, png_chunk
from ...support.page import photos, scenery
from ...support.webcam import frames

NODE = shutil.which("node")
SCRIPT = Path(__file__).parent / "page_scripts.mjs"
pytestmark = pytest.mark.skipif(NODE is None, reason="needs node")

Bytes = NDArray[np.uint8]


def run_script(tmp_path: Path, job: dict[str, Any]) -> list[Bytes | str]:
    """The arrays that the script made, or the errors in their place."""
    (tmp_path / "job.json").write_text(json.dumps(job))
    done = subprocess.run(
        [str(NODE), SCRIPT, PAGE, tmp_path / "job.json", tmp_path / "out.bin"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert done.returncode == 0, done.stderr
    values = np.frombuffer((tmp_path / "out.bin").read_bytes(), np.uint8)
    arrays: list[Bytes | str] = []
    for result in json.loads(done.stdout):
        if "error" in result:
            arrays.append(result["error"])
        else:
            size = int(np.prod(result["shape"]))
            arrays.append(values[:size].reshape(result["shape"]))
            values = values[size:]
    assert not len(values)
    return arrays


def prepared_by_script(
    tmp_path: Path,
    images: Sequence[Bytes],
    spec: InputSpec,
    how: Preprocessing,
    *,
    jpeg: bool = False,
) -> Bytes:
    """(N, height, width, channels) tensors."""
    offsets = np.cumsum([0, *(image.size for image in images)]).tolist()
    (tmp_path / "pixels.bin").write_bytes(b"".join(image.tobytes() for image in images))
    described = [
        {
            "offset": offset,
            "height": image.shape[0],
            "width": image.shape[1],
            "channels": 1 if image.ndim == 2 else 3,
            "jpeg": jpeg,
        }
        for offset, image in zip(offsets, images, strict=False)
    ]
    job = {
        "input": asdict(spec),
        "preprocessing": how.to_json(),
        "data": str(tmp_path / "pixels.bin"),
        "images": described,
    }
    return np.stack([np.asarray(tensor) for tensor in run_script(tmp_path, job)])


def difference(left: Bytes, right: Bytes) -> int:
    return int(np.abs(left.astype(np.int16) - right).max())


def test_every_golden_image_becomes_its_tensor(tmp_path: Path, classifier: Classifier) -> None:
    spec, how = classifier.spec.input, classifier.spec.preprocessing
    images = [decode(GOLDEN / vector["image"]) for vector in VECTORS]
    tensors = prepared_by_script(tmp_path, images, spec, how)
    for vector, tensor in zip(VECTORS, tensors, strict=True):
        expected = np.array(vector["tensor"], np.uint8).reshape(spec.shape)
        assert difference(tensor, expected) <= vector["tensor_tolerance"], vector["image"]


def test_photos_become_the_tensors_of_python_within_one_level_and_are_read_alike(
    tmp_path: Path, classifier: Classifier
) -> None:
    spec, how = classifier.spec.input, classifier.spec.preprocessing
    images = list(photos(200))
    expected = np.stack([reader_of(spec, how).tensor(image) for image in images])
    tensors = prepared_by_script(tmp_path, images, spec, how)
    blank = ~expected.any(axis=(1, 2, 3))
    assert 10 <= np.count_nonzero(blank) < 60  # those without a digit, and what is refused
    assert difference(tensors, expected) <= 1
    assert np.mean((tensors == expected).all(axis=(1, 2, 3))) >= 0.9
    change = np.abs(classifier.probabilities(tensors) - classifier.probabilities(expected))
    assert change.max() < 0.02


def test_frames_of_a_webcam_become_the_tensors_of_python_within_one_level(
    tmp_path: Path, classifier: Classifier
) -> None:
    spec, how = classifier.spec.input, classifier.spec.preprocessing
    images = [frame.pixels for frame in (*frames(120), *frames(30, blank=True))]
    images += [image[..., 1].copy() for image in images[:20]]
    expected = np.stack([reader_of(spec, how).tensor(image) for image in images])
    tensors = prepared_by_script(tmp_path, images, spec, how)
    assert difference(tensors, expected) <= 1
    assert np.mean((tensors == expected).all(axis=(1, 2, 3))) >= 0.75  # faint ink is much stretched


def test_photos_of_things_are_told_from_ink_as_python_tells_them(
    tmp_path: Path, classifier: Classifier
) -> None:
    spec, how = classifier.spec.input, classifier.spec.preprocessing
    digits = [image for image in photos(60, seed=3) if image.ndim == 3]
    images = []
    for number, digit in enumerate(digits):  # between a digit and a photo of things, step by step
        height, width = digit.shape[:2]
        share = number / (len(digits) - 1)
        mixed = digit * (1 - share) + scenery(width, height, seed=number) * share
        images.append(np.rint(mixed).astype(np.uint8))
    images += [image[..., 1].copy() for image in images[::3]]
    expected = np.stack([reader_of(spec, how).tensor(image) for image in images])
    tensors = prepared_by_script(tmp_path, images, spec, how)
    blank = ~expected.any(axis=(1, 2, 3))
    assert 5 <= np.count_nonzero(blank) < len(images) - 5
    np.testing.assert_array_equal(blank, ~tensors.any(axis=(1, 2, 3)))


@pytest.mark.parametrize("how", [Fit(fill=40), Crop(), Stretch()])
@pytest.mark.parametrize("spec", [InputSpec(24, 40, 3), InputSpec(32, 28, 1)])
def test_images_for_other_kinds_of_preprocessing_are_placed_within_one_level(
    tmp_path: Path, spec: InputSpec, how: Preprocessing
) -> None:
    rng = np.random.default_rng(0)
    sizes = [(10, 10), (24, 40), (97, 31), (31, 97), (300, 500), (501, 333), (20, 200), (1, 1)]
    images = [rng.integers(0, 256, (*size, 3), np.uint8) for size in sizes]
    images += [image[..., 0].copy() for image in images]
    expected = np.stack([reader_of(spec, how).tensor(image) for image in images])
    tensors = prepared_by_script(tmp_path, images, spec, how)
    assert difference(tensors, expected) <= 1  # Pillows differ so: 13 may go down before across
    assert np.mean(tensors == expected) > 0.95


@pytest.mark.parametrize("kind", [Fit, Crop, Stretch])
@pytest.mark.parametrize("oversampling", [None, 1.0, 1.5])
def test_jpegs_are_reduced_as_python_decodes_them(
    tmp_path: Path, kind: type[Whole], oversampling: float | None
) -> None:
    how = kind(oversampling=oversampling)
    spec = InputSpec(24, 40, 3)
    reader = reader_of(spec, how)
    rng = np.random.default_rng(0)
    sizes = [(24, 40), (48, 80), (80, 48), (95, 160), (96, 161), (200, 320), (403, 600), (60, 400)]
    images = [rng.integers(0, 256, (*size, 3), np.uint8) for size in sizes]
    expected = []
    for image in images:
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "JPEG")
        factor = round(image.shape[1] / reader.decode(stream.getvalue()).shape[1])
        expected.append(reader.tensor(np.asarray(Image.fromarray(image).reduce(factor))))
    tensors = prepared_by_script(tmp_path, images, spec, how, jpeg=True)
    assert difference(tensors, np.stack(expected)) <= 1


def interlaced(pixels: Bytes) -> bytes:
    """(H, W, 3) as an Adam7 PNG, which Pillow reads but does not write."""
    height, width = pixels.shape[:2]
    passes = [
        *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
        *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
    ]
    lines = b""
    for left, top, right, down in passes:
        part = pixels[top::down, left::right]
        if part.size:
            lines += b"".join(b"\0" + row.tobytes() for row in part)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*part) for part in parts)


@pytest.fixture
def encoded_files(tmp_path: Path) -> list[Path]:
    """One image in every kind of PNG, and in the kinds of TIFF that the page reads."""
    rng = np.random.default_rng(0)
    slope = np.mgrid[:23, :37][0].astype(np.uint8) * 5
    grey = slope + rng.integers(0, 60, slope.shape, np.uint8)
    colours = np.dstack([grey, 255 - grey, slope])
    alpha = rng.integers(0, 256, slope.shape, np.uint8)
    l, rgb = Image.fromarray(grey), Image.fromarray(colours)  # noqa: E741
    deep = Image.fromarray(grey.astype(np.uint16) * 251)
    files = tmp_path / "files"
    files.mkdir()

    def save(name: str, image: Image.Image, **options: Any) -> None:
        image.save(files / name, **options)

    for ending in ("png", "tif"):
        save(f"grey.{ending}", l)
        save(f"rgb.{ending}", rgb)
        save(f"bits.{ending}", l.convert("1"))
        save(f"deep.{ending}", deep)
        for orientation in range(1, 9):
            exif = Image.Exif()
            exif[0x0112] = orientation
            save(f"turned{orientation}.{ending}", rgb, exif=exif)
    save("deflate.tif", Image.fromarray(np.tile(colours, (20, 20, 1))), compression="tiff_deflate")
    save("strips.tif", Image.fromarray(np.tile(colours, (20, 20, 1))))
    save("white_is_zero.tif", l.convert("1"), tiffinfo={262: 0})
    save("rgba.png", Image.fromarray(np.dstack([colours, alpha])))
    save("light_rgba.png", Image.fromarray(np.dstack([255 - colours // 4, alpha])))
    save("grey_alpha.png", Image.fromarray(np.dstack([grey, alpha])))
    save("palette.png", rgb.quantize(200))
    save("palette4.png", rgb.quantize(11), bits=4)
    save("palette2.png", rgb.quantize(4))
    save("clear_entry.png", rgb.quantize(50), transparency=3)
    save("clear_entries.png", rgb.quantize(50), transparency=bytes(range(0, 250, 5)))
    save("clear_grey.png", l, transparency=int(grey[3, 3]))
    save("clear_rgb.png", rgb, transparency=tuple(map(int, colours[2, 2])))
    (files / "interlaced.png").write_bytes(interlaced(colours))
    return sorted(files.iterdir())


def test_every_kind_of_png_and_plain_tiff_is_decoded_to_the_bit(
    tmp_path: Path, encoded_files: list[Path]
) -> None:
    found = run_script(tmp_path, {"decode": [str(path) for path in encoded_files]})
    for path, pixels in zip(encoded_files, found, strict=True):
        assert not isinstance(pixels, str), f"{path.name}: {pixels}"
        np.testing.assert_array_equal(pixels, decode(path), err_msg=path.name)


def test_damaged_files_are_refused_in_plain_words(
    tmp_path: Path, encoded_files: list[Path]
) -> None:
    names = ("rgb.png", "palette.png", "deep.png", "rgb.tif", "deflate.tif")
    cut = []
    for path in [path for path in encoded_files if path.name in names]:
        data = path.read_bytes()
        for share in (0.1, 0.5, 0.8):
            cut.append(path.with_name(f"cut{share}_{path.name}"))
            cut[-1].write_bytes(data[: int(len(data) * share)])
    Image.new("RGB", (9, 9)).save(tmp_path / "lzw.tif", compression="tiff_lzw")
    files = [*cut, tmp_path / "lzw.tif"]
    for path, error in zip(
        files, run_script(tmp_path, {"decode": [str(path) for path in files]}), strict=True
    ):
        assert isinstance(error, str), path.name
        assert error.startswith("ImageError: "), f"{path.name}: {error}"
