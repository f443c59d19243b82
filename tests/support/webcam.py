"""Webcam frames of handwritten digits, drawn: small, faint, noisy, JPEG, with known ink.

Every digit is drawn as a pen's path, in several hands, none of them from scikit-learn's digits.
`python -m tests.support.webcam [BUNDLE]` says how many are read right, and how many of blank ones
are left alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from edge_runtime import Classifier

Floats = NDArray[np.float64]
Path = list[tuple[float, float]]

FINE = 8
"""Drawn this much larger than the frame, then averaged."""

# Several hands a digit, each of paths of the pen in a box of height 1, from the top left. A path is
# a smooth curve through its points; corners are where two paths meet.
HANDS: dict[str, list[list[Path]]] = {
    "0": [
        [[(0.5, 0), (0.2, 0.15), (0.1, 0.5), (0.22, 0.87), (0.48, 1), (0.76, 0.85), (0.86, 0.48),
          (0.74, 0.12), (0.48, 0.01)]],
        [[(0.62, 0.04), (0.4, 0), (0.14, 0.22), (0.1, 0.62), (0.3, 0.98), (0.6, 0.94), (0.8, 0.6),
          (0.76, 0.2), (0.52, 0.0), (0.4, 0.1)]],
        [[(0.35, 0), (0.12, 0.3), (0.14, 0.75), (0.36, 1), (0.58, 0.76), (0.6, 0.28), (0.36, 0.0)]],
    ],
    "1": [
        [[(0.3, 0), (0.3, 0.5), (0.3, 1)]],
        [[(0.42, 0), (0.34, 0.5), (0.24, 1)]],
        [[(0.1, 0.26), (0.24, 0.14), (0.36, 0)], [(0.36, 0), (0.36, 0.5), (0.35, 1)]],
    ],
    "2": [
        [[(0.12, 0.24), (0.24, 0.05), (0.48, 0), (0.68, 0.12), (0.68, 0.34), (0.46, 0.62),
          (0.1, 0.98)], [(0.1, 0.98), (0.4, 0.98), (0.76, 0.97)]],
        [[(0.1, 0.18), (0.34, 0.0), (0.62, 0.1), (0.62, 0.38), (0.36, 0.76), (0.14, 0.96),
          (0.14, 0.82), (0.3, 0.82), (0.5, 0.96), (0.76, 0.92)]],
        [[(0.14, 0.08), (0.4, 0.0), (0.66, 0.16), (0.58, 0.5), (0.3, 0.8), (0.08, 1)],
         [(0.08, 1), (0.4, 0.95), (0.7, 1)]],
    ],
    "3": [
        [[(0.12, 0.12), (0.36, 0), (0.62, 0.1), (0.62, 0.32), (0.34, 0.46)],
         [(0.34, 0.46), (0.64, 0.56), (0.7, 0.8), (0.46, 0.99), (0.1, 0.92)]],
        [[(0.14, 0.06), (0.46, 0.02), (0.58, 0.2), (0.4, 0.42), (0.26, 0.47)],
         [(0.26, 0.47), (0.54, 0.54), (0.6, 0.76), (0.42, 0.98), (0.06, 0.9)]],
        [[(0.14, 0.02), (0.4, 0.02), (0.64, 0.02)], [(0.64, 0.02), (0.5, 0.2), (0.34, 0.4)],
         [(0.34, 0.4), (0.62, 0.48), (0.68, 0.74), (0.44, 0.99), (0.1, 0.9)]],
    ],
    "4": [
        [[(0.52, 0), (0.32, 0.34), (0.06, 0.64)], [(0.06, 0.64), (0.4, 0.64), (0.78, 0.62)],
         [(0.56, 0.38), (0.55, 0.7), (0.54, 1)]],
        [[(0.2, 0.02), (0.14, 0.28), (0.12, 0.52)], [(0.12, 0.52), (0.4, 0.52), (0.66, 0.5)],
         [(0.62, 0.04), (0.6, 0.5), (0.58, 1)]],
        [[(0.6, 0), (0.3, 0.32), (0.04, 0.6)], [(0.04, 0.6), (0.4, 0.62), (0.74, 0.58)],
         [(0.6, 0), (0.58, 0.5), (0.56, 1)]],
    ],
    "5": [
        [[(0.68, 0.02), (0.46, 0.02), (0.22, 0.03)], [(0.22, 0.03), (0.2, 0.22), (0.17, 0.42)],
         [(0.17, 0.42), (0.46, 0.36), (0.7, 0.54), (0.66, 0.84), (0.4, 1), (0.08, 0.9)]],
        [[(0.2, 0.06), (0.18, 0.26), (0.16, 0.46)], [(0.16, 0.46), (0.42, 0.42), (0.62, 0.6),
          (0.54, 0.9), (0.3, 1), (0.06, 0.92)], [(0.2, 0.06), (0.44, 0.04), (0.66, 0.0)]],
        [[(0.74, 0.0), (0.5, 0.03), (0.3, 0.05)], [(0.3, 0.05), (0.24, 0.24), (0.2, 0.44)],
         [(0.2, 0.44), (0.5, 0.42), (0.6, 0.66), (0.42, 0.94), (0.1, 1)]],
    ],
    "6": [
        [[(0.56, 0), (0.32, 0.2), (0.14, 0.52), (0.16, 0.84), (0.4, 1), (0.64, 0.86), (0.62, 0.62),
          (0.4, 0.52), (0.16, 0.68)]],
        [[(0.44, 0), (0.2, 0.3), (0.1, 0.64), (0.2, 0.94), (0.44, 0.98), (0.62, 0.8), (0.52, 0.58),
          (0.3, 0.58), (0.14, 0.76)]],
        [[(0.66, 0.06), (0.4, 0.06), (0.18, 0.34), (0.12, 0.7), (0.3, 0.98), (0.58, 0.94),
          (0.68, 0.7), (0.46, 0.52), (0.18, 0.64)]],
    ],
    "7": [
        [[(0.08, 0.03), (0.4, 0.03), (0.7, 0.02)], [(0.7, 0.02), (0.48, 0.48), (0.3, 1)]],
        [[(0.08, 0.06), (0.36, 0.06), (0.66, 0.02)], [(0.66, 0.02), (0.44, 0.46), (0.32, 1)],
         [(0.2, 0.52), (0.42, 0.5), (0.64, 0.47)]],
        [[(0.1, 0.1), (0.2, 0.02), (0.4, 0.07), (0.68, 0.0)], [(0.68, 0.0), (0.5, 0.4), (0.42, 1)]],
    ],
    "8": [
        [[(0.62, 0.12), (0.4, 0), (0.18, 0.12), (0.24, 0.34), (0.5, 0.52), (0.68, 0.76), (0.46, 1),
          (0.18, 0.88), (0.18, 0.66), (0.46, 0.44), (0.62, 0.24), (0.62, 0.12)]],
        [[(0.4, 0), (0.2, 0.14), (0.24, 0.38), (0.42, 0.46), (0.6, 0.34), (0.6, 0.12), (0.4, 0)],
         [(0.42, 0.46), (0.16, 0.6), (0.16, 0.88), (0.42, 1), (0.68, 0.86), (0.66, 0.6),
          (0.42, 0.46)]],
        [[(0.66, 0.04), (0.34, 0.02), (0.16, 0.2), (0.4, 0.46), (0.6, 0.7), (0.44, 0.98),
          (0.2, 0.86), (0.34, 0.54), (0.58, 0.26), (0.66, 0.04)]],
    ],
    "9": [
        [[(0.64, 0.2), (0.46, 0.02), (0.2, 0.12), (0.16, 0.36), (0.38, 0.5), (0.6, 0.36),
          (0.64, 0.2)], [(0.64, 0.2), (0.62, 0.6), (0.52, 1)]],
        [[(0.62, 0.1), (0.36, 0), (0.14, 0.2), (0.24, 0.44), (0.5, 0.42), (0.62, 0.1)],
         [(0.62, 0.1), (0.6, 0.56), (0.62, 1)]],
        [[(0.6, 0.14), (0.34, 0.02), (0.14, 0.22), (0.3, 0.46), (0.56, 0.34), (0.62, 0.14)],
         [(0.62, 0.14), (0.64, 0.54), (0.5, 0.92), (0.16, 0.96)]],
    ],
}  # fmt: skip


@dataclass(frozen=True)
class Frame:
    """A frame of a webcam.

    `label`: the digit, "" for blank paper; `jpeg`: the file; `pixels`: (H, W, 3) uint8, decoded;
    `ink`: (H, W), how much of each pixel the pen has covered, 0 to 1; `contrast`: grey levels
    between paper and full ink; `strip`: there is a dark strip along a side.
    """

    label: str
    jpeg: bytes
    pixels: NDArray[np.uint8]
    ink: Floats
    contrast: float
    strip: bool


def frames(count: int, seed: int = 0, blank: bool = False) -> Iterator[Frame]:
    """The digits in turn, or blank paper; always the same for the same seed."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        label = "" if blank else str(number % 10)
        height, width = ((32, 32), (32, 32), (32, 32), (48, 64))[number // 10 % 4]
        ink = _written(label, height, width, rng) if label else np.zeros((height, width))
        yield _photographed(label, ink, rng)


def _written(label: str, height: int, width: int, rng: np.random.Generator) -> Floats:
    """(height, width) from 0 to 1: the digit, 8 to 16 px tall, somewhere."""
    paths = HANDS[label][rng.integers(len(HANDS[label]))]
    tall, pen = rng.uniform(8, 16), rng.uniform(1, 2)
    slant, turn, narrow = rng.normal(0, 0.15), rng.normal(0, 0.07), rng.uniform(0.75, 1.15)
    wobble = rng.normal(0, 0.018, 2 * sum(map(len, paths))).reshape(-1, 2)
    points, curves = 0, []
    for path in paths:
        at = _curve(np.array(path) + wobble[points : points + len(path)])
        points += len(path)
        x, y = (at[:, 0] - 0.4) * narrow, at[:, 1] - 0.5
        x = x - slant * y
        curves.append(np.stack([x - turn * y, y + turn * x], axis=1) * tall)
    low, high = np.vstack(curves).min(axis=0), np.vstack(curves).max(axis=0)
    room = np.maximum(np.array([width, height]) - (high - low) - pen - 6, 0)
    start = pen / 2 + 3 + rng.uniform(0, 1, 2) * room - low
    fine = Image.new("L", (width * FINE, height * FINE))
    draw = ImageDraw.Draw(fine)
    for curve in curves:
        corners = [tuple(point) for point in ((curve + start) * FINE).tolist()]
        draw.line(corners, fill=255, width=round(pen * FINE), joint="curve")
        radius = pen * FINE / 2
        for x, y in (corners[0], corners[-1]):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(fine.reduce(FINE), float) / 255


def _curve(points: Floats) -> Floats:
    """Many points along the Catmull-Rom spline through these."""
    ends = np.vstack([2 * points[0] - points[1], points, 2 * points[-1] - points[-2]])
    t = np.linspace(0, 1, 12)[:, None]
    parts = []
    for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        bent = (2 * a - 5 * b + 4 * c - d) * t + (3 * b - a - 3 * c + d) * t * t
        parts.append(b + ((c - a) + bent) * t / 2)
    return np.vstack(parts)


def _photographed(label: str, ink: Floats, rng: np.random.Generator) -> Frame:
    """On paper, in its light, through the lens, the sensor and JPEG."""
    height, width = ink.shape
    contrast = rng.uniform(15, 40) if rng.random() < 0.6 else rng.uniform(40, 110)
    noise = rng.uniform(1, 6)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    angle, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0, 18)
    paper = rng.uniform(110, 225) + slope * (x * np.cos(angle) + y * np.sin(angle))
    tint = rng.normal(0, 8, 3) * (rng.random() < 0.6)
    pen = contrast * (1 + rng.normal(0, 0.15, 3) * (rng.random() < 0.5))
    uneven = 1 - 0.6 * rng.random() * _clouds(height, width, 3, rng)  # a pen that fails in places
    image = paper[..., None] + tint - pen * (ink * uneven)[..., None]
    strip = rng.random() < 0.3
    if strip:
        broad, lean = rng.uniform(1, 4), rng.normal(0, 0.04)
        from_edge = (
            np.arange(width) + lean * np.arange(height)[:, None]
            if rng.random() < 0.5
            else np.arange(height)[:, None] + lean * np.arange(width)
        )
        if rng.random() < 0.5:
            from_edge = from_edge[::-1, ::-1]
        image *= (1 - rng.uniform(0.2, 0.8) * np.clip(broad - from_edge + 0.5, 0, 1))[..., None]
    blurred = Image.fromarray(np.clip(np.rint(image), 0, 255).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(rng.uniform(0.2, 0.6))
    )
    seen = np.asarray(blurred, float)
    shot = np.sqrt(np.maximum(seen, 1) / 180)  # more photons, more noise
    grain = rng.normal(0, 1, (height, width, 1)) * 0.8 + rng.normal(0, 1, (height, width, 3)) * 0.6
    sensed = np.clip(np.rint(seen + noise * shot * grain), 0, 255).astype(np.uint8)
    file = BytesIO()
    Image.fromarray(sensed).save(file, "JPEG", quality=int(rng.integers(40, 91)))
    pixels = np.asarray(Image.open(file).convert("RGB"))
    return Frame(label, file.getvalue(), pixels, ink, contrast, strip)


def _clouds(height: int, width: int, size: float, rng: np.random.Generator) -> Floats:
    """(height, width) from 0 to 1, smooth over about `size` px."""
    coarse = rng.uniform(0, 255, (max(2, int(height / size)), max(2, int(width / size))))
    small = Image.fromarray(coarse.astype(np.uint8))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC), float) / 255


def box_of(ink: Floats) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the pixels of which the pen has covered a third."""
    rows, cols = np.nonzero(ink > 1 / 3)
    return int(cols.min()), int(rows.min()), int(cols.max()) + 1, int(rows.max()) + 1


def main() -> None:
    """Print how a bundle reads 500 frames, and how many of 500 blank ones it leaves alone."""
    classifier = Classifier(*sys.argv[1:2], min_score="recommended")
    drawn = list(frames(500, seed=0))
    read = [each.label for each in classifier.predict_batch([frame.pixels for frame in drawn])]
    right = sum(frame.label == label for frame, label in zip(drawn, read, strict=True))
    print(f"{right / 5} % read right, {read.count('unknown') / 5} % unknown")
    blank = classifier.predict_batch([frame.pixels for frame in frames(500, seed=1, blank=True)])
    print(f"{sum(each.label == 'unknown' for each in blank) / 5} % of blank frames unknown")


if __name__ == "__main__":
    main()
