"""Digits as strokes: distance fields, which can be bent smoothly and inked again with any pen.

A digit of 8x8 counts is first turned back into a 32x32 bitmap whose 4x4 blocks have exactly those
counts, as the bitmaps had that the counts were taken from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float32]

BLOCK = 4
PAD = 6
"""Ground around the 32x32 bitmap, in pixels."""


def bitmaps_from_counts(counts: NDArray[np.generic], rounds: int = 8) -> NDArray[np.bool_]:
    """Smooth (N, 32, 32) bitmaps whose 4x4 block sums are exactly the given (N, 8, 8) counts."""
    target = np.rint(counts).astype(np.int64).reshape(len(counts), 64, 1)
    bitmaps = np.zeros((len(counts), 32, 32), dtype=np.bool_)
    smooth = ndimage.zoom(
        counts.astype(np.float32), (1, BLOCK, BLOCK), order=1, mode="grid-constant", grid_mode=True
    )
    for _ in range(rounds):
        blocks = smooth.reshape(-1, 8, BLOCK, 8, BLOCK).transpose(0, 1, 3, 2, 4).reshape(-1, 64, 16)
        rank = np.argsort(np.argsort(-blocks, axis=-1, kind="stable"), axis=-1, kind="stable")
        inked = (rank < target).reshape(-1, 8, 8, BLOCK, BLOCK).transpose(0, 1, 3, 2, 4)
        bitmaps[:] = inked.reshape(-1, 32, 32)
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
    """Distance fields of a set of signs, in pixels of the 32x32 bitmap, with ground around."""

    outline: Floats  # (N, s, s): positive in the ink, negative outside
    spine: Floats  # (N, s, s): distance to the middle line of the stroke
    radius: Floats  # (N,): typical half width of the stroke
    holes: Floats  # (N, 4): top, bottom, left, right of the largest hole; zeros if none

    def take(self, index: NDArray[np.integer]) -> Strokes:
        """Those of the digits, in that order."""
        return Strokes(
            self.outline[index], self.spine[index], self.radius[index], self.holes[index]
        )


def largest_hole(bitmap: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """Top, bottom, left, right of the largest ground enclosed by ink; zeros if there is none."""
    marked, _ = ndimage.label(~bitmap)
    sizes = np.bincount(marked[~bitmap])
    sizes[marked[0, 0]] = 0
    if not sizes.any():
        return 0.0, 0.0, 0.0, 0.0
    rows, columns = np.nonzero(marked == sizes.argmax())
    return float(rows.min()), float(rows.max()), float(columns.min()), float(columns.max())


def strokes_from_counts(counts: NDArray[np.generic]) -> Strokes:
    """Strokes of (N, 8, 8) digits."""
    return strokes_from_bitmaps(bitmaps_from_counts(counts))


def strokes_from_bitmaps(bitmaps: NDArray[np.bool_]) -> Strokes:
    """Strokes of (N, 32, 32) bitmaps, true where there is ink."""
    bitmaps = np.pad(bitmaps, ((0, 0), (PAD, PAD), (PAD, PAD)))
    skeletons = thin(bitmaps)
    distance = ndimage.distance_transform_edt
    inside = np.stack([distance(b) for b in bitmaps])
    outside = np.stack([distance(~b) for b in bitmaps])
    outline = np.where(bitmaps, inside - 0.5, 0.5 - outside).astype(np.float32)
    spine = np.stack([distance(~s) for s in skeletons]).astype(np.float32)
    radius = (outline * skeletons).sum((1, 2)) / np.maximum(skeletons.sum((1, 2)), 1)
    holes = np.array([largest_hole(b) for b in bitmaps], np.float32)
    return Strokes(outline, spine, radius.astype(np.float32), holes)


def pen_levels(strokes: Strokes, half_width: Floats, rng: np.random.Generator) -> Floats:
    """Ink level fields, positive where a pen of the given half width leaves ink."""
    change = half_width - strokes.radius
    uniform = np.maximum(rng.random(len(change)), np.clip(-change, 0, 1)).astype(np.float32)
    uniform = uniform[:, None, None]
    levels = (1 - uniform) * strokes.outline
    levels += uniform * (strokes.radius[:, None, None] - strokes.spine)
    inked: Floats = levels + change[:, None, None]
    return inked


def curve(points: Floats, steps: int = 16) -> Floats:
    """Points (steps, N, 2) along quadratic curves by (N, 3, 2) control points."""
    t = np.linspace(0, 1, steps, dtype=np.float32)[:, None, None]
    path: Floats = (1 - t) ** 2 * points[:, 0] + 2 * t * (1 - t) * points[:, 1]
    path = path + t * t * points[:, 2]
    return path


def path_distance(path: Floats, size: int) -> Floats:
    """Distances (N, size, size) to the nearest of the points (M, N, 2), as (y, x)."""
    place = np.arange(size, dtype=np.float32)
    nearest = np.full((path.shape[1], size, size), np.inf, np.float32)
    for y, x in path.astype(np.float32).transpose(0, 2, 1):
        dy, dx = (place - y[:, None]) ** 2, (place - x[:, None]) ** 2
        np.minimum(nearest, dy[:, :, None] + dx[:, None, :], out=nearest)
    return np.sqrt(nearest)
