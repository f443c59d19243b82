"""From the ink of images to the model's input tensors: one box, one resampling.

The box of an ink is a mean of its edges and of its standard deviations around the centroid (image
moments, Hu 1962). A box filter resamples it to the tensor. Training draws its digits through the
same function, so that the network sees no ink that the device would have placed otherwise.

How strong each rule is (`max_stretch`, `spread`, `reach`) is the model's choice and stands in the
bundle's manifest.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .types import Floats

Margins = tuple[float, float, float, float]

_PAD_MULTIPLE = 16
"""px, inks are padded to squares of a multiple of it, so that those of about a size go together."""
_BATCH = 64
"""Inks of a padded size that are resampled at once: what fits the processor's cache."""
_PIXEL_VARIANCE = 1 / 12
"""px^2, the variance of a single pixel's width, the least that an ink can have."""
_MIN_BOX_SIDE = 2.0
"""px, so that the box of a dot or hairline has an extent."""
_ZERO, _HALF, _ONE, _FULL, _FAINT = (np.float32(value) for value in (0, 0.5, 1, 255, 1e-6))


def fit_ink(
    inks: Sequence[NDArray[Any]],
    side: int,
    max_stretch: float,
    spread: float,
    reach: float,
    margins: Sequence[Margins] | None = None,
) -> NDArray[np.uint8]:
    """Resample inks, each (h, w) uint8 or float32 with 0 as background, to (N, side, side) uint8.

    Along each axis the box is a weighted mean of two: the edges of the crop, and `reach` standard
    deviations each way from the ink's centroid. `spread`, in [0, 1], is the weight of the second,
    which a long thin stroke moves less. The box fills the tensor, but its shorter side is
    stretched by at most `max_stretch` (>= 1) beyond the longer one's scale, and centred. The
    strongest cell becomes 255. `margins` (top, bottom, left, right) widen each box by shares of
    its longer side, for training. The tensor of an ink does not depend on those beside it.
    """
    tensors = np.empty((len(inks), side, side), np.uint8)
    by_size: dict[int, list[int]] = {}
    for i, ink in enumerate(inks):
        by_size.setdefault(-(-max(ink.shape) // _PAD_MULTIPLE) * _PAD_MULTIPLE, []).append(i)
    for pixels, members in by_size.items():
        for start in range(0, len(members), _BATCH):
            batch = members[start : start + _BATCH]
            stack = np.zeros((len(batch), pixels, pixels), np.float32)
            for place, i in enumerate(batch):
                height, width = inks[i].shape
                stack[place, :height, :width] = inks[i]
            powers = _powers(pixels)
            moments = (powers.T @ (stack @ powers)).tolist()
            boxes = [
                _box(inks[i].shape, pixels, sums, spread, reach, margins[i] if margins else None)
                for sums, i in zip(moments, batch, strict=True)
            ]
            resampled = _resample(stack, boxes, side, max_stretch)
            if len(batch) == len(inks):
                return resampled
            tensors[batch] = resampled
    return tensors


def fitted_box(
    ink: NDArray[Any], side: int, max_stretch: float, spread: float, reach: float
) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what `fit_ink` shows of one ink (h, w), in its pixels; parts
    of it may lie outside the ink.
    """
    pixels = -(-max(ink.shape) // _PAD_MULTIPLE) * _PAD_MULTIPLE
    padded = np.zeros((pixels, pixels), np.float32)
    padded[: ink.shape[0], : ink.shape[1]] = ink
    moments = (_powers(pixels).T @ (padded @ _powers(pixels))).tolist()
    down, tall, across, wide = _box(ink.shape, pixels, moments, spread, reach, None)
    of_height, of_width = _fills(tall, wide, max_stretch)
    half_high, half_wide = tall / of_height / 2, wide / of_width / 2
    return across - half_wide, down - half_high, across + half_wide, down + half_high


def _fills(tall: float, wide: float, max_stretch: float) -> tuple[float, float]:
    """The shares of the tensor's height and width that the box fills: one is less than 1 where it
    would be stretched too far.
    """
    return min(1.0, max_stretch * tall / wide), min(1.0, max_stretch * wide / tall)


def _box(
    shape: Sequence[int],
    pixels: int,
    moments: Sequence[Sequence[float]],
    spread: float,
    reach: float,
    margins: Margins | None,
) -> tuple[float, float, float, float]:
    """The box of one ink: centre and length down, centre and length across, in pixels.

    moments: (3, 3), the sums of ink * y^i * x^j around the middle of the padded square.
    """
    (total, x, xx), (y, _, _), (yy, _, _) = moments
    if total < 1e-6:
        total = 1e-6
    top, bottom = _ends(shape[0], pixels, y / total, yy / total, spread, reach)
    left, right = _ends(shape[1], pixels, x / total, xx / total, spread, reach)
    if margins:
        longer = max(bottom - top, right - left)
        top, bottom = top - margins[0] * longer, bottom + margins[1] * longer
        left, right = left - margins[2] * longer, right + margins[3] * longer
    tall, wide = bottom - top, right - left
    if tall < _MIN_BOX_SIDE:
        tall = _MIN_BOX_SIDE
    if wide < _MIN_BOX_SIDE:
        wide = _MIN_BOX_SIDE
    return top + tall / 2, tall, left + wide / 2, wide


def _ends(
    size: int, pixels: int, mean: float, square: float, spread: float, reach: float
) -> tuple[float, float]:
    """Both ends of the box along one axis, in pixels from the start of the crop."""
    variance = square - mean * mean
    deviation = variance**0.5 if variance > _PIXEL_VARIANCE else _PIXEL_VARIANCE**0.5
    centre = spread * (mean + pixels / 2)
    half = spread * reach * deviation
    return centre - half, (1 - spread) * size + centre + half


def _resample(
    stack: Floats,
    boxes: Sequence[tuple[float, float, float, float]],
    side: int,
    max_stretch: float,
) -> NDArray[np.uint8]:
    """Resample the boxes of (N, pixels, pixels) inks to (N, side, side) uint8.

    A box filter, separately down and across: each cell averages the pixels that it covers. A cell
    that covers less than a pixel averages a whole one around it, which is linear interpolation.
    Cells beyond the box still show the ink that lies there.
    """
    centres, sizes, halves = [], [], []
    for down, tall, across, wide in boxes:
        of_height, of_width = _fills(tall, wide, max_stretch)
        high, broad = tall / side / of_height, wide / side / of_width
        centres += [down, across]
        sizes += [high, broad]
        halves += [max(high, 1.0) / 2, max(broad, 1.0) / 2]
    flat = [*centres, *sizes, *halves, *[-half for half in halves]]
    numbers = np.array(flat, np.float32).reshape(4, -1, 1, 1)  # an image's axes one after the other
    cells = _cells(side) * numbers[1]
    cells += numbers[0]
    covered = (cells + numbers[2:]) - _edges(stack.shape[1])
    covered.clip(_ZERO, _ONE, covered)
    weights = covered[0]
    weights -= covered[1]
    weights *= _HALF / numbers[2]
    if len(stack) == 1:  # the same in fewer steps
        level = (weights[0] @ stack[0] @ weights[1].T)[None]
        level *= _FULL / max(np.maximum.reduce(level, axis=None), _FAINT)
    else:
        level = weights[::2] @ stack @ weights[1::2].transpose(0, 2, 1)
        strongest = np.maximum.reduce(level, axis=(1, 2), keepdims=True)
        level *= _FULL / np.maximum(strongest, _FAINT)
    level += _HALF
    tensors: NDArray[np.uint8] = level.astype(np.uint8)
    return tensors


@lru_cache(maxsize=64)
def _powers(pixels: int) -> Floats:
    """(pixels, 3): powers 0, 1 and 2 of each pixel's distance from the middle of the axis, for the
    moments."""
    place = np.arange(pixels, dtype=np.float32) + 0.5 - pixels / 2
    return np.stack([np.ones_like(place), place, place * place], axis=1)


@lru_cache(maxsize=16)
def _cells(side: int) -> Floats:
    """(side, 1) centres of the cells, from the middle of the tensor."""
    return (np.arange(side, dtype=np.float32) + 0.5 - side / 2)[:, None]


@lru_cache(maxsize=64)
def _edges(pixels: int) -> Floats:
    """(pixels,) where each pixel begins."""
    return np.arange(pixels, dtype=np.float32)
