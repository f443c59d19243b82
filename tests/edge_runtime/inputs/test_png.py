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
from edge_runtime.inputs.png import plain_png

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


@pytest.mark.parametrize(
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
