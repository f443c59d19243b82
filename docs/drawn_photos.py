"""Photos of handwritten digits, drawn from scikit-learn's 8x8 digits, with known boxes.

For the pictures and the measurements of docs/preprocessing.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from sklearn.datasets import load_digits

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]

CONDITIONS = (
    "even light",
    "uneven light",
    "edge of a shadow",
    "tight crop",
    "faint pencil",
    "light on dark",
    "blue ink on cream",
    "ruled line",
    "neighbour at the edge",
    "dust",
    "small in a large photo",
)
BLANKS = ("blank page", "blank page with a shadow", "blank page of coarse grain")


@dataclass(frozen=True)
class Photo:
    """`pixels` (H, W, 3) uint8; `box` of the digit: left, top, right, bottom; None if blank."""

    pixels: Bytes
    box: tuple[int, int, int, int] | None


@lru_cache(maxsize=1)
def _digits() -> Bytes:
    """(1797, 8, 8) uint8, 0 to 254."""
    digits: Bytes = (load_digits().images * 15.9).astype(np.uint8)
    return digits


def ink_of(digit: int, height: int) -> Floats:
    """Enlarge scikit-learn's digit of that index: (height, w) from 0 = paper to 1 = ink, tight."""
    small = Image.fromarray(_digits()[digit])
    large = small.resize((2 * height, 2 * height), Image.Resampling.BICUBIC)
    rows, cols = np.nonzero(np.asarray(large) > 135)
    tight = (int(cols.min()), int(rows.min()), int(cols.max()) + 1, int(rows.max()) + 1)
    width = max(2, round(height * (tight[2] - tight[0]) / (tight[3] - tight[1])))
    ink = np.asarray(large.resize((width, height), Image.Resampling.BILINEAR, box=tight), float)
    return np.clip((ink / 255 - 0.4) / 0.35, 0, 1)


def draw(condition: str, digit: int, seed: int) -> Photo:
    """Draw a photo in one of CONDITIONS or BLANKS, always the same for the same arguments."""
    rng = np.random.default_rng(seed)
    height = int(rng.integers(70, 120))
    ink = ink_of(digit, height)
    margins = rng.integers(25, 70, 4)
    if condition == "tight crop":
        margins[:] = 0
    elif condition == "small in a large photo":
        margins = rng.integers(250, 600, 4)
    top, bottom, left, right = (int(margin) for margin in margins)
    box = (left, top, left + ink.shape[1], top + ink.shape[0])
    ink = np.pad(ink, ((top, bottom), (left, right)))
    blank = condition in BLANKS
    if blank:
        ink[:] = 0
    height, width = ink.shape
    y, x = np.mgrid[:height, :width] / max(height, width)
    paper, pen = np.full(3, rng.uniform(200, 245)), np.full(3, rng.uniform(30, 90))
    if condition == "faint pencil":
        pen = paper - 55
    elif condition == "light on dark":
        paper, pen = pen, paper
    elif condition == "blue ink on cream":
        paper, pen = np.array([245.0, 236, 208]), np.array([60.0, 80, 160])
    image = paper * (1 - ink[..., None]) + pen * ink[..., None]
    if condition == "dust":
        for _ in range(8):
            row, col = rng.integers(0, height - 3), rng.integers(0, width - 3)
            if not ink[max(0, row - 4) : row + 7, max(0, col - 4) : col + 7].any():
                image[row : row + 3, col : col + 3] = pen
    elif condition == "neighbour at the edge":
        image[top : top + 60, : max(4, left // 5)] = pen
    elif "ruled line" in condition:
        row = min(height - 8, box[3] + 6)
        image[row : row + 3] = 0.5 * paper + 0.5 * pen
    light = np.ones((height, width))
    if condition != "even light":
        lamp = rng.uniform(0, 1, 2)
        light -= rng.uniform(0.15, 0.5) * ((y - lamp[0]) ** 2 + (x - lamp[1]) ** 2)
    if "shadow" in condition:
        light *= np.where(x + 0.4 * y < rng.uniform(0.35, 0.7), rng.uniform(0.55, 0.7), 1)
    image = image * light[..., None] + rng.normal(0, rng.uniform(2, 6), image.shape)
    if "grain" in condition:
        grain = Image.fromarray(rng.integers(0, 256, (height, width), np.uint8))
        smooth = np.asarray(grain.filter(ImageFilter.BoxBlur(2)), float)
        image += smooth[..., None] - smooth.mean()
    pixels = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    return Photo(pixels, None if blank else box)
