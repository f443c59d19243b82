"""Vectorised augmentation: 8x8 ink counts -> distance fields -> warped, re-inked digits.

The 17-level counts are turned back into 32x32 bitmaps once; strokes then live as distance
fields, so that a digit can be bent smoothly and drawn again with a pen of any width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from edge_runtime.fit import fit_ink as to_tensor
from .data import Dataset

Floats = NDArray[np.float32]
BLOCK = 4
PAD = 6  # ground around the 32x32 bitmap, pixels
CANVAS = 40  # side of the canvas on which warped digits are drawn
TALL = 28.0  # nominal height of a digit on the canvas


def bitmaps_from_counts(counts: NDArray[np.generic], rounds: int = 8) -> NDArray[np.bool_]:
    """Smooth (N, 32, 32) bitmaps whose 4x4 block sums are exactly the given (N, 8, 8) counts."""
    target = np.rint(counts).astype(np.int64).reshape(len(counts), 64, 1)
    smooth = ndimage.zoom(
        counts.astype(np.float32), (1, BLOCK, BLOCK), order=1, mode="grid-constant", grid_mode=True
    )
    for _ in range(rounds):
        blocks = smooth.reshape(-1, 8, BLOCK, 8, BLOCK).transpose(0, 1, 3, 2, 4).reshape(-1, 64, 16)
        rank = np.argsort(np.argsort(-blocks, axis=-1, kind="stable"), axis=-1, kind="stable")
        inked = (rank < target).reshape(-1, 8, 8, BLOCK, BLOCK).transpose(0, 1, 3, 2, 4)
        bitmaps = inked.reshape(-1, 32, 32)
        smooth = ndimage.gaussian_filter(bitmaps.astype(np.float32), (0, 1.4, 1.4), mode="constant")
    return bitmaps


def thin(bitmaps: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Skeletons of (N, h, w) bitmaps by the two-step thinning of Zhang and Suen."""
    ring = [(-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1)]
    image = np.pad(bitmaps, ((0, 0), (1, 1), (1, 1)))
    changed = True
    while changed:
        changed = False
        for first in (True, False):
            around = [np.roll(image, (-dy, -dx), (1, 2)) for dy, dx in ring]
            total = np.sum(around, axis=0)
            turns = np.sum([~around[k] & around[(k + 1) % 8] for k in range(8)], axis=0)
            north, east, south, west = around[0], around[2], around[4], around[6]
            if first:
                open_side = ~(north & east & south) & ~(east & south & west)
            else:
                open_side = ~(north & east & west) & ~(north & south & west)
            drop = image & (total >= 2) & (total <= 6) & (turns == 1) & open_side
            if drop.any():
                image &= ~drop
                changed = True
    return image[:, 1:-1, 1:-1]


@dataclass(frozen=True)
class Strokes:
    """Distance fields of a set of digits, in pixels of the 32x32 bitmap, with ground around."""

    outline: Floats  # (N, s, s): positive in the ink, negative outside
    spine: Floats  # (N, s, s): distance to the middle line of the stroke
    radius: Floats  # (N,): typical half width of the stroke

    def take(self, index: NDArray[np.integer]) -> Strokes:
        return Strokes(self.outline[index], self.spine[index], self.radius[index])


def strokes_from_counts(counts: NDArray[np.generic]) -> Strokes:
    """Strokes of (N, 8, 8) digits."""
    bitmaps = np.pad(bitmaps_from_counts(counts), ((0, 0), (PAD, PAD), (PAD, PAD)))
    skeletons = thin(bitmaps)
    distance = ndimage.distance_transform_edt
    inside = np.stack([distance(b) for b in bitmaps])
    outside = np.stack([distance(~b) for b in bitmaps])
    outline = np.where(bitmaps, inside - 0.5, 0.5 - outside).astype(np.float32)
    spine = np.stack([distance(~s) for s in skeletons]).astype(np.float32)
    radius = (outline * skeletons).sum((1, 2)) / np.maximum(skeletons.sum((1, 2)), 1)
    return Strokes(outline, spine, radius.astype(np.float32))


@dataclass(frozen=True)
class Settings:
    """Strength of the augmentation; lengths in pixels of the 32x32 bitmap."""

    rotation: float = 0.12  # sd, radians
    slant: float = 0.3  # sd of the shear
    lean: float = 0.12  # mean shear to the right, as most hands lean
    stretch: float = 0.25  # sd of the log of width / height
    elastic: float = 1.2  # sd of the displacement at the control points
    knots: int = 5  # control points per axis
    balance: float = 0.15  # sd of the log of the exponent bending each axis
    calm: float = 0.25  # share of digits drawn with about their own pen
    vigour: tuple[float, float] = (0.2, 1.3)  # range of the strength of a digit's warps
    small_loops: float = 0.1  # mean log exponent shrinking the loops of 6 and 9
    unbarred: float = 0.5  # share of the sevens without a bar
    looped: float = 0.4  # share of the twos with a loop at the foot
    pen: tuple[float, float] = (0.8, 2.6)  # half width of the pen
    narrow_ones: float = 0.5  # share of the ones squeezed towards a plain stroke
    splice: float = 0.2  # share of digits whose lower part comes from another of their class
    soft: tuple[float, float] = (0.35, 1.2)  # softness of the edge of the ink
    jitter: float = 0.03  # sd of each edge of the crop box, share of its size
    blur: float = 0.3  # share of tensors blurred
    cutout: float = 0.15  # share of tensors with a small square wiped out
    noise: float = 0.04  # largest sd of the noise added to tensors
    gamma: float = 0.25  # sd of the log of the tone exponent


def splice(
    strokes: Strokes, labels: NDArray[np.integer], share: float, rng: np.random.Generator
) -> Strokes:
    """Replace the lower part of a share of digits by that of another digit of the same class."""
    count = len(labels)
    partner = np.arange(count)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        partner[members] = rng.permutation(members)
    chosen = np.flatnonzero(rng.random(count) < share)
    other = partner[chosen]
    size = strokes.outline.shape[1]
    cut = rng.uniform(PAD + 8, size - PAD - 8, len(chosen)).astype(np.float32)
    rows = np.arange(size, dtype=np.float32)
    keep = np.clip(0.5 + (cut[:, None] - rows) / 8, 0, 1)[:, :, None]
    outline, spine, radius = strokes.outline.copy(), strokes.spine.copy(), strokes.radius.copy()
    outline[chosen] = keep * outline[chosen] + (1 - keep) * strokes.outline[other]
    spine[chosen] = keep * spine[chosen] + (1 - keep) * strokes.spine[other]
    radius[chosen] = (radius[chosen] + strokes.radius[other]) / 2
    return Strokes(outline, spine, radius)


def pen_levels(strokes: Strokes, half_width: Floats, rng: np.random.Generator) -> Floats:
    """Ink level fields, positive where a pen of the given half width leaves ink."""
    change = half_width - strokes.radius
    uniform = np.maximum(rng.random(len(change)), np.clip(-change, 0, 1)).astype(np.float32)
    uniform = uniform[:, None, None]
    levels = (1 - uniform) * strokes.outline
    levels += uniform * (strokes.radius[:, None, None] - strokes.spine)
    return levels + change[:, None, None]


def displacement(count: int, sd: float, knots: int, rng: np.random.Generator) -> Floats:
    """Smooth random displacements (2, N, CANVAS, CANVAS) from a coarse grid of control points."""
    position = np.linspace(0, knots - 1, CANVAS, dtype=np.float32)[:, None]
    basis = np.clip(1.5 - np.abs(position - np.arange(knots)), 0, 1)
    basis = basis * basis * (3 - 2 * basis)
    basis = (basis / basis.sum(1, keepdims=True)).astype(np.float32)
    grid = rng.normal(0, sd, (2, count, knots, knots)).astype(np.float32)
    return basis @ grid @ basis.T


def sample(fields: Floats, y: Floats, x: Floats) -> Floats:
    """Bilinear samples of (N, s, s) fields at (N, h, w) coordinates, clamped at the border."""
    count, size, _ = fields.shape
    y = np.clip(y, 0, size - 1.001)
    x = np.clip(x, 0, size - 1.001)
    row, column = y.astype(np.int32), x.astype(np.int32)
    fy, fx = y - row, x - column
    flat = fields.reshape(-1)
    first = row * size + column + (np.arange(count, dtype=np.int32) * (size * size))[:, None, None]
    top = flat[first] * (1 - fx) + flat[first + 1] * fx
    first += size
    bottom = flat[first] * (1 - fx) + flat[first + 1] * fx
    return top * (1 - fy) + bottom * fy


def bend(place: Floats, exponent: Floats) -> Floats:
    """Move the middle of an axis on which digits span -16..16, keeping the ends."""
    unit = place / 32 + 0.5
    inside = np.clip(unit, 1e-3, 1)
    return place + 32 * (inside ** exponent[:, None, None] - inside)


def draw(
    levels: Floats,
    widths: Floats,
    settings: Settings,
    rng: np.random.Generator,
    lowering: Floats | float = 0.0,
) -> Floats:
    """Warp level fields onto the canvas and ink them.

    `widths` scale the digits' width; `lowering` is the mean log exponent bending their height,
    which moves the middle down where positive.
    """
    count, size, _ = levels.shape
    vigour = rng.uniform(*settings.vigour, count)
    angle = vigour * rng.normal(0, settings.rotation, count)
    slant = vigour * rng.normal(settings.lean, settings.slant, count)
    cos, sin = np.cos(angle), np.sin(angle)
    # from the canvas to the bitmap: undo the rotation, the slant and the scaling
    scale_y = 32 / TALL * np.exp(rng.normal(0, 0.05, count))
    scale_x = 32 / TALL / widths
    centre = np.arange(CANVAS, dtype=np.float32) - (CANVAS - 1) / 2
    cy, cx = centre[:, None], centre[None, :]

    def line(a: NDArray[np.float64], b: NDArray[np.float64]) -> Floats:
        a, b = a.astype(np.float32)[:, None, None], b.astype(np.float32)[:, None, None]
        return a * cy + b * cx

    y = line(scale_y * cos, scale_y * sin)
    x = line(scale_x * (slant * cos - sin), scale_x * (cos + slant * sin))
    exponents = vigour * rng.normal(0, settings.balance, (2, count))
    exponents[0] += vigour * lowering
    exponents = np.exp(exponents).astype(np.float32)
    shift = displacement(count, settings.elastic, settings.knots, rng)
    shift *= vigour.astype(np.float32)[:, None, None]
    middle = np.float32((size - 1) / 2)
    y = bend(y, exponents[0]) + shift[0] + middle
    x = bend(x, exponents[1]) + shift[1] + middle
    warped = sample(levels, y, x)
    soft = rng.uniform(*settings.soft, count).astype(np.float32)[:, None, None]
    return 1 / (1 + np.exp(-np.clip(warped / (soft / 2), -20, 20)))


def ink_boxes(canvas: Floats, level: float = 0.4) -> Floats:
    """(top, left, height, width) of the ink of each canvas."""
    dark = canvas > level
    boxes = []
    for axis in (2, 1):
        seen = dark.any(axis)
        start = seen.argmax(1)
        stop = seen.shape[1] - seen[:, ::-1].argmax(1)
        boxes.append((start, np.maximum(stop - start, 1)))
    (top, height), (left, width) = boxes
    return np.stack([top, left, height, width], 1).astype(np.float32)


def spoil(
    tensors: NDArray[np.uint8], settings: Settings, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Tone, blur, cut-outs and noise on (N, s, s) tensors."""
    count, side, _ = tensors.shape
    x = tensors.astype(np.float32) / 255
    x **= np.exp(rng.normal(0, settings.gamma, count)).astype(np.float32)[:, None, None]
    fuzzy = np.flatnonzero(rng.random(count) < settings.blur)
    if len(fuzzy):
        padded = np.pad(x[fuzzy], ((0, 0), (1, 1), (1, 1)))
        side_weight = rng.uniform(0.05, 0.3, (len(fuzzy), 1, 1)).astype(np.float32)
        rows = (
            padded[:, 1:-1] * (1 - 2 * side_weight) + (padded[:, :-2] + padded[:, 2:]) * side_weight
        )
        both = (
            rows[..., 1:-1] * (1 - 2 * side_weight) + (rows[..., :-2] + rows[..., 2:]) * side_weight
        )
        x[fuzzy] = both / np.maximum(both.max((1, 2), keepdims=True), 1e-6)
    extent = np.where(rng.random((count, 1)) < settings.cutout, rng.integers(2, 5, (count, 2)), 0)
    start = rng.integers(0, side - 2, (count, 2))
    cells = np.arange(side)
    hole = (cells >= start[..., None]) & (cells < (start + extent)[..., None])
    x *= ~(hole[:, 0, :, None] & hole[:, 1, None, :])
    sd = rng.uniform(0, settings.noise, (count, 1, 1)).astype(np.float32)
    x += sd * rng.standard_normal(x.shape, dtype=np.float32)
    return (np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8)


def unbar(strokes: Strokes, chosen: NDArray[np.integer]) -> None:
    """Leave only the stem between the top stroke and the foot of the chosen sevens, in place."""
    size = strokes.outline.shape[1]
    top, foot = PAD + 11, PAD + 28
    x = np.arange(size, dtype=np.float32)

    def stem_at(row: int) -> Floats:
        near = np.clip(strokes.outline[chosen, row - 1 : row + 2].mean(1) + 1, 0, None) + 1e-3
        return (near * x).sum(1) / near.sum(1)

    upper, lower = stem_at(top), stem_at(foot)
    slope = (lower - upper) / (foot - top)
    rows = np.arange(top, foot, dtype=np.float32)
    stem = upper[:, None] + slope[:, None] * (rows - top)
    distance = np.abs(x - stem[:, :, None]) / np.hypot(1, slope)[:, None, None]
    strokes.spine[chosen, top:foot] = distance
    strokes.outline[chosen, top:foot] = strokes.radius[chosen, None, None] - distance


def add_loop(strokes: Strokes, chosen: NDArray[np.integer], rng: np.random.Generator) -> None:
    """Write the foot of the chosen twos as a loop with a tail to the right, in place."""
    size = strokes.outline.shape[1]
    low = PAD + 19
    count = len(chosen)
    foot = strokes.outline[chosen, low : PAD + 32] > -0.5
    seen = foot.any(1)
    first = seen.argmax(1)
    last = size - seen[:, ::-1].argmax(1)
    span = np.maximum(last - first, 8)
    long = span * rng.uniform(0.2, 0.36, count)
    wide = rng.uniform(2, 4.5, count)
    turn = rng.uniform(-0.5, 0.7, count)
    middle_y = PAD + 31.5 - wide - rng.uniform(0, 2.5, count)
    middle_x = first + long * rng.uniform(0.7, 1.0, count)
    place = np.arange(size, dtype=np.float32)
    dy = place[None, :, None] - middle_y[:, None, None]
    dx = place[None, None, :] - middle_x[:, None, None]
    cos, sin = np.cos(turn)[:, None, None], np.sin(turn)[:, None, None]
    along = (cos * dx - sin * dy) / long[:, None, None]
    across = (sin * dx + cos * dy) / wide[:, None, None]
    reach = np.hypot(along, across)
    ring = (np.abs(reach - 1) * np.sqrt(long * wide)[:, None, None]).astype(np.float32)
    radius = 0.85 * strokes.radius[chosen, None, None]
    # clear what the loop encloses, then draw the loop
    within = np.clip((1 - reach) * np.sqrt(long * wide)[:, None, None], -8, None).astype(np.float32)
    strokes.outline[chosen] = np.maximum(
        np.minimum(strokes.outline[chosen], -within), radius - ring
    )
    strokes.spine[chosen] = np.minimum(np.maximum(strokes.spine[chosen], within), ring)


def digits_epoch(
    strokes: Strokes,
    labels: NDArray[np.integer],
    settings: Settings,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """One augmented tensor per digit, in order."""
    count = len(labels)
    strokes = splice(strokes, labels, settings.splice, rng)
    unbar(strokes, np.flatnonzero((labels == 7) & (rng.random(count) < settings.unbarred)))
    add_loop(strokes, np.flatnonzero((labels == 2) & (rng.random(count) < settings.looped)), rng)
    widths = np.exp(rng.normal(0, settings.stretch, count))
    own = strokes.radius + rng.normal(0, 0.3, count)
    half = np.where(rng.random(count) < settings.calm, own, rng.uniform(*settings.pen, count))
    plain = (labels == 1) & (rng.random(count) < settings.narrow_ones)
    squeeze = np.where(plain, rng.uniform(0.15, 0.6, count), 1)
    half = np.minimum(half / np.sqrt(squeeze), 7).astype(np.float32)
    lowering = settings.small_loops * ((labels == 6) * 1.0 - (labels == 9))
    canvas = draw(pen_levels(strokes, half, rng), widths * squeeze, settings, rng, lowering)
    margins = rng.normal(0, settings.jitter, (count, 4)).astype(np.float32)
    return spoil(to_tensor(canvas, ink_boxes(canvas), margins), settings, rng)


def plain_tensors(counts: NDArray[np.generic]) -> NDArray[np.uint8]:
    """The digits as they are, through the same geometry."""
    bitmaps = bitmaps_from_counts(counts).astype(np.float32)
    return to_tensor(bitmaps, ink_boxes(bitmaps))


class StrokeExamples:
    def __init__(self, dataset, indices, spec, settings):
        counts = np.stack([dataset.images[i] for i in indices]).astype(np.float32) * (16 / 255)
        self._strokes = strokes_from_counts(counts)
        self._labels = dataset.labels[indices]
        self._classes = len(dataset.class_names)
        self._spec = spec
        self._settings = settings

    def digits(self, rng):
        return digits_epoch(self._strokes, self._labels, self._settings, rng)[..., None]

    def per_epoch(self, outliers):
        return len(self._labels) + round(outliers * len(self._labels))

    def epoch(self, rng, config):
        one_hot = np.eye(self._classes, dtype=np.float32)[self._labels]
        one_hot = one_hot * (1 - config.label_smoothing) + config.label_smoothing / self._classes
        extra = self.per_epoch(config.outliers) - len(self._labels)
        targets = np.concatenate(
            [one_hot, np.full((extra, self._classes), 1 / self._classes, np.float32)]
        )
        tensors = self.digits(rng)
        tensors = np.concatenate([tensors, self.outliers(rng, extra)])
        order = rng.permutation(len(tensors))
        return tensors[order], targets[order]

    def outliers(self, rng, count):
        from .outliers import outliers_epoch

        return outliers_epoch(self._strokes, self._labels, count, self._settings, rng)[..., None]
