"""Estimates of a photo's background, and tools to take it away.

- `fit_surface`: a constant, plane or quadratic surface, fitted by iteratively reweighted least
  squares (Holland & Welsch 1977) with the weights of Geman & McClure (1987), under which ink
  counts next to nothing. A small ridge term (Hoerl & Kennard 1970) keeps the fit stable when few
  samples keep their weight.
- `otsu_background`: the pixels on the background's side of Otsu's threshold (1979).
- `opening` and `closing`: grey morphology (Serra 1982) with a flat square window; both erase
  whatever is narrower than the window.
- `subtract_local_mean`: what is left of the background after a fit, as a local mean of background
  pixels alone (normalized averaging, Knutsson & Westin 1993).

Where no source is given, a number was set by hand when the finder was written, in November 2026;
docs/preprocessing.md has the measurement of how much depends on those that matter.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .types import Floats, Mask

MAX_CONSTANT_SIDE = 24
"""px: in an image with a side up to this the background is one constant, since a digit fills most
of it and a slope would follow the strokes. Half of `clean.SMALL_SIDE`."""
REWEIGHTINGS = 4
"""Rounds of least squares. Chosen with `SAMPLES` for speed (5 rounds and 20 samples before)."""
SAMPLES = 16
"""Sampled rows and columns: 256 pixels for the at most 6 coefficients of the surface."""
MIN_SCALE = 2.0
"""Grey levels, the least scale of the residuals in the weights: on a noiseless background the
median is 0, and rounding to whole levels alone leaves up to half a level."""
MIN_WEIGHT = 0.1
"""Samples above this weight give the scale of the residuals: those that the last round believed."""
RIDGE = 1e-3
"""Ridge penalty on slopes and curvatures, as a share of the number of samples."""
RIDGE_CONSTANT = 1e-4
"""Ridge penalty on the constant, in samples: only so much that the system can be solved."""
CELL = 12
"""px, the cells of the local mean: about a tenth of the 128 px to which a photo is reduced."""
CELL_PRIOR = 0.15
"""Share of a cell added to its background pixels: a cell of ink alone has a mean of 0."""


class _Basis(NamedTuple):
    """The terms of a polynomial surface over an image, and the pixels at which it is fitted.

    terms: (K, H*W) float32; samples: (S,) flat indices; at_samples: (K, S), the terms there;
    ridge: (K, K), the diagonal penalty.
    """

    terms: Floats
    samples: NDArray[np.intp]
    at_samples: Floats
    ridge: Floats


@lru_cache(maxsize=32)
def _basis(height: int, width: int, order: int) -> _Basis:
    """The first `order` terms of 1, x, y, x^2, xy, y^2, with x and y from -1 to 1."""
    y = ((2 * np.arange(height, dtype=np.float32) + 1) / height - 1)[:, None]
    x = (2 * np.arange(width, dtype=np.float32) + 1) / width - 1
    planes = np.empty((order, height, width), np.float32)
    for plane, values in zip(planes, (np.float32(1), x, y, x * x, x * y, y * y), strict=False):
        plane[:] = values
    terms = planes.reshape(order, -1)
    rows = np.unique(np.linspace(0, height - 1, SAMPLES).round().astype(int))
    cols = np.unique(np.linspace(0, width - 1, SAMPLES).round().astype(int))
    index = (rows[:, None] * width + cols).ravel()
    ridge = np.diag(np.full(order, RIDGE * len(index), np.float32))
    ridge[0, 0] = RIDGE_CONSTANT
    return _Basis(terms, index, terms[:, index], ridge)


def fit_surface(planes: Floats, height: int, width: int, background: Mask | None) -> Floats:
    """Fit a smooth background to (C, H*W) grey levels, robust against ink.

    Without a mask the surface is quadratic. With one, (H*W,), it is a plane that starts from the
    masked pixels alone. In a small image it is a constant. Returns (C, H*W) grey levels.

    The weight of a pixel with squared residual r^2, summed over the channels, is
    1 / (1 + r^2 / s^2)^2, where s^2 is the median of r^2 over the pixels that still count.
    """
    small = min(height, width) <= MAX_CONSTANT_SIDE
    order = 1 if small else 6 if background is None else 3
    terms, samples, at_samples, ridge = _basis(height, width, order)
    values = planes[:, samples]
    weight: Floats = np.ones(len(samples), np.float32)
    if background is not None:
        weight = background[samples].astype(np.float32)
    for _ in range(REWEIGHTINGS):
        weighted = at_samples * weight
        coefficients = np.linalg.solve(weighted @ at_samples.T + ridge, weighted @ values.T)
        residual = values - coefficients.T @ at_samples
        square = (residual * residual).sum(axis=0)
        scale = max(upper_median(square[weight > MIN_WEIGHT]), MIN_SCALE**2)
        weight = 1 / (1 + square / np.float32(scale)) ** 2
    surface = coefficients.T @ terms
    return surface.astype(np.float32, copy=False)


def upper_median(values: Floats) -> float:
    """The median, of two middle values the larger; 0 for an empty array."""
    half = len(values) // 2
    return float(np.partition(values, half)[half]) if len(values) else 0.0


def otsu_background(planes: Floats, height: int, width: int) -> Mask:
    """Split the grey levels of (C, H*W) planes in two and pick the background's side: (H*W,).

    Otsu's threshold maximises the variance between the two sides. The background is the bright
    side when bright pixels hold enough of the image and of its border: the share of the image
    and half the mean share of the four sides, together at most 1.5, must exceed half of that.
    """
    grey = planes.mean(axis=0)
    count = np.bincount(grey.astype(np.intp), minlength=256)
    below, total = count.cumsum(), (count * np.arange(256)).cumsum()
    gap = total * len(grey) - below * total[-1]
    between = gap.astype(np.float64) ** 2 / np.maximum(below * (len(grey) - below), 1)
    bright = (grey >= int(between.argmax()) + 1).reshape(height, width)
    across = (np.count_nonzero(bright[0]) + np.count_nonzero(bright[-1])) / width
    down = (np.count_nonzero(bright[:, 0]) + np.count_nonzero(bright[:, -1])) / height
    share = np.count_nonzero(bright) / bright.size
    background: Mask = bright.ravel() == ((across + down) / 8 + share > 0.75)
    return background


def opening(image: NDArray[np.int16], window: int) -> NDArray[np.int16]:
    """Erode, then dilate (H, W): erases what is bright and narrower than the window, in pixels."""
    return _running(_running(image, window, np.minimum), window, np.maximum)


def closing(image: NDArray[np.int16], window: int) -> NDArray[np.int16]:
    """Dilate, then erode (H, W): erases what is dark and narrower than the window, in pixels."""
    return _running(_running(image, window, np.maximum), window, np.minimum)


def _running(image: NDArray[np.int16], window: int, extreme: np.ufunc) -> NDArray[np.int16]:
    """Running maximum or minimum over window x window pixels, the border repeated outside.

    Each axis in log2(window) steps: two overlapping spans make one of twice the length.
    """
    beyond = window // 2
    for _ in range(2):
        lines = image.T
        image = np.empty((len(lines) + 2 * beyond, lines.shape[1]), np.int16)
        image[:beyond], image[beyond:-beyond], image[-beyond:] = lines[0], lines, lines[-1]
        span = 1
        while span < window:
            hop = min(span, window - span)
            image = extreme(image[:-hop], image[hop:])
            span += hop
    return image


def subtract_local_mean(signed: Floats, limit: float, height: int, width: int) -> Floats:
    """Subtract from (H*W,) differences their local mean over the background's pixels.

    Background is what differs by less than `limit` grey levels. Its mean in each cell of about
    CELL x CELL pixels is interpolated to all pixels.
    """
    size = (max(1, -(-width // CELL)), max(1, -(-height // CELL)))
    background = (np.abs(signed) < limit).astype(np.float32).reshape(height, width)
    total = Image.fromarray(background * signed.reshape(height, width)).resize(
        size, Image.Resampling.BOX
    )
    count = Image.fromarray(background).resize(size, Image.Resampling.BOX)
    mean = np.asarray(total) / (np.asarray(count) + np.float32(CELL_PRIOR))
    local = Image.fromarray(mean).resize((width, height), Image.Resampling.BICUBIC)
    level: Floats = signed - np.asarray(local).ravel()
    return level
