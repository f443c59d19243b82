"""The background of a photo: a smooth surface under the ink."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .clean import CLEAN

ROUNDS = 4  # of reweighting in the ground fit
SAMPLES = 16  # points along each side at which the ground surface is fitted

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


class Basis(NamedTuple):
    """`terms` (K, H*W) of a surface; flat indices of about SAMPLES^2 `samples`; the terms there,
    `at`; the `prior` (K, K) that keeps a fit to few samples tame."""

    terms: Floats
    samples: NDArray[np.intp]
    at: Floats
    prior: Floats


@lru_cache(maxsize=32)
def _basis(height: int, width: int, order: int) -> Basis:
    """The first `order` terms of a quadratic surface: 1 a constant, 3 a plane, 6 all."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    y, x = (2 * y + 1) / height - 1, (2 * x + 1) / width - 1
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=0).reshape(6, -1)
    rows = np.unique(np.linspace(0, height - 1, SAMPLES).round().astype(int))
    cols = np.unique(np.linspace(0, width - 1, SAMPLES).round().astype(int))
    index = (rows[:, None] * width + cols).ravel()
    prior = np.diag(np.full(order, 1e-3 * len(index), np.float32))
    prior[0, 0] = 1e-4
    return Basis(terms[:order], index, terms[:order][:, index], prior)


def surface(planes: Floats, height: int, width: int, ground: Mask | None) -> Floats:
    """Robust ground (C, H*W) under (C, H*W): a quadratic in which outliers (the ink) lose their
    weight; or, from a mask of likely ground, a plane through that (a constant if tiny)."""
    order = 1 if min(height, width) <= CLEAN // 2 else 6 if ground is None else 3
    terms, samples, at, prior = _basis(height, width, order)
    values = planes[:, samples]
    weight: Floats = np.ones(len(samples), np.float32)
    if ground is not None:
        weight = ground[samples].astype(np.float32)
    for _ in range(ROUNDS):
        weighted = at * weight
        coef = np.linalg.solve(weighted @ at.T + prior, weighted @ values.T)
        off = values - coef.T @ at
        square = (off * off).sum(axis=0)
        weight = 1 / (1 + square / np.float32(max(middle_value(square[weight > 0.1]), 4.0))) ** 2
    surface = coef.T @ terms
    return surface.astype(np.float32, copy=False)


def middle_value(values: Floats) -> float:
    """Upper median, 0 of none."""
    half = len(values) // 2
    return float(np.partition(values, half)[half]) if len(values) else 0.0


def likely_ground(planes: Floats, height: int, width: int) -> Mask:
    """(H*W,) the side of Otsu's split that holds more of the image and of its border."""
    grey = planes.mean(axis=0)
    count = np.bincount(grey.astype(np.intp), minlength=256)
    below, total = count.cumsum(), (count * np.arange(256)).cumsum()
    gap = total * len(grey) - below * total[-1]
    split = int((gap.astype(np.float64) ** 2 / np.maximum(below * (len(grey) - below), 1)).argmax())
    bright = (grey >= split + 1).reshape(height, width)
    edge = (
        float(bright[0].mean() + bright[-1].mean() + bright[:, 0].mean() + bright[:, -1].mean()) / 4
    )
    likely: Mask = bright.ravel() == (0.5 * edge + float(bright.mean()) > 0.75)
    return likely


def level_ground(signed: Floats, level: float, height: int, width: int) -> Floats:
    """Take away what is left of the ground locally: means on a coarse grid, outliers left out."""
    size = (max(1, -(-width // 12)), max(1, -(-height // 12)))
    paper = (np.abs(signed) < 0.4 * level).astype(np.float32).reshape(height, width)
    total = Image.fromarray(paper * signed.reshape(height, width)).resize(
        size, Image.Resampling.BOX
    )
    count = Image.fromarray(paper).resize(size, Image.Resampling.BOX)
    grid = np.asarray(total) / (np.asarray(count) + np.float32(0.15))
    local = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)
    flat: Floats = signed - np.asarray(local).ravel()
    return flat
