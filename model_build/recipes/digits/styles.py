"""Styles that the digits lack: edits of their strokes, in place, as other hands write.

Sevens without a bar, looped twos, sixes and nines with a plain stem, open loops of sixes, hooked
ends, digits spliced from two of a class, and European ones, sevens and fives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .european import (
    centre_at,
    write_flagged_ones,
    write_sevens,
    write_top_of_fives,
)
from .strokes import PAD, Floats, Strokes, curve, path_distance

HOOKED_TOP = (2, 3, 7)
"""Digits that begin at the upper left."""
HOOKED_FOOT = (3, 5)
"""Digits that end at the lower left."""


@dataclass(frozen=True)
class Styles:
    """Shares of the digits that are edited."""

    splice: float = 0.2  # of all, whose lower part comes from another of their class
    unbarred: float = 0.6  # of the sevens, left without a bar
    looped: float = 0.4  # of the twos, given a loop at the foot
    restemmed: float = 0.3  # of the sixes and nines, given a plain new stem
    opened: float = 0.3  # of those sixes, whose loop is left open
    hooked: float = 0.25  # of the free left ends of 2, 3 (both), 5 and 7, bent into a hook
    flagged: float = 0.25  # of the ones, given a long flag
    feet: float = 0.6  # of those, given a foot as well
    rewritten: float = 0.3  # of the sevens, with other tops and stems
    bars: float = 0.5  # of those, with a bar
    leaning: float = 0.2  # of the fives, whose top bar leans or stands apart


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
    holes = strokes.holes.copy()
    holes[chosen] = 0
    return Strokes(outline, spine, radius, holes)


def unbar(strokes: Strokes, chosen: NDArray[np.integer]) -> None:
    """Leave only the stem between the top stroke and the foot of the chosen sevens, in place."""
    size = strokes.outline.shape[1]
    top, foot = PAD + 11, PAD + 28
    x = np.arange(size, dtype=np.float32)
    upper, lower = centre_at(strokes, chosen, top), centre_at(strokes, chosen, foot)
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
    long = span * rng.uniform(0.2, 0.5, count)
    wide = rng.uniform(2, 8.5, count)
    turn = rng.uniform(-0.7, 0.7, count)
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


def new_stem(
    strokes: Strokes, chosen: NDArray[np.integer], up: bool, rng: np.random.Generator
) -> Floats:
    """Control points (N, 3, 2) of a stem from the loop of sixes (`up`) or nines outwards."""
    count, centre = len(chosen), strokes.outline.shape[1] / 2
    top, bottom, left, right = strokes.holes[chosen].T
    radius = strokes.radius[chosen]
    sign = 1 if up else -1  # a nine is a six upside down
    join = (left - radius) if up else (right + radius)
    tip = centre - sign * rng.uniform(5, 20, count)
    drift = sign * rng.uniform(-6, 13, count)
    bow = -sign * rng.uniform(-2, 4, count)
    start = np.stack([(top + bottom) / 2, join], 1)
    end = np.stack([tip, join + drift], 1)
    return np.stack([start, (start + end) / 2 + np.stack([np.zeros(count), bow], 1), end], 1)


def cleared(
    strokes: Strokes, chosen: NDArray[np.integer], up: bool, opened: float, rng: np.random.Generator
) -> Floats:
    """How deep (N, s, s) places lie beyond the loop, where the old stem was, or in a gap at its
    upper left, which the share `opened` has.
    """
    count = len(chosen)
    top, bottom, left, _ = strokes.holes[chosen].T
    radius = strokes.radius[chosen]
    place = np.arange(strokes.outline.shape[1], dtype=np.float32)
    edge = (top - radius) if up else (bottom + radius)
    beyond = (edge[:, None] - place) if up else (place - edge[:, None])
    gap = np.where(rng.random(count) < opened, rng.uniform(1, 5, count), -9)
    shift = rng.uniform(0, 4, count)
    near = np.hypot(
        (place - (top - radius)[:, None])[:, :, None], (place - (left + shift)[:, None])[:, None, :]
    )
    depth: Floats = np.maximum(beyond[:, :, None], gap[:, None, None] - near).astype(np.float32)
    return depth


def restem(
    strokes: Strokes,
    chosen: NDArray[np.integer],
    up: bool,
    opened: float,
    rng: np.random.Generator,
) -> None:
    """Keep only the loop of the chosen sixes (`up`) or nines and draw a new stem, in place."""
    chosen = chosen[strokes.holes[chosen, 1] > 0]
    path = curve(new_stem(strokes, chosen, up, rng))
    stem = path_distance(path, strokes.outline.shape[1])
    depth = cleared(strokes, chosen, up, opened, rng)
    wide = strokes.radius[chosen, None, None]
    outline = np.minimum(strokes.outline[chosen], wide - depth)
    strokes.outline[chosen] = np.maximum(outline, wide - stem)
    strokes.spine[chosen] = np.minimum(np.maximum(strokes.spine[chosen], depth), stem)


def hook(
    strokes: Strokes, chosen: NDArray[np.integer], top: bool, rng: np.random.Generator
) -> None:
    """Bend the end of the stroke at the upper or the lower left of the chosen digits, in place."""
    count, size = len(chosen), strokes.outline.shape[1]
    first = PAD if top else size - PAD - 9
    ink = strokes.outline[chosen, first : first + 9] > 0
    column = ink.any(1).argmax(1)
    lit = ink[np.arange(count), :, column]
    row = first + (lit * np.arange(9)).sum(1) / np.maximum(lit.sum(1), 1)
    radius = strokes.radius[chosen]
    sign = 1 if top else -1
    start = np.stack([row, column + radius], 1)
    rise = sign * rng.uniform(1.5, 5, count)
    end = start + np.stack([rise, rng.uniform(-4, 5, count)], 1)
    pull = start + np.stack([rise * rng.uniform(0, 0.6, count), -rng.uniform(0, 7, count)], 1)
    bent = path_distance(curve(np.stack([start, pull, end], 1)), size)
    strokes.outline[chosen] = np.maximum(strokes.outline[chosen], radius[:, None, None] - bent)
    strokes.spine[chosen] = np.minimum(strokes.spine[chosen], bent)


def restyle(
    strokes: Strokes, labels: NDArray[np.integer], styles: Styles, rng: np.random.Generator
) -> tuple[Strokes, NDArray[np.bool_]]:
    """The strokes of (N,) digits with shares of them edited; and (N,): which have a long flag."""
    count = len(labels)

    def some(of: NDArray[np.bool_], share: float) -> NDArray[np.intp]:
        return np.flatnonzero(of & (rng.random(count) < share))

    strokes = splice(strokes, labels, styles.splice, rng)
    unbar(strokes, some(labels == 7, styles.unbarred))
    add_loop(strokes, some(labels == 2, styles.looped), rng)
    restem(strokes, some(labels == 6, styles.restemmed), True, styles.opened, rng)
    # open at the upper left, a nine would be a three
    restem(strokes, some(labels == 9, styles.restemmed), False, 0.0, rng)
    hook(strokes, some(np.isin(labels, HOOKED_TOP), styles.hooked), True, rng)
    hook(strokes, some(np.isin(labels, HOOKED_FOOT), styles.hooked), False, rng)
    write_sevens(strokes, some(labels == 7, styles.rewritten), styles.bars, rng)
    write_top_of_fives(strokes, some(labels == 5, styles.leaning), rng)
    flagged = some(labels == 1, styles.flagged)
    write_flagged_ones(strokes, flagged, styles.feet, rng)
    return strokes, np.isin(np.arange(count), flagged)
