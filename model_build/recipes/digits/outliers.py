"""Generated non-digits, which the network learns to doubt (outlier exposure, Hendrycks 2019)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .drawing import CANVAS, Settings, StrokeDigits, draw, sigmoid, spoil
from .strokes import PAD, Floats, Strokes, curve, path_distance, pen_levels

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


def scribbles(count: int, settings: Settings, rng: np.random.Generator, most: int = 5) -> Floats:
    """Level fields of three to `most` strokes between nine places, straight or curved."""
    size = 32 + 2 * PAD
    ends = rng.integers(0, 3, (count, most, 2, 2))
    chained = rng.random((count, most)) < 0.5
    for k in range(1, most):
        ends[:, k, 0] = np.where(chained[:, k, None], ends[:, k - 1, 1], ends[:, k, 0])
    same = (ends[:, :, 0] == ends[:, :, 1]).all(2)
    ends[:, :, 1] = np.where(same[..., None], 2 - ends[:, :, 0], ends[:, :, 1])
    start, end = (PAD + 3 + 13 * ends + rng.normal(0, 1, ends.shape)).transpose(2, 0, 1, 3)
    along = end - start
    bulge = np.where(rng.random((count, most, 1)) < 0.4, rng.normal(0, 0.7, (count, most, 1)), 0)
    pull = (start + end) / 2 + bulge * np.stack([-along[..., 1], along[..., 0]], 2)
    points = np.stack([start, pull, end], 2).reshape(-1, 3, 2)
    distance = path_distance(curve(points, 32), size).reshape(count, most, size, size)
    distance[np.arange(most) >= rng.integers(3, most + 1, (count, 1))] = np.inf
    levels: Floats = _pens(count, settings, rng)[:, None, None] - distance.min(1)
    return levels


def scribbled(count: int, settings: Settings, rng: np.random.Generator) -> Floats:
    """Canvases of scribbles, warped as digits are."""
    widths = np.exp(rng.normal(0, settings.stretch, count))
    return draw(scribbles(count, settings, rng), widths, settings, rng)


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
    third = count * 28 // 100
    canvases = np.concatenate(
        [
            turned_digits(strokes, labels, third, settings, rng),
            pairs(strokes, labels, third, settings, rng),
            scribbled(third, settings, rng),
        ]
    )
    drawn = spoil(source.fit(canvases, rng), settings, rng)
    return np.concatenate([drawn, source.fit(textures(count - len(drawn), rng), rng)])
