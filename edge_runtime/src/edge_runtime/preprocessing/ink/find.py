"""Find the ink of one handwritten digit in an image: polarity, ground and levels.

A noiseless image is only stretched. In any other, up to three ideas of the ground are tried (a
smooth surface, the flat half of the tones, whatever is broader than a stroke), each judged by
how much is left of the ground beside how strong the ink is.
"""

from collections.abc import Sequence
from itertools import repeat
from typing import NamedTuple

import numpy as np
from PIL import Image

from .background import Bytes
from .clean import CLEAN, FEW, WORK, clean_levels, plain_inks
from .components import Box, digit_box
from .photo import photo_levels

SHARP = 40  # px, a digit lower than this is cropped again from the full-resolution pixels
MARGIN = 0.3  # of the digit's long side, the ground kept around it for that second look
STRIDE = 1024  # px, larger images are thinned to about this side before Pillow averages them


class Found(NamedTuple):
    """Ink (h, w) uint8, 0 = ground to 255 = ink, and its left, top, right, bottom in the image."""

    ink: Bytes
    box: tuple[float, float, float, float]


def find_ink(pixels: Bytes) -> Bytes | None:
    """The ink of one digit in (H, W) grey or (H, W, 3) RGB uint8 pixels.

    Returns a tight (h, w) uint8 crop, 0 = ground to 255 = full ink; None for a blank image.
    """
    found = locate_ink(pixels)
    return None if found is None else found.ink


def locate_ink(pixels: Bytes) -> Found | None:
    """As find_ink, with the box of the crop in the image's own pixels."""
    level = clean_levels(pixels)
    if level is not None:
        part = digit_box(level, clean=True)
        return None if part is None else _cropped(*part, (0, 0, 1.0))
    first = _look(pixels, (0, 0))
    if first is None or max(first.ink.shape) >= SHARP or max(pixels.shape[:2]) <= WORK:
        return first
    x0, y0, x1, y1 = first.box
    pad = MARGIN * max(x1 - x0, y1 - y0)
    left, top = max(0, int(x0 - pad)), max(0, int(y0 - pad))
    return _look(pixels[top : int(y1 + pad) + 1, left : int(x1 + pad) + 1], (left, top)) or first


def find_inks(images: Sequence[Bytes]) -> list[Bytes | None]:
    """As find_ink of each, in less time where many are small, grey and of one size."""
    inks: list[Bytes | None] = [None] * len(images)
    alike: dict[tuple[int, ...], list[int]] = {}
    for i, image in enumerate(images):
        alike.setdefault(image.shape, []).append(i)
    for shape, members in alike.items():
        some = [images[i] for i in members]
        plain = len(shape) == 2 and max(shape) <= CLEAN and len(some) >= FEW
        found = plain_inks(np.stack(some)) if plain else repeat(None)
        for i, ink in zip(members, found, strict=False):
            inks[i] = find_ink(images[i]) if ink is None else ink
    return inks


def _look(pixels: Bytes, corner: tuple[int, int]) -> Found | None:
    """Find the ink in a window of the image whose top left pixel is at this corner."""
    work, scale = _shrunk(pixels)
    level = photo_levels(work)
    part = None if level is None else digit_box(level, clean=False)
    return None if part is None else _cropped(*part, (*corner, scale))


def _shrunk(pixels: Bytes) -> tuple[Bytes, float]:
    """At most WORK px a side, and how many of the image's pixels one of them spans."""
    stride = max(1, max(pixels.shape[:2]) // STRIDE)
    if stride > 1:
        pixels = pixels[::stride, ::stride]
    factor = -(-max(pixels.shape[:2]) // WORK)
    if factor > 1:
        pixels = np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).reduce(factor))
    return pixels, float(stride * factor)


def _cropped(level: Bytes, box: Box, frame: tuple[int, int, float]) -> Found:
    x0, y0, x1, y1 = box
    left, top, scale = frame
    place = (left + x0 * scale, top + y0 * scale, left + x1 * scale, top + y1 * scale)
    return Found(np.ascontiguousarray(level[y0:y1, x0:x1]), place)
