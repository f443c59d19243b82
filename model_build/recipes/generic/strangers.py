"""Things that belong to no class, drawn as input tensors: what the minimum score should refuse."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edge_runtime.bundle.spec import InputSpec

Pixels = NDArray[np.uint8]

COUNT = 50
"""How many of each kind are drawn."""
_DISKS = 60


def draw_strangers(reads: str, spec: InputSpec, seed: int) -> Mapping[str, Pixels]:
    """By a name for the manifest, (COUNT, height, width, channels) tensors each.

    reads: what the model reads. Noise is white or of any coarseness, blank is one value; for images
    there are also drawn ones, of many overlapping disks, which are in many ways as photos are (Lee,
    Mumford & Huang, 2001).
    """
    kinds: dict[str, Callable[[InputSpec, np.random.Generator], NDArray[np.float64]]] = {
        "noise_refused": _noise,
        "blank_refused": _blank,
    }
    if reads == "image":
        kinds["drawn_disks_refused"] = _disks
    rng = np.random.default_rng(seed)
    return {
        name: np.stack([np.clip(np.rint(draw(spec, rng)), 0, 255) for _ in range(COUNT)]).astype(
            np.uint8
        )
        for name, draw in kinds.items()
    }


def _noise(spec: InputSpec, rng: np.random.Generator) -> NDArray[np.float64]:
    """Noise of which a grain is a pixel, or up to half of the longer side."""
    grain = np.exp(rng.uniform(0, np.log(max(spec.height, spec.width) / 2)))
    sides = [max(1, round(side / grain)) for side in (spec.height, spec.width)]
    coarse = rng.uniform(0, 255, (*sides, spec.channels))
    return np.asarray(tf.image.resize(coarse, (spec.height, spec.width), "bicubic"), np.float64)


def _blank(spec: InputSpec, rng: np.random.Generator) -> NDArray[np.float64]:
    """One value in each channel; 0 is left out, which some readers refuse themselves."""
    return np.broadcast_to(rng.integers(1, 256, spec.channels), spec.shape).astype(np.float64)


def _disks(spec: InputSpec, rng: np.random.Generator) -> NDArray[np.float64]:
    """Disks of all sizes, each over those before, the area of a disk as often small as large."""
    image = np.broadcast_to(rng.uniform(0, 255, spec.channels), spec.shape).copy()
    side = max(spec.height, spec.width)
    rows, columns = np.mgrid[: spec.height, : spec.width]
    for _ in range(_DISKS):
        radius = side * np.exp(rng.uniform(np.log(0.02), np.log(0.4)))
        y, x = rng.uniform(0, spec.height), rng.uniform(0, spec.width)
        inside = (rows - y) ** 2 + (columns - x) ** 2 < radius**2
        image[inside] = rng.uniform(0, 255, spec.channels) + rng.normal(0, 8, (inside.sum(), 1))
    return image
