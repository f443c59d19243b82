"""Find the ink of one handwritten digit in an image.

1. A clean image only has its contrast stretched (`clean`). Any other is reduced to at most 128 px
   a side, and its background is estimated and taken away (`photo`, `background`), unless it is a
   photo of things (`texture`), in which no ink is looked for.
   In a small one, strips along the border are left out (`strips`), and ink that is hardly stronger
   than the noise is told from it (`faint`).
2. In the ink levels the digit's connected components are found (`components`) and cropped.
3. A digit that came out small in a large image is searched again in its own part of the image, at
   a higher resolution.

`crop` then makes the input tensor of the ink. docs/preprocessing.md shows each step in pictures.
"""

from collections.abc import Sequence
from itertools import repeat
from typing import NamedTuple, TypeAlias

import numpy as np
from PIL import Image

from .clean import ANALYSIS_SIDE, MIN_BATCH, SMALL_SIDE, clean_inks, clean_levels
from .components import digit_box
from .faint import MAX_SIDE, faint_levels, is_faint
from .photo import photo_levels
from .strips import inside_strips, runs_into_strip
from .texture import is_textured
from .types import Box, Bytes

Picture: TypeAlias = Bytes | Image.Image

SHARP_SIDE = 40
"""px, a digit whose long side is shorter is searched again at a higher resolution. The digits'
tensor has 16 px a side. Set by hand, as the next two."""
SECOND_MARGIN = 0.3
"""Of the digit's long side: background kept around it for the second search."""
MAX_AVERAGED_SIDE = 1024
"""px, a larger image is first thinned to about this side, every so many-th pixel: of a photo of
12 megapixels, averaging all the pixels takes 125 ms, thinned ones 48 ms."""


class Found(NamedTuple):
    """Ink (h, w) uint8, 0 = background to 255 = ink, and its left, top, right, bottom in pixels of
    the image."""

    ink: Bytes
    box: tuple[float, float, float, float]


def find_ink(image: Picture) -> Bytes | None:
    """Find the ink of one digit in (H, W) grey or (H, W, 3) RGB uint8 pixels.

    image: the pixels, or a Pillow image of mode L or RGB: of a large one that saves copies.
    Returns a tight (h, w) uint8 crop, 0 = background to 255 = full ink; None for a blank image.
    """
    found = locate_ink(image)
    return None if found is None else found.ink


def locate_ink(image: Picture) -> Found | None:
    """As find_ink, with the box of the crop in the image's own pixels."""
    longer = max(_size(image))
    if longer <= ANALYSIS_SIDE:
        image = np.asarray(image)
        level = clean_levels(image)
        if level is not None:
            part = digit_box(level, clean=True)
            return None if part is None else _crop(*part, (0, 0, 1.0))
        if longer <= MAX_SIDE:
            return _search_inside_strips(image)
    reduced, scale = _reduced(image)
    if is_textured(reduced):
        return None
    first = _search(reduced, (0, 0, scale))
    if first is None or max(first.ink.shape) >= SHARP_SIDE or longer <= ANALYSIS_SIDE:
        return first
    x0, y0, x1, y1 = first.box
    margin = SECOND_MARGIN * max(x1 - x0, y1 - y0)
    left, top = max(0, int(x0 - margin)), max(0, int(y0 - margin))
    window = _window(image, left, top, int(x1 + margin) + 1, int(y1 + margin) + 1)
    reduced, scale = _reduced(window)
    return _search(reduced, (left, top, scale)) or first


def find_inks(images: Sequence[Bytes]) -> list[Bytes | None]:
    """As find_ink of each image, quicker where many are small, grey and of one size."""
    inks: list[Bytes | None] = [None] * len(images)
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for i, image in enumerate(images):
        by_shape.setdefault(image.shape, []).append(i)
    for shape, members in by_shape.items():
        batch = [images[i] for i in members]
        together = len(shape) == 2 and max(shape) <= SMALL_SIDE and len(batch) >= MIN_BATCH
        found = clean_inks(np.stack(batch)) if together else repeat(None)
        for i, ink in zip(members, found, strict=False):
            inks[i] = find_ink(images[i]) if ink is None else ink
    return inks


def _search(pixels: Bytes, place: tuple[int, int, float]) -> Found | None:
    """Find the ink in a part of the image; `place`: its left, top and scale in the image."""
    level = photo_levels(pixels)
    part = None if level is None else digit_box(level, clean=False)
    return None if part is None else _crop(*part, place)


def _search_inside_strips(pixels: Bytes) -> Found | None:
    """Find the ink of a small photo, which may be faint."""
    left, top, right, bottom = inside = inside_strips(pixels)
    part = _part(pixels[top:bottom, left:right])
    if part is None:
        return None
    found = _crop(*part, (left, top, 1.0))
    if inside != (0, 0, *pixels.shape[1::-1]) and runs_into_strip(pixels, inside, found.box):
        part = _part(pixels)
        return None if part is None else _crop(*part, (0, 0, 1.0))
    return found


def _part(pixels: Bytes) -> tuple[Bytes, Box] | None:
    """The ink levels of a small photo, and the box of its digit."""
    level = faint_levels(pixels) if is_faint(pixels) else photo_levels(pixels)
    return None if level is None else digit_box(level, clean=False)


def _size(image: Picture) -> tuple[int, int]:
    """Width and height in pixels."""
    return image.size if isinstance(image, Image.Image) else (image.shape[1], image.shape[0])


def _window(image: Picture, left: int, top: int, right: int, bottom: int) -> Picture:
    """A part of the image, cut off where the image ends."""
    if isinstance(image, Image.Image):
        return image.crop((left, top, min(right, image.width), min(bottom, image.height)))
    return image[top:bottom, left:right]


def _reduced(image: Picture) -> tuple[Bytes, float]:
    """The image at no more than ANALYSIS_SIDE px a side, and the factor by which it is smaller."""
    stride = max(1, max(_size(image)) // MAX_AVERAGED_SIDE)
    if stride > 1:
        image = np.asarray(image)[::stride, ::stride]
    factor = -(-max(_size(image)) // ANALYSIS_SIDE)
    if factor > 1:
        if not isinstance(image, Image.Image):
            image = Image.fromarray(np.ascontiguousarray(image))
        image = image.reduce(factor)
    return np.asarray(image), float(stride * factor)


def _crop(level: Bytes, box: Box, window: tuple[int, int, float]) -> Found:
    """The box of the levels; `window`: left, top and scale of the levels in the image."""
    x0, y0, x1, y1 = box
    left, top, scale = window
    place = (left + x0 * scale, top + y0 * scale, left + x1 * scale, top + y1 * scale)
    return Found(np.ascontiguousarray(level[y0:y1, x0:x1]), place)
