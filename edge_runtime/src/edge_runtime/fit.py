"""Tight ink crop -> network input. Training digits and device crops share this code."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIDE = 16  # tensor height and width
MAX_STRETCH = 2.0  # how far a narrow (or flat) crop may be stretched towards a square

DESLANT = 0.0  # share of the measured slant which is taken out
MAX_SLANT = 0.8  # largest shear applied
EDGE = 0.35  # ink this share of the brightest counts for the width

Floats = NDArray[np.float32]


def _overlaps(centres: Floats, step: Floats, low: Floats, high: Floats, pixels: int) -> Floats:
    """Weights (..., cells, pixels) averaging the source over `step` pixels around each centre.

    When magnifying, the interval averaged stays one pixel wide: exactly linear interpolation.
    """
    half = np.maximum(step, 1) / 2
    edges = np.arange(pixels, dtype=np.float32)
    left = np.clip(centres - half, low, high)[..., None] - edges
    right = np.clip(centres + half, low, high)[..., None] - edges
    weights = np.clip(right, 0, 1) - np.clip(left, 0, 1)
    return weights / (2 * half)[..., None]


def slants(ink: Floats) -> tuple[Floats, Floats]:
    """Slant dx/dy of each (N, h, w) image by its second moments, and its mean row."""
    _, rows, columns = ink.shape
    y = np.arange(rows, dtype=np.float32) + 0.5
    x = np.arange(columns, dtype=np.float32) + 0.5
    weight = ink.sum(2)
    total = np.maximum(weight.sum(1, keepdims=True), 1e-6)
    mean_y = weight @ y[:, None] / total
    across = ink @ x
    mean_x = across.sum(1, keepdims=True) / total
    dy = y - mean_y
    covariance = (dy * (across - mean_x * weight)).sum(1)
    variance = np.maximum((dy * dy * weight).sum(1), 1e-6)
    return covariance / variance, mean_y[:, 0]


def fit_ink(
    ink: NDArray[np.generic],
    boxes: Floats | None = None,
    margins: Floats | None = None,
    side: int = SIDE,
    max_stretch: float = MAX_STRETCH,
    deslant: float | None = None,
    max_slant: float = MAX_SLANT,
) -> NDArray[np.uint8]:
    """Resample ink (N, h, w), bright on 0, into (N, side, side) uint8.

    The image is sheared upright by its second moments and its ink stretched to fill the
    tensor, a narrow or flat one by `max_stretch` at most and centred; the brightest cell
    becomes 255. `boxes` holds (top, left, height, width) per image, by default the whole
    image; `margins` (N, 4) widens each side, as shares of the longer one (for training).
    """
    deslant = DESLANT if deslant is None else deslant
    stack = np.asarray(ink, dtype=np.float32)
    count, rows, columns = stack.shape
    if boxes is None:
        boxes = np.tile(np.float32([0, 0, rows, columns]), (count, 1))
    top, _, height, width = boxes.T
    slant, mean_y = slants(stack)
    slant = np.clip(deslant * slant, -max_slant, max_slant)
    place = np.arange(side, dtype=np.float32) + 0.5 - side / 2

    extra = np.zeros((count, 4), np.float32) if margins is None else margins
    longer = np.maximum(height, width)
    top = top - extra[:, 0] * longer
    height = np.maximum(height + (extra[:, 0] + extra[:, 1]) * longer, 2)
    step = (height / (side * np.minimum(1, max_stretch * height / width)))[:, None]
    centres = place * step + (top + height / 2)[:, None]
    low = np.maximum(top, 0)[:, None]
    bands = _overlaps(centres, step, low, (top + height)[:, None], rows) @ stack

    shift = slant[:, None] * (centres - mean_y[:, None])
    peak = np.maximum(bands.max((1, 2), keepdims=True), 1e-6)
    seen = bands > EDGE * peak
    lit = seen.any(2)
    first = np.where(lit, seen.argmax(2) - shift, np.inf).min(1)
    last = np.where(lit, columns - seen[:, :, ::-1].argmax(2) - shift, -np.inf).max(1)
    left = first - extra[:, 2] * longer
    width = np.maximum(last - first + (extra[:, 2] + extra[:, 3]) * longer, 2)
    step = (width / (side * np.minimum(1, max_stretch * width / height)))[:, None, None]
    centres = place * step + (left + width / 2)[:, None, None] + shift[:, :, None]
    half = np.maximum(step, 1) / 2
    low = (left[:, None] + shift)[:, :, None]
    high = low + width[:, None, None]
    # averages by differences of running sums, read between pixels by linear interpolation
    sums = np.zeros((count, side, columns + 2), np.float32)
    np.cumsum(bands, axis=2, out=sums[:, :, 1:-1])
    sums[:, :, -1] = sums[:, :, -2]
    flat = sums.reshape(-1)
    line = (np.arange(count * side, dtype=np.int32) * (columns + 2)).reshape(count, side, 1)

    def running(x: Floats) -> Floats:
        x = np.clip(np.clip(x, low, high), 0, columns)
        whole = x.astype(np.int32)
        index = line + whole
        before = flat[index]
        return before + (x - whole) * (flat[index + 1] - before)

    cells = (running(centres + half) - running(centres - half)) / (2 * half)
    peak = np.maximum(cells.max((1, 2), keepdims=True), 1e-6)
    return (cells * (255 / peak) + 0.5).astype(np.uint8)
