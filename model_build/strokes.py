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
    """Distance fields of a set of digits, in pixels of the 32x32 bitmap, with ground around."""

    outline: Floats  # (N, s, s): positive in the ink, negative outside
    spine: Floats  # (N, s, s): distance to the middle line of the stroke
    radius: Floats  # (N,): typical half width of the stroke

    def take(self, index: NDArray[np.integer]) -> Strokes:
        """Those of the digits, in that order."""
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


def splice(
    strokes: Strokes, labels: NDArray[np.integer], share: float, rng: np.random.Generator
) -> Strokes:
    """Give a share of the digits the lower part of another digit of their class."""
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


def unbar(strokes: Strokes, chosen: NDArray[np.integer]) -> None:
    """Leave only the stem between the top stroke and the foot of the chosen sevens, in place."""
    size = strokes.outline.shape[1]
    top, foot = PAD + 11, PAD + 28
    x = np.arange(size, dtype=np.float32)

    def stem_at(row: int) -> Floats:
        near = np.clip(strokes.outline[chosen, row - 1 : row + 2].mean(1) + 1, 0, None) + 1e-3
        middle: Floats = (near * x).sum(1) / near.sum(1)
        return middle

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
    seen: NDArray[np.bool_] = np.any(foot, axis=1)
    first = seen.argmax(1)
    last = size - seen[:, ::-1].argmax(1)
    span = np.maximum(last - first, 8)
    long = span * rng.uniform(0.2, 0.36, count)
    wide = rng.uniform(2, 4.5, count)
    turn = rng.uniform(-0.5, 0.7, count)
    middle_y = PAD + 30 - wide * rng.uniform(-0.5, 0.9, count)  # the tail crosses the loop
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


def pen_levels(strokes: Strokes, half_width: Floats, rng: np.random.Generator) -> Floats:
    """Ink level fields, positive where a pen of the given half width leaves ink."""
    change = half_width - strokes.radius
    uniform = np.maximum(rng.random(len(change)), np.clip(-change, 0, 1)).astype(np.float32)
    uniform = uniform[:, None, None]
    levels = (1 - uniform) * strokes.outline
    levels += uniform * (strokes.radius[:, None, None] - strokes.spine)
    inked: Floats = levels + change[:, None, None]
    return inked
