"""At what fraction of its size a JPEG is decoded, and a fast path for those without metadata.

Opening a JPEG takes Pillow a seventh of the time that decoding a photo of 500x375 takes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from PIL import Image

DRAFT_SIDE = 200
"""px, that both sides of a decoded JPEG keep, unless its reader says what is enough."""
Room: TypeAlias = Callable[[int, int], float]
"""How many times smaller a JPEG may be decoded, from its width and height, in either order."""

_FRACTIONS = (8, 4, 2)  # that libjpeg decodes for less than the whole costs
_START = b"\xff\xd8"
_FRAME, _SCAN = 0xC0, 0xDA  # of a baseline JPEG
_PASSED_OVER = {0xC4, 0xDB, 0xDD, 0xE0, 0xFE}  # tables, restart interval, JFIF, comment
_MODES = {1: "L", 3: "RGB"}  # by components
_MOST_PIXELS = 1 << 24  # a larger one takes so long that its opening does not count


def draft_room(width: int, height: int) -> float:
    """The Room of DRAFT_SIDE."""
    return min(width, height) / DRAFT_SIDE


def fraction(width: int, height: int, room: Room) -> int:
    """How many times smaller a JPEG is decoded: 1, 2, 4 or 8."""
    most = min(room(width, height), width, height)
    return next((factor for factor in _FRACTIONS if most >= factor), 1)


def plain_jpeg(data: bytes, max_pixels: int, room: Room) -> Image.Image | None:
    """Decode a baseline JPEG in grey or colour that has nothing to be told from metadata.

    None for any other file, as one with EXIF, and for a damaged one: Pillow must open it.
    """
    if not data.startswith(_START):
        return None
    at, width, height, mode = 2, 0, 0, None
    try:
        while (marker := data[at + 1]) != _SCAN:
            if data[at] != 0xFF:
                return None
            if marker == _FRAME and not width and data[at + 4] == 8:
                height, width = (
                    (data[at + 5] << 8) + data[at + 6],
                    (data[at + 7] << 8) + data[at + 8],
                )
                mode = _MODES.get(data[at + 9])
            elif marker not in _PASSED_OVER:
                return None
            at += 2 + (data[at + 2] << 8) + data[at + 3]
    except IndexError:
        return None
    if mode is None or not 0 < width * height <= min(max_pixels, _MOST_PIXELS):
        return None
    factor = fraction(width, height, room)
    size = -(-width // factor), -(-height // factor)
    scale = (factor, 0) if factor > 1 else ()
    try:
        return Image.frombytes(mode, size, data, "jpeg", mode, "", *scale)
    except (ValueError, OSError):
        return None
