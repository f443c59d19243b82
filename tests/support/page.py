"""What the tests of the page share: digits as pen strokes, and photos of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from edge_runtime.web.server import LIBRARY, PAGE

Stroke = list[tuple[float, float]]

VENDORED = (PAGE / LIBRARY).is_dir()
NEEDS_LIBRARY = "needs onnxruntime-web in the page: make page"

# From the top left of a square of side 1.
STROKES: dict[str, list[Stroke]] = {
    "0": [
        [(0.5 - 0.22 * np.sin(a), 0.5 - 0.32 * np.cos(a)) for a in np.linspace(0, 2 * np.pi, 24)]
    ],
    "1": [[(0.5, 0.18), (0.5, 0.82)]],
    "2": [
        [
            *((0.3, 0.32), (0.36, 0.22), (0.48, 0.17), (0.61, 0.2), (0.68, 0.3), (0.66, 0.42)),
            *((0.56, 0.55), (0.42, 0.69), (0.29, 0.81), (0.5, 0.81), (0.72, 0.81)),
        ]
    ],
    "3": [
        [
            *((0.31, 0.24), (0.42, 0.17), (0.56, 0.18), (0.65, 0.27), (0.62, 0.4), (0.48, 0.47)),
            *((0.63, 0.53), (0.69, 0.66), (0.62, 0.78), (0.47, 0.83), (0.3, 0.77)),
        ]
    ],
    "4": [
        [(0.56, 0.16), (0.42, 0.38), (0.27, 0.6), (0.5, 0.6), (0.76, 0.6)],
        [(0.6, 0.38), (0.6, 0.62), (0.6, 0.85)],
    ],
    "5": [
        [
            *((0.68, 0.18), (0.36, 0.18), (0.34, 0.46), (0.48, 0.42), (0.62, 0.47), (0.69, 0.6)),
            *((0.64, 0.74), (0.5, 0.82), (0.31, 0.77)),
        ]
    ],
    "6": [
        [
            *((0.6, 0.16), (0.46, 0.28), (0.36, 0.46), (0.33, 0.63), (0.38, 0.76), (0.5, 0.82)),
            *((0.63, 0.76), (0.67, 0.64), (0.6, 0.53), (0.48, 0.52), (0.36, 0.6)),
        ]
    ],
    "7": [[(0.27, 0.2), (0.72, 0.2), (0.6, 0.44), (0.5, 0.64), (0.42, 0.84)]],
    "8": [
        [
            *((0.5, 0.48), (0.36, 0.38), (0.37, 0.24), (0.5, 0.17), (0.63, 0.24), (0.63, 0.37)),
            *((0.5, 0.48), (0.35, 0.59), (0.34, 0.74), (0.5, 0.83), (0.66, 0.74), (0.65, 0.59)),
            *((0.5, 0.48),),
        ]
    ],
    "9": [
        [
            *((0.66, 0.32), (0.58, 0.19), (0.45, 0.17), (0.34, 0.27), (0.36, 0.41), (0.48, 0.48)),
            *((0.6, 0.43), (0.66, 0.32), (0.65, 0.55), (0.6, 0.83)),
        ]
    ],
}


def photos(count: int, seed: int = 0) -> Iterator[NDArray[np.uint8]]:
    """Digits on paper, (H, W) or (H, W, 3) uint8: uneven light, noise, shadows, ruled lines, tight
    crops, small digits in large images, light ink on dark, and a few without any digit."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        height, width = rng.integers(60, 420, 2).tolist()
        share = rng.uniform(0.25, 0.95)
        side = round(min(height, width) * share)
        left, top = rng.integers(0, (width - side + 1, height - side + 1)).tolist()
        ink = Image.new("L", (width, height))
        if number % 20 != 19:
            pen = ImageDraw.Draw(ink)
            thick = max(2, round(side * rng.uniform(0.05, 0.12)))
            for stroke in STROKES[str(number % 10)]:
                points = [(left + x * side, top + y * side) for x, y in stroke]
                pen.line(points, fill=255, width=thick, joint="curve")
        level = np.asarray(ink, dtype=np.float32)[..., None] / 255
        y, x = np.mgrid[:height, :width].astype(np.float32) / max(height, width)
        lamp = rng.uniform(0, 1, 2)
        light = 1 - rng.uniform(0, 0.5) * ((y - lamp[0]) ** 2 + (x - lamp[1]) ** 2)
        if number % 5 == 1:  # a shadow across
            light *= np.where(x + 0.3 * y < rng.uniform(0.2, 0.7), 0.6, 1)
        paper, pen_colour = rng.uniform((190, 185, 170), 255), rng.uniform(20, 110, 3)
        image = (paper * (1 - level) + pen_colour * level) * light[..., None]
        if number % 7 == 2:  # a ruled line
            image[height // 2 : height // 2 + 2] *= 0.6
        if number % 3:
            image += rng.normal(0, rng.uniform(1, 6), image.shape)
        pixels = np.clip(np.rint(image), 0, 255).astype(np.uint8)
        if number % 4 == 3:
            pixels = 255 - pixels
        yield np.ascontiguousarray(pixels[..., 0]) if number % 2 else pixels


def scenery(width: int, height: int, seed: int) -> NDArray[np.uint8]:
    """A photo of things, (height, width, 3) uint8: structure of every size, as of leaves or rocks,
    down to 1/96 of the image."""
    rng = np.random.default_rng(seed)
    image = np.zeros((height, width, 3))
    for cells, strength in ((3, 40), (6, 36), (12, 32), (24, 30), (48, 28), (96, 26)):
        colours = rng.normal(128, 40, (cells, cells, 1)) + rng.normal(0, 12, (cells, cells, 3))
        spots = Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8))
        enlarged = spots.resize((width, height), Image.Resampling.BICUBIC)
        image += (np.asarray(enlarged, dtype=float) - 128) * strength / 40
    return np.clip(np.rint(image * 1.2 + 120), 0, 255).astype(np.uint8)
