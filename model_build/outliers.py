"""Generated non-digits, which the network learns to doubt (outlier exposure, Hendrycks 2019)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .augment import CANVAS, Settings, StrokeDigits, draw, sigmoid, spoil
from .strokes import Floats, Strokes, pen_levels

TURNED = (1, 2, 3, 4, 5, 7)  # no digits any more after a quarter turn
MIRRORED = (3, 4, 6, 7, 9)  # no digits any more in a mirror


def _pick(
    labels: NDArray[np.integer], among: tuple[int, ...], count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    return rng.choice(np.flatnonzero(np.isin(labels, among)), count)


def _pens(count: int, settings: Settings, rng: np.random.Generator) -> Floats:
    return rng.uniform(*settings.pen, count).astype(np.float32)


def turned_digits(
    strokes: Strokes,
    labels: NDArray[np.integer],
    count: int,
    settings: Settings,
    rng: np.random.Generator,
) -> Floats:
    """Canvases of digits turned by a quarter or mirrored."""
    half = count // 2
    quarter = strokes.take(_pick(labels, TURNED, half, rng))
    mirror = strokes.take(_pick(labels, MIRRORED, count - half, rng))
    levels = np.concatenate(
        [
            pen_levels(quarter, _pens(half, settings, rng), rng).transpose(0, 2, 1)[:, ::-1],
            pen_levels(mirror, _pens(count - half, settings, rng), rng)[:, :, ::-1],
        ]
    )
    widths = np.exp(rng.normal(0, settings.stretch, count))
    widths[:half] *= 1.3
    return draw(np.ascontiguousarray(levels), widths, settings, rng)


def pairs(
    strokes: Strokes,
    labels: NDArray[np.integer],
    count: int,
    settings: Settings,
    rng: np.random.Generator,
) -> Floats:
    """Canvases of two different digits side by side or across each other."""
    first = rng.integers(0, len(labels), count)
    second = rng.integers(0, len(labels), count)
    second = np.where(labels[first] == labels[second], (second + 1) % len(labels), second)
    left = pen_levels(strokes.take(first), _pens(count, settings, rng), rng)
    right = pen_levels(strokes.take(second), _pens(count, settings, rng), rng)
    drawn = []
    for levels, side in ((left, -1), (right, 1)):
        shift = side * np.where(
            rng.random(count) < 0.6, rng.uniform(8, 11, count), rng.uniform(2, 4, count)
        )
        canvas = draw(levels, np.full(count, 0.75), settings, rng)
        columns = (np.arange(CANVAS)[None] - np.rint(shift).astype(int)[:, None]) % CANVAS
        drawn.append(np.take_along_axis(canvas, columns[:, None, :], 2))
    return np.maximum(drawn[0], drawn[1])


def segments(count: int, settings: Settings, rng: np.random.Generator, most: int = 6) -> Floats:
    """Canvases of three to `most` straight strokes, half of them chained."""
    ends = rng.uniform(5, CANVAS - 5, (count, most, 2, 2)).astype(np.float32)
    chained = rng.random((count, most)) < 0.5
    for k in range(1, most):
        ends[:, k, 0] = np.where(chained[:, k, None], ends[:, k - 1, 1], ends[:, k, 0])
    y, x = np.mgrid[:CANVAS, :CANVAS].astype(np.float32)
    start, along = ends[:, :, 0], ends[:, :, 1] - ends[:, :, 0]
    dy = y - start[:, :, 0, None, None]
    dx = x - start[:, :, 1, None, None]
    ay, ax = along[:, :, 0, None, None], along[:, :, 1, None, None]
    place = np.clip((dy * ay + dx * ax) / np.maximum(ay * ay + ax * ax, 1), 0, 1)
    distance = np.hypot(dy - place * ay, dx - place * ax)
    unused = np.arange(most) >= rng.integers(3, most + 1, (count, 1))
    distance[unused] = np.inf
    level = _pens(count, settings, rng)[:, None, None] - distance.min(1)
    return sigmoid(level * 3)


def textures(count: int, rng: np.random.Generator) -> Floats:
    """Canvases of noise of many grains, stripes, plain fills and emptiness."""
    noise = rng.standard_normal((count, CANVAS, CANVAS), dtype=np.float32)
    grain = np.split(noise, np.linspace(0, count, 5).astype(int)[1:-1])
    smooth = [
        ndimage.gaussian_filter(g, (0, s, s), mode="wrap")
        for g, s in zip(grain, (0.0, 1.0, 2.5, 5.0), strict=True)
    ]
    noise = np.concatenate(smooth)
    noise /= np.maximum(noise.std((1, 2), keepdims=True), 1e-6)
    phase = rng.uniform(0, 6.28, (count, 1, 1))
    wave = rng.normal(0, 0.5, (2, count, 1, 1))
    y, x = np.mgrid[:CANVAS, :CANVAS]
    stripes = 1.5 * np.sin(wave[0] * y + wave[1] * x + phase)
    field = np.where(rng.random((count, 1, 1)) < 0.3, stripes, noise)
    field = (field - rng.uniform(-1.5, 1.5, (count, 1, 1))) * np.exp(
        rng.uniform(-1, 2, (count, 1, 1))
    )
    plain = rng.random((count, 1, 1)) < 0.1
    field = np.where(
        plain, rng.normal(0, 0.05, field.shape) + rng.choice([-2.0, 2.0], (count, 1, 1)), field
    )
    return sigmoid((2 * field).astype(np.float32))


def draw_outliers(source: StrokeDigits, count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """(count, side, side, 1) uint8 tensors that show no digit, drawn from the strokes of digits."""
    strokes, labels, settings = source.strokes, source.labels, source.settings
    quarter = count // 4
    canvases = np.concatenate(
        [
            turned_digits(strokes, labels, quarter, settings, rng),
            pairs(strokes, labels, quarter, settings, rng),
            segments(quarter, settings, rng),
        ]
    )
    drawn = spoil(source.fit(canvases, rng), settings, rng)
    return np.concatenate([drawn, source.fit(textures(count - len(drawn), rng), rng)])
