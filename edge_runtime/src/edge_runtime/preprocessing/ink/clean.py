"""Ink levels of an image without noise: only a contrast stretch.

Scans that were binarised or normalised, and drawings, have a background of exactly one value. It
is read off the border, becomes 0, and the other extreme of the image becomes 255. Small images
may have ink along their border and still be clean, since they are often cropped to the digit.

Where no source is given, a number was set by hand when the finder was written, in November 2026.
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .components import INK_THRESHOLD, least_digit_side
from .types import Bytes, Mask

ANALYSIS_SIDE = 128
"""px, the longest side analysed: a digit of 15 % of the frame still has 19 px."""
SMALL_SIDE = 48
"""px, an image up to this side is small: a digit's own crop. MNIST has 28, Semeion and USPS 16."""
MIN_BATCH = 4
"""Images of a size from which all together are quicker than one by one: measured on 28x28 images,
both ways take the same time at 3 to 6 images."""
MIN_BORDER_SHARE = 0.1
"""Of a small image's border: this much must be exactly background when ink lies along it."""
MIN_SPAN = 64
"""Grey levels from the darkest to the lightest pixel. With less, and ink along its border, a small
image is clean only with MIN_BACKGROUND_SHARE: a slope of light has a lightest border, too, and JPEG
may leave no noise on it."""
MIN_BACKGROUND_SHARE = 0.2
"""Of the pixels, exactly background. USPS has at least 0.25, scikit-learn's digits, of 17 levels,
0.34."""
MIN_CONTRAST = 8
"""Grey levels, the faintest contrast believed: half a step of an image with 17 levels, as
scikit-learn's digits have."""


def clean_inks(images: Bytes) -> Iterator[Bytes | None]:
    """Find the ink of each of (N, H, W) grey images, all together.

    Yields the (h, w) crop of an image that is clean, has a border of one value and ink without a
    gap in its rows and columns; None for every other image, which `find_ink` must look at.
    """
    count, height, width = images.shape
    flat = images.reshape(count, -1)
    background, low, high = flat[:, 0], flat.min(axis=1), flat.max(axis=1)
    border = np.concatenate(
        [images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], axis=1
    )
    simple = (border == background[:, None]).all(axis=1)
    simple &= (background == low) | (background == high)
    full = np.where(background == high, low, high)
    tables = map(_stretch_table, background.tolist(), full.tolist())
    parts = zip(flat, tables, strict=True)
    data = b"".join([image.tobytes().translate(table) for image, table in parts])
    level = np.frombuffer(data, np.uint8).reshape(images.shape)
    mask = level > INK_THRESHOLD
    x0, x1, across = _spans(np.logical_or.reduce(mask, axis=1))
    y0, y1, down = _spans(np.logical_or.reduce(mask, axis=2))
    simple &= across & down
    simple &= np.maximum(x1 - x0, y1 - y0) >= least_digit_side(height, width)
    boxes = np.stack([y0, y1, x0, x1], axis=1).tolist()
    for i, (is_simple, (top, bottom, left, right)) in enumerate(
        zip(simple.tolist(), boxes, strict=True)
    ):
        yield level[i, top:bottom, left:right] if is_simple else None


def _spans(ink: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp], Mask]:
    """For each row of (N, L): first place with ink, last + 1, and True if all between have ink."""
    start, stop = ink.argmax(axis=1), ink.shape[1] - ink[:, ::-1].argmax(axis=1)
    return start, stop, np.count_nonzero(ink, axis=1) == stop - start


def clean_levels(pixels: Bytes) -> Bytes | None:
    """Ink levels, (H, W) uint8, of a clean image; None for an image that is not clean.

    Clean: the border is one value, or a part of it in a small image, and no pixel is darker, or
    none lighter, than that value. A colour image is clean if it is small and grey.
    """
    if pixels.ndim == 3:
        if max(pixels.shape) > SMALL_SIDE or (pixels != pixels[:, :, :1]).any():
            return None
        pixels = pixels[:, :, 0]
    height, width = pixels.shape
    if max(height, width) > ANALYSIS_SIDE:
        return None
    data = pixels.tobytes()
    border = data[:width] + data[-width:] + data[::width] + data[width - 1 :: width]
    low, high = int(pixels.min()), int(pixels.max())
    background = border[0]
    if border.count(background) != len(border):
        if max(height, width) > SMALL_SIDE:
            return None
        corners = bytes((data[0], data[width - 1], data[-width], data[-1]))
        background = _background_behind_border_ink(data, border, corners, low, high)
        if border.count(background) < MIN_BORDER_SHARE * len(border):
            return None
        if high - low < MIN_SPAN and data.count(background) < MIN_BACKGROUND_SHARE * len(data):
            return None
    if background != low and background != high:
        return None
    table = _stretch_table(background, low if background == high else high)
    return np.frombuffer(data.translate(table), np.uint8).reshape(height, width)


def _background_behind_border_ink(
    data: bytes, border: bytes, corners: bytes, low: int, high: int
) -> int:
    """The extreme that is the background: the one nearer to most of the pixels, of the border
    and of the corners, one vote each by their share."""
    middle = (low + high + 1) // 2
    bright = bytes(middle) + b"\1" * (256 - middle)
    shares = sum(sum(part.translate(bright)) / len(part) for part in (data, border, corners))
    return high if shares > 1.5 else low


@lru_cache(maxsize=1024)
def _stretch_table(background: int, full: int) -> bytes:
    """256 bytes, grey level -> ink level: 0 at the background, 255 at full ink, linear between.

    All 0 when the two are too close to be ink and background.
    """
    span = abs(full - background)
    if span < MIN_CONTRAST:
        return bytes(256)
    sign = 1 if full > background else -1
    return bytes(
        min(255, max(0, (sign * (v - background) * 510 + span) // (2 * span))) for v in range(256)
    )
