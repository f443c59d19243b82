"""A fast path for small PNG files: Pillow's decoder without its parsing of chunks.

Opening a small PNG takes Pillow three times as long as decoding it, and so does making an image
for it: `PngSheet` decodes many into one.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_HEAD = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_MODES = {b"\x08\0\0\0\0": "L", b"\x08\2\0\0\0": "RGB"}  # 8 bits, no interlace
_SIZE = struct.Struct(">II").unpack_from
_LENGTH = struct.Struct(">I").unpack_from
_END = b"\0\0\0\0IEND\xae\x42\x60\x82"
_SHEET = 64  # images in one
# Not a part of Pillow's documented interface; without it, each image is decoded by itself.
_zip_decoder: Any = getattr(Image.core, "zip_decoder", None)  # type: ignore[attr-defined]


def plain_png(data: bytes, max_pixels: int) -> NDArray[np.uint8] | None:
    """Decode an undamaged 8-bit grey or RGB PNG that has pixels only, `max_pixels` at most.

    Returns uint8 (H, W) or (H, W, 3); None for any other file, which Pillow must open.
    """
    mode = _MODES.get(data[24:29])
    if mode is None or not data.startswith(_HEAD) or len(data) < 57:
        return None
    width, height = _SIZE(data, 16)
    if not 0 < width * height <= max_pixels or not _intact(data, 12, 17):
        return None
    parts = []
    at = 33
    while data[at + 4 : at + 8] == b"IDAT":
        (length,) = _LENGTH(data, at)
        if not _intact(data, at + 4, length + 4):
            return None
        parts.append(data[at + 8 : at + 8 + length])
        at += 12 + length
    if data[at + 4 : at + 8] != b"IEND":
        return None
    try:
        image = Image.frombytes(mode, (width, height), b"".join(parts), "zip", mode)
    except ValueError:
        return None
    pixels = np.frombuffer(image.tobytes(), np.uint8)
    return pixels.reshape((height, width) if mode == "L" else (height, width, 3))


class PngSheet:
    """Decodes the small grey PNGs of a batch into few images, each below the other.

    All of a sheet have the size of the first one.
    """

    def __init__(self, max_side: int, max_pixels: int) -> None:
        """max_side: px; larger PNGs, and those of more than `max_pixels`, are not taken."""
        self._max_side = max_side
        self._max_pixels = max_pixels
        self._start = b""  # up to the end of the header, the same for all
        self._width = self._height = 0
        self._images: list[Image.Image] = []
        self._filled = _SHEET  # places of the last image
        self._pixels: list[list[NDArray[np.uint8]]] = []

    def add(self, data: bytes) -> OnSheet | None:
        """Decode a PNG as `plain_png` does; None for a file that this cannot take."""
        if data[:33] != self._start and not self._begin(data):
            return None
        (length,) = _LENGTH(data, 33) if len(data) > 37 else (0,)
        end = 41 + length
        if data[37:41] != b"IDAT" or data[end + 4 :] != _END:
            return None
        if zlib.crc32(data[37:end]) != _LENGTH(data, end)[0]:
            return None
        if self._filled == _SHEET:
            size = self._width, self._height * _SHEET
            self._images.append(Image.new("L", size))
            self._filled = 0
        top = self._filled * self._height
        decoder = _zip_decoder("L", "L")
        decoder.setimage(self._images[-1].im, (0, top, self._width, top + self._height))
        left, error = decoder.decode(data[41:end])
        if left >= 0 or error:
            return None
        self._filled += 1
        return OnSheet(self, len(self._images) - 1, self._filled - 1)

    def _begin(self, data: bytes) -> bool:
        """Begin the sheet with a first PNG; False if this is not the first, or not taken."""
        if self._start or _zip_decoder is None:
            return False
        grey = data.startswith(_HEAD) and _MODES.get(data[24:29]) == "L"
        if not grey or not _intact(data, 12, 17):
            return False
        width, height = _SIZE(data, 16)
        small = min(width, height) > 0 and max(width, height) <= self._max_side
        if not small or width * height > self._max_pixels:
            return False
        self._start, self._width, self._height = data[:33], width, height
        return True

    def pixels(self, number: int) -> list[NDArray[np.uint8]]:
        """(H, W) uint8 of each place of one image, once all PNGs have been added."""
        while len(self._pixels) <= number:
            pixels = np.asarray(self._images[len(self._pixels)])
            self._pixels.append(list(pixels.reshape(_SHEET, self._height, self._width)))
        return self._pixels[number]


class OnSheet(NamedTuple):
    """A decoded PNG on its sheet."""

    sheet: PngSheet
    image: int
    place: int

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """(H, W) uint8, once all PNGs of the sheet have been added."""
        return self.sheet.pixels(self.image)[self.place]


def _intact(data: bytes, start: int, length: int) -> bool:
    """True if the checksum of a chunk's type and contents is right."""
    end = start + length
    return end + 4 <= len(data) and zlib.crc32(data[start:end]) == _LENGTH(data, end)[0]
