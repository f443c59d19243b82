"""Augmentation of the digits: drawn again by other hands with other pens, each epoch anew.

Never part of the exported graph. What is drawn goes through the geometry of the device.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundle.preprocessing import Ink
from edge_runtime.preprocessing.ink.crop import fit_ink

from .strokes import PAD, Floats, Strokes, pen_levels, strokes_from_counts
from .styles import Styles, restyle

CANVAS = 40
"""Side of the canvas on which warped digits are drawn, in pixels."""
TALL = 28.0
"""Nominal height of a digit on the canvas."""
COARSE = 4
"""Side of the blocks into which a canvas is counted back: a digit is then about 8 pixels tall."""
INKED = 0.35
"""Ink above which a pixel counts as the digit's when the canvas is cropped."""


@dataclass(frozen=True)
class Settings:
    """Strength of the augmentation; lengths in pixels of the 32x32 bitmap."""

    rotation: float = 0.12  # sd, radians
    slant: float = 0.3  # sd of the shear
    lean: float = 0.12  # mean shear to the right, as most hands lean
    stretch: float = 0.25  # sd of the log of width / height
    curl: float = 2.0  # sd of the bending of upright lines, a third of it for level ones
    tilt: float = 0.25  # sd of the slope of level lines, one at the top and one at the foot
    elastic: float = 1.2  # sd of the displacement at the control points
    knots: int = 5  # control points per axis
    balance: float = 0.15  # sd of the log of the exponent bending each axis
    taper: float = 0.15  # sd of the widening towards the top or the foot
    plain: float = 0.1  # share of digits left as they are
    coarse: float = 0.15  # share of digits counted back into blocks, as theirs were
    calm: float = 0.25  # share of digits drawn with about their own pen
    vigour: tuple[float, float] = (0.2, 1.3)  # range of the strength of a digit's warps
    small_loops: float = 0.1  # mean log exponent shrinking the loops of the sixes
    pen: tuple[float, float] = (0.8, 2.6)  # half width of the pen
    narrow_ones: float = 0.75  # share of the ones without a foot squeezed to a plain stroke
    soft: tuple[float, float] = (0.35, 1.2)  # softness of the edge of the ink
    jitter: float = 0.03  # sd of each edge of the crop box, share of its size
    blur: float = 0.3  # share of tensors blurred
    crisp: float = 0.2  # share of tensors pushed towards black and white
    long_tails: float = 0.3  # mean log exponent raising the bar of fours and sevens
    cutout: float = 0.15  # share of tensors with a small square wiped out
    noise: float = 0.04  # largest sd of the noise added to tensors
    gamma: float = 0.25  # sd of the log of the tone exponent
    styles: Styles = field(default_factory=Styles)


def displacement(count: int, sd: float, knots: int, rng: np.random.Generator) -> Floats:
    """Smooth random displacements (2, N, CANVAS, CANVAS) from a coarse grid of control points."""
    position = np.linspace(0, knots - 1, CANVAS, dtype=np.float32)[:, None]
    basis = np.clip(1.5 - np.abs(position - np.arange(knots)), 0, 1)
    basis = basis * basis * (3 - 2 * basis)
    basis = (basis / basis.sum(1, keepdims=True)).astype(np.float32)
    grid = rng.normal(0, sd, (2, count, knots, knots)).astype(np.float32)
    smooth: Floats = basis @ grid @ basis.T
    return smooth


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
    found: Floats = top * (1 - fy) + bottom * fy
    return found


def bend(place: Floats, exponent: Floats) -> Floats:
    """Move the middle of an axis on which digits span -16..16, keeping the ends."""
    unit = place / 32 + 0.5
    inside: Floats = np.clip(unit, 1e-3, 1)
    bent: Floats = place + 32 * (np.power(inside, exponent[:, None, None]) - inside)
    return bent


def draw(
    levels: Floats,
    widths: Floats,
    settings: Settings,
    rng: np.random.Generator,
    lowering: Floats | float = 0.0,
    tilting: NDArray[np.bool_] | bool = True,
) -> Floats:
    """Warp level fields onto the canvas and ink them.

    `widths` scale the digits' width; `lowering` is the mean log exponent bending their height,
    which moves the middle down where positive; `tilting`: whose level lines may slope otherwise.
    """
    count, size = int(levels.shape[0]), int(levels.shape[1])
    vigour = rng.uniform(settings.vigour[0], settings.vigour[1], count)
    angle = vigour * rng.normal(0, settings.rotation, count)
    slant = vigour * rng.normal(settings.lean, settings.slant, count)
    cos, sin = np.cos(angle), np.sin(angle)
    # From the canvas back to the bitmap: undo the rotation, the slant and the scaling.
    scale_y = 32 / TALL * np.exp(rng.normal(0, 0.05, count))
    scale_x = 32 / TALL / widths
    centre = np.arange(CANVAS, dtype=np.float32) - (CANVAS - 1) / 2
    cy, cx = centre[:, None], centre[None, :]
    y = _each(scale_y * cos) * cy + _each(scale_y * sin) * cx
    x = _each(scale_x * (slant * cos - sin)) * cy + _each(scale_x * (cos + slant * sin)) * cx
    exponents = vigour * rng.normal(0, settings.balance, (2, count))
    exponents[0] += vigour * lowering
    powers = np.exp(exponents).astype(np.float32)
    shift = displacement(count, settings.elastic, settings.knots, rng) * _each(vigour)
    taper = _each(vigour * rng.normal(0, settings.taper, count))
    x *= 1 + taper * np.clip(y / 16, -1, 1)
    foot = np.clip(y / 32 + 0.5, 0, 1)
    tilt_top, tilt_foot = vigour * rng.normal(0, settings.tilt, (2, count)) * tilting
    y = y + x * (_each(tilt_top) * (1 - foot) + _each(tilt_foot) * foot)
    middle = (size - 1) / 2
    curl_y, curl_x = vigour * rng.normal(0, settings.curl, (2, count))
    round_y = _each(curl_y / 3) * (1 - np.minimum((x / 10) ** 2, 2))
    round_x = _each(curl_x) * (1 - np.minimum((y / 16) ** 2, 2))
    warped = sample(
        levels,
        bend(y, powers[0]) + round_y + shift[0] + middle,
        bend(x, powers[1]) + round_x + shift[1] + middle,
    )
    soft = _each(rng.uniform(settings.soft[0], settings.soft[1], count))
    return sigmoid(np.divide(2 * warped, soft))


def sigmoid(values: Floats) -> Floats:
    """1 / (1 + exp(-values)), without overflow."""
    bounded: Floats = np.clip(values, -20, 20)
    found: Floats = np.reciprocal(1 + np.exp(-bounded))
    return found


def _each(values: NDArray[np.floating]) -> Floats:
    """(N,) values, one for each of (N, h, w)."""
    return values.astype(np.float32)[:, None, None]


def fit_canvases(
    canvases: Floats,
    settings: Settings,
    preprocessing: Ink,
    side: int,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Crop (N, h, w) ink and fit it as the device does, the box a little off."""
    margins = rng.normal(0, settings.jitter, (len(canvases), 4)).tolist()
    how = preprocessing
    inks = [crop(canvas) for canvas in canvases]
    return fit_ink(inks, side, how.max_stretch, how.spread, how.reach, margins)


def counted_back(canvases: Floats) -> Floats:
    """The mean ink of each block of (N, CANVAS, CANVAS)."""
    side = CANVAS // COARSE
    blocks = canvases.reshape(-1, side, COARSE, side, COARSE)
    means: Floats = blocks.mean(axis=(2, 4))
    return means


def crop(canvas: Floats) -> Floats:
    """The part of a canvas that holds ink; all of it when none does."""
    inked = canvas > INKED
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    if not len(rows):
        return canvas
    return canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def spoil(
    tensors: NDArray[np.uint8], settings: Settings, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Tone, blur, cut-outs and noise on (N, side, side, 1) tensors."""
    count, side = tensors.shape[:2]
    x = tensors[..., 0].astype(np.float32) / 255
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
    crisp = np.flatnonzero(rng.random(count) < settings.crisp)
    slope = rng.uniform(2, 8, (len(crisp), 1, 1)).astype(np.float32)
    level = rng.uniform(0.35, 0.6, (len(crisp), 1, 1)).astype(np.float32)
    x[crisp] = np.clip((x[crisp] - level) * slope + 0.5, 0, 1)
    extent = np.where(rng.random((count, 1)) < settings.cutout, rng.integers(2, 5, (count, 2)), 0)
    start = rng.integers(0, side - 2, (count, 2))
    cells = np.arange(side)
    hole = (cells >= start[..., None]) & (cells < (start + extent)[..., None])
    x *= ~(hole[:, 0, :, None] & hole[:, 1, None, :])
    sd = rng.uniform(0, settings.noise, (count, 1, 1)).astype(np.float32)
    x += sd * rng.standard_normal(x.shape, dtype=np.float32)
    return (np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8)[..., None]


def footed(strokes: Strokes) -> NDArray[np.bool_]:
    """(N,): which are at least half as wide again at the foot as in the middle."""
    inked = strokes.outline > 0
    foot, middle = (
        np.any(inked[:, PAD + first : PAD + last], axis=1).sum(axis=1)
        for first, last in ((26, 32), (12, 20))
    )
    wide: NDArray[np.bool_] = 2 * foot >= 3 * middle
    return wide


class StrokeDigits:
    """8x8 digits, to be drawn again as often as wanted."""

    def __init__(
        self,
        counts: NDArray[np.floating],
        labels: NDArray[np.int64],
        tensors: NDArray[np.uint8],
        preprocessing: Ink,
        settings: Settings = Settings(),
    ) -> None:
        """counts: (N, 8, 8), 0 to 16; labels: (N,) the digits; tensors: (N, side, side, 1) uint8,
        what the device makes of them as they are.
        """
        self.strokes = strokes_from_counts(counts)
        self.labels = labels
        self.doubtful = np.zeros(len(labels), np.bool_)
        """(N,): shown as they are only, since drawn again they could be another digit."""
        self.settings = settings
        self._tensors = tensors
        self._side = tensors.shape[1]
        self._preprocessing = preprocessing

    @property
    def shape(self) -> tuple[int, int, int]:
        """(side, side, 1) of a tensor."""
        return self._side, self._side, 1

    def take(self, index: NDArray[np.integer]) -> StrokeDigits:
        """Those of the digits, in that order."""
        some = copy.copy(self)
        some.strokes, some.labels = self.strokes.take(index), self.labels[index]
        some.doubtful, some._tensors = self.doubtful[index], self._tensors[index]
        return some

    def digits(self, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Every digit drawn anew, in order: (N, side, side, 1) uint8 tensors."""
        settings, labels, count = self.settings, self.labels, len(self.labels)
        strokes, flagged = restyle(self.strokes, labels, settings.styles, rng)
        widths = np.exp(rng.normal(0, settings.stretch, count))
        own = strokes.radius + rng.normal(0, 0.3, count)
        half = np.where(rng.random(count) < settings.calm, own, rng.uniform(*settings.pen, count))
        ones = labels == 1  # with a wide or level flag they would be sevens
        widths[ones] = np.minimum(widths[ones], 1)
        plain = ones & ~flagged & ~footed(strokes) & (rng.random(count) < settings.narrow_ones)
        squeeze = np.where(plain, rng.uniform(0.15, 0.6, count), 1)
        half = np.minimum(half / np.sqrt(squeeze), 7).astype(np.float32)
        barred = np.isin(labels, (4, 7))
        lowering = settings.small_loops * (labels == 6) - settings.long_tails * barred
        levels = pen_levels(strokes, half, rng)
        canvases = draw(levels, widths * squeeze, settings, rng, lowering, ~ones)
        coarse = rng.random(count) < settings.coarse
        fitted = np.empty_like(self._tensors)
        fitted[coarse] = self.fit(counted_back(canvases[coarse]), rng)
        fitted[~coarse] = self.fit(canvases[~coarse], rng)
        plain = (rng.random(count) < settings.plain) | self.doubtful
        fitted[plain] = self._tensors[plain]
        return spoil(fitted, settings, rng)

    def fit(self, canvases: Floats, rng: np.random.Generator) -> NDArray[np.uint8]:
        """(N, h, w) ink in [0, 1] as (N, side, side, 1) uint8 tensors."""
        fitted = fit_canvases(canvases, self.settings, self._preprocessing, self._side, rng)
        return fitted[..., None]
