"""The quick way to read a PNG: what Pillow reads, or nothing."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edge_runtime.inputs.files import MAX_PIXELS
from edge_runtime.inputs.png import PngSheet, plain_png

RNG = np.random.default_rng(0)


def encoded(image: Image.Image, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", **options)
    return stream.getvalue()


def grey(height: int = 28, width: int = 20) -> Image.Image:
    return Image.fromarray(RNG.integers(0, 256, (height, width)).astype(np.uint8))


def chunk(kind: bytes, contents: bytes) -> bytes:
    return (
        struct.pack(">I", len(contents))
        + kind
        + contents
        + struct.pack(">I", zlib.crc32(kind + contents))
    )


PLAIN = encoded(grey())


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("size", [(1, 1), (28, 28), (3, 200), (301, 7)])
@pytest.mark.parametrize("level", [0, 9])
def test_grey_and_rgb_are_read_as_pillow_reads_them(
    mode: str, size: tuple[int, int], level: int
) -> None:
    shape = (*size, 3) if mode == "RGB" else size
    smooth = np.cumsum(RNG.integers(0, 3, shape), axis=0).astype(np.uint8)
    data = encoded(Image.fromarray(smooth), compress_level=level)
    np.testing.assert_array_equal(plain_png(data, MAX_PIXELS), smooth)


def test_contents_in_many_pieces_are_joined() -> None:
    (length,) = struct.unpack(">I", PLAIN[33:37])
    contents = PLAIN[41 : 41 + length]
    pieces = [chunk(b"IDAT", contents[i : i + 50]) for i in range(0, length, 50)]
    data = PLAIN[:33] + b"".join(pieces) + PLAIN[-12:]
    np.testing.assert_array_equal(plain_png(data, MAX_PIXELS), plain_png(PLAIN, MAX_PIXELS))


OTHERS = pytest.mark.parametrize(
    "data",
    [
        encoded(grey().convert("1")),
        encoded(grey().convert("P")),
        encoded(grey().convert("RGBA")),
        encoded(grey().convert("LA")),
        encoded(Image.fromarray(np.zeros((5, 5), np.uint16))),
        encoded(grey(), transparency=3),
        encoded(grey(), exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0"),
        PLAIN[:28] + b"\1" + PLAIN[29:],  # interlaced
        PLAIN[:-12],  # no end
        PLAIN[:-30],
        PLAIN[:40],
        b"",
        b"\x89PNG\r\n\x1a\n",
        PLAIN.replace(b"IDAT", b"IDAX"),
        b"x" * 100,
    ],
)


@OTHERS
def test_all_else_is_left_to_pillow(data: bytes) -> None:
    assert plain_png(data, MAX_PIXELS) is None


def test_a_changed_byte_is_never_read() -> None:
    for place in range(len(PLAIN) - 12):
        changed = bytearray(PLAIN)
        changed[place] ^= 1 << int(RNG.integers(8))
        assert plain_png(bytes(changed), MAX_PIXELS) is None


def test_more_pixels_than_allowed_are_left_to_pillow() -> None:
    assert plain_png(PLAIN, 20 * 28 - 1) is None
    assert plain_png(PLAIN, 20 * 28) is not None


def test_pngs_on_a_sheet_are_read_as_pillow_reads_them() -> None:
    images = [grey() for _ in range(150)]
    images += [Image.fromarray(np.full((28, 20), value, np.uint8)) for value in (0, 255)]
    sheet = PngSheet(48, MAX_PIXELS)
    found = [sheet.add(encoded(image)) for image in images]
    for each, image in zip(found, images, strict=True):
        assert each is not None
        np.testing.assert_array_equal(each.pixels, np.asarray(image))


@OTHERS
def test_a_sheet_takes_nothing_else_and_goes_on(data: bytes) -> None:
    assert PngSheet(48, MAX_PIXELS).add(data) is None
    sheet = PngSheet(48, MAX_PIXELS)
    first, other, last = sheet.add(PLAIN), sheet.add(data), sheet.add(PLAIN)
    assert other is None
    assert first is not None
    assert last is not None
    np.testing.assert_array_equal(first.pixels, plain_png(PLAIN, MAX_PIXELS))
    np.testing.assert_array_equal(last.pixels, first.pixels)


def test_a_changed_byte_never_comes_onto_a_sheet() -> None:
    sheet = PngSheet(48, MAX_PIXELS)
    assert sheet.add(PLAIN) is not None
    for place in range(len(PLAIN)):
        changed = bytearray(PLAIN)
        changed[place] ^= 1 << int(RNG.integers(8))
        assert sheet.add(bytes(changed)) is None
        assert sheet.add(PLAIN[:place]) is None


def test_a_sheet_takes_small_images_of_one_size() -> None:
    sheet = PngSheet(48, MAX_PIXELS)
    assert sheet.add(encoded(grey(49, 10))) is None
    assert sheet.add(encoded(grey(28, 28))) is not None
    assert sheet.add(PLAIN) is None
    assert PngSheet(48, 20 * 28 - 1).add(PLAIN) is None
    assert PngSheet(48, 20 * 28).add(PLAIN) is not None
