"""A class activation map drawn over its image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LEAST_SIDE, MOST_SIDE = 320, 1024
"""px, the longer side of the picture: smaller images are enlarged by a whole factor, larger ones
reduced."""
_RAMP = np.array(
    [(38, 12, 90), (125, 20, 122), (204, 52, 92), (245, 124, 43), (250, 214, 80)], np.float32
)
"""Colours from the weakest to the strongest. Their lightness in CIELAB rises in even steps, from 12
to 87, so that it can be read without telling colours apart."""
_OPAQUE = 0.75
"""How much of the image the strongest place hides."""
_SMOOTH = 0.5
"""Between places the map is a mean of them, weighted by a normal distribution of that deviation, in
places: less shows their edges, more blurs them."""


Box = tuple[float, float, float, float]
Floats = NDArray[np.float32]
Picture = Image.Image


def overlay(pixels: NDArray[np.uint8], map: Floats, map_box: Box, seen: Box) -> Picture:
    """The image (H, W) or (H, W, 3) in RGB, coloured where the map (h, w) is above 0.

    map_box, seen: left, top, right and bottom of the map, and of what the model saw, in pixels of
    the image. The strongest place has the lightest colour, and hides most of the image.
    """
    image = Image.fromarray(pixels).convert("RGB")
    wide, high = _size(image.width, image.height)
    image = image.resize((wide, high), Image.Resampling.NEAREST if wide > image.width else None)
    across = (np.arange(wide) + 0.5) * pixels.shape[1] / wide
    down = (np.arange(high) + 0.5) * pixels.shape[0] / high
    over = _weights(down, map_box[1], map_box[3], len(map), seen[1], seen[3])
    along = _weights(across, map_box[0], map_box[2], map.shape[1], seen[0], seen[2])
    strength = np.clip(over @ map @ along.T / max(float(map.max()), 1e-12), 0, 1)
    levels = np.linspace(0, 1, len(_RAMP))
    colours = np.stack([np.interp(strength, levels, channel) for channel in _RAMP.T], axis=2)
    alpha = _OPAQUE * strength[..., None]
    mixed = np.asarray(image, np.float32) * (1 - alpha) + colours * alpha
    return Image.fromarray(np.rint(mixed).astype(np.uint8))


def _weights(
    points: NDArray[np.float64], start: float, end: float, places: int, first: float, last: float
) -> Floats:
    """(points, places): what each place of the map, from start to end, counts at points of an axis.

    The weights of a point add up to 1, to 0 outside of first to last, where the model saw nothing.
    """
    middles = start + (np.arange(places) + 0.5) * (end - start) / places
    distances = (points[:, None] - middles) * places / (end - start)
    nearest = np.abs(distances).min(axis=1, keepdims=True)
    weights = np.exp((nearest**2 - distances**2) / (2 * _SMOOTH**2))
    weights /= weights.sum(axis=1, keepdims=True)
    weights *= ((first <= points) & (points <= last))[:, None]
    rounded: Floats = weights.astype(np.float32)
    return rounded


def _size(wide: int, high: int) -> tuple[int, int]:
    """Width and height of the picture of an image."""
    longer = max(wide, high)
    if longer > MOST_SIDE:
        scale = MOST_SIDE / longer
        return max(1, round(wide * scale)), max(1, round(high * scale))
    factor = -(-LEAST_SIDE // longer)
    return wide * factor, high * factor
