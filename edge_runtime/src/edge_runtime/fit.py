"""From the ink of an image to the model's input tensor: one box, one resampling.

Training draws its digits through the same function, so that the network never sees an ink that
the device would have placed otherwise.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_NO_MARGINS = (0.0, 0.0, 0.0, 0.0)


def fit_ink(
    ink: NDArray[Any],
    side: int,
    max_stretch: float,
    spread: float,
    reach: float,
    margins: tuple[float, float, float, float] = _NO_MARGINS,
) -> NDArray[np.uint8]:
    """Resample (h, w) ink, uint8 or float32 with 0 as ground, into (side, side) uint8.

    Along each axis the box lies between the edges of the crop and `reach` standard deviations
    around the ink's centroid; `spread`, in [0, 1], is the weight of the second, which a long
    thin stroke moves less. The box fills the tensor, but its shorter side is stretched by at
    most `max_stretch` (>= 1) beyond the longer one's scale, and centred. The strongest cell
    becomes 255. `margins` (top, bottom, left, right) widen the box by shares of its longer
    side, for training.
    """
    stack = ink.astype(np.float32)
    height, width = stack.shape
    down, across = _powers(height), _powers(width)
    moments = (down.T @ (stack @ across)).tolist()
    total = max(moments[0][0], 1e-6)
    top, bottom = _ends(height, moments[1][0] / total, moments[2][0] / total, spread, reach)
    left, right = _ends(width, moments[0][1] / total, moments[0][2] / total, spread, reach)
    longer = max(bottom - top, right - left)
    top, left = top - margins[0] * longer, left - margins[2] * longer
    tall = max(bottom + margins[1] * longer - top, 2.0)
    wide = max(right + margins[3] * longer - left, 2.0)
    rows = _weights(height, top, tall, min(1.0, max_stretch * tall / wide), side)
    columns = _weights(width, left, wide, min(1.0, max_stretch * wide / tall), side)
    cells = rows @ stack @ columns.T
    scaled = cells * np.float32(255 / max(float(cells.max()), 1e-6)) + np.float32(0.5)
    return scaled.astype(np.uint8)


@lru_cache(maxsize=512)
def _powers(pixels: int) -> Floats:
    """(pixels, 3): powers 0, 1 and 2 of each pixel's distance from the middle of the axis."""
    place = np.arange(pixels, dtype=np.float32) + 0.5 - pixels / 2
    return np.stack([np.ones_like(place), place, place * place], axis=1)


def _ends(
    pixels: int, mean: float, square: float, spread: float, reach: float
) -> tuple[float, float]:
    """Both ends of the box along one axis, in pixels from the start of the crop."""
    deviation = max(square - mean * mean, 1 / 12) ** 0.5
    centre = spread * (mean + pixels / 2)
    half = spread * reach * deviation
    return centre - half, (1 - spread) * pixels + centre + half


def _weights(pixels: int, start: float, length: float, share: float, side: int) -> Floats:
    """(side, pixels) weights that average `length` pixels into the middle `share` of the cells.

    Each cell averages the pixels that it covers; when it covers less than one, one is averaged,
    which is linear interpolation. Cells beyond the box still show the ink that lies there.
    """
    step = length / (side * share)
    half = max(step, 1.0) / 2
    centres = _cells(side) * np.float32(step) + np.float32(start + length / 2)
    bounds = np.stack([centres + np.float32(half), centres - np.float32(half)])
    covered = np.minimum(np.maximum(bounds[:, :, None] - _edges(pixels), 0), 1)
    weights: Floats = (covered[0] - covered[1]) * np.float32(0.5 / half)
    return weights


@lru_cache(maxsize=16)
def _cells(side: int) -> Floats:
    """(side,) centres of the cells, from the middle of the tensor."""
    return np.arange(side, dtype=np.float32) + 0.5 - side / 2


@lru_cache(maxsize=512)
def _edges(pixels: int) -> Floats:
    """(pixels,) where each pixel begins."""
    return np.arange(pixels, dtype=np.float32)
