"""Ones, sevens and fives as European schools teach them, written into digits' strokes.

Each digit lends its place, its slant and its pen; what is written is drawn by rule. Rows, columns
and lengths are pixels of the 32x32 bitmap.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .strokes import PAD, Floats, Strokes, curve, path_distance

Reals = NDArray[np.floating]
HEIGHT = 32
FLAG_ANGLES = (30.0, 65.0)
"""Degrees of the chord of a one's flag above the level: less steep, it is the top of a seven."""
FLAG_HEIGHTS = (0.35, 0.75)
"""How far a flag goes down the stem, as shares of the height: whatever its width becomes in the
tensor, the top of a seven does not go down as far."""
LOWEST_TIP = 0.28
"""How far the top of a seven without a bar sinks to the left at most, as a share of the height."""
WIDEST_FLAG = 0.8
"""How far a flag goes to the left at most, as a share of the height."""


def centre_at(strokes: Strokes, chosen: NDArray[np.integer], row: int) -> Floats:
    """(N,): the column of the middle of the ink in the three rows around one."""
    x = np.arange(strokes.outline.shape[2], dtype=np.float32)
    near = np.clip(strokes.outline[chosen, row - 1 : row + 2].mean(1) + 1, 0, None) + 1e-3
    middle: Floats = (near * x).sum(1) / near.sum(1)
    return middle


def ends_at(
    strokes: Strokes, chosen: NDArray[np.integer], first: int, last: int
) -> tuple[Floats, Floats]:
    """(N,) each: the leftmost and the rightmost column with ink in rows from first to last."""
    ink: NDArray[np.bool_] = np.any(strokes.outline[chosen, first:last] > 0, axis=1)
    left, right = ink.argmax(1), ink.shape[1] - 1 - ink[:, ::-1].argmax(1)
    return left.astype(np.float32), right.astype(np.float32)


def points(*places: tuple[Reals | float, Reals | float]) -> Floats:
    """(N, K, 2): K places, each a row and a column for each of N digits."""
    rows_and_columns = np.broadcast_arrays(*(value for place in places for value in place))
    return np.stack(rows_and_columns, 1).reshape(-1, len(places), 2).astype(np.float32)


def write(
    strokes: Strokes,
    chosen: NDArray[np.integer],
    paths: list[Floats],
    above: int | None = None,
) -> None:
    """Write lines, (M, N, 2) each, in place of the chosen digits, or of their rows above one."""
    lines = path_distance(np.concatenate(paths), strokes.outline.shape[1])
    radius = strokes.radius[chosen, None, None]
    if above is None:
        strokes.spine[chosen], strokes.outline[chosen] = lines, radius - lines
    else:
        rows = np.arange(lines.shape[1], dtype=np.float32)[:, None]
        depth = above - rows  # of a place, in what is cleared
        strokes.spine[chosen] = np.minimum(np.maximum(strokes.spine[chosen], radius + depth), lines)
        outline = np.minimum(strokes.outline[chosen], -depth)
        strokes.outline[chosen] = np.maximum(outline, radius - lines)
    strokes.holes[chosen] = 0


def bent(start: Reals, end: Reals, bow: Reals) -> Floats:
    """A line (M, N, 2) between (N, 2) places, off the chord by `bow` of its length at most."""
    along = end - start
    aside = np.stack([along[:, 1], -along[:, 0]], 1) * (2 * bow[:, None])
    return curve(np.stack([start, (start + end) / 2 + aside, end], 1).astype(np.float32))


def flag_of_one(count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """(N,) each: how far down and how far to the left flags go."""
    steep = np.tan(np.radians(rng.uniform(*FLAG_ANGLES, count)))
    down = HEIGHT * rng.uniform(*FLAG_HEIGHTS, count)
    down = np.minimum(down, WIDEST_FLAG * HEIGHT * steep)
    return down.astype(np.float32), (down / steep).astype(np.float32)


def write_flagged_ones(
    strokes: Strokes, chosen: NDArray[np.integer], feet: float, rng: np.random.Generator
) -> None:
    """Write the chosen ones with a flag, and the share `feet` of them with a foot, in place."""
    count = len(chosen)
    upper, lower = PAD + 16, PAD + 26  # below most flags and above feet
    slant = centre_at(strokes, chosen, lower) - centre_at(strokes, chosen, upper)
    slant = np.clip(slant / (lower - upper), -0.4, 0.4) * HEIGHT / 2
    down, left = flag_of_one(count, rng)
    foot = (rng.random(count) < feet) * rng.uniform(0.3, 1.1, (2, count))
    foot *= np.maximum(left, HEIGHT / 4)
    middle = strokes.outline.shape[2] / 2 + (np.maximum(left, foot[0]) - foot[1]) / 2
    top, end = PAD + 1, PAD + HEIGHT - 1
    start = points((top, middle - slant))[:, 0]
    stop = points((end, middle + slant))[:, 0]
    tip = start + np.stack([down, -left], 1)
    slope = rng.normal(0, 0.1, count)
    flag_bow = rng.uniform(-0.2, 0.2, count) * (rng.random(count) < 0.6)
    stem_bow = rng.normal(0, 0.03, count)
    first = stop + np.stack([slope * foot[1], foot[1]], 1)
    last = stop - np.stack([slope * foot[0], foot[0]], 1)
    lines = [
        bent(tip, start, flag_bow),
        bent(start, stop, stem_bow),
        bent(first, last, np.zeros(count)),
    ]
    write(strokes, chosen, lines)


def write_sevens(
    strokes: Strokes, chosen: NDArray[np.integer], bars: float, rng: np.random.Generator
) -> None:
    """Write the chosen sevens with a level, wavy or hooked top, and the share `bars` of them with
    a bar, in place. The tops of the others may slope a little.
    """
    count = len(chosen)
    left, right = ends_at(strokes, chosen, PAD, PAD + 8)
    left, right = left + strokes.radius[chosen], right - strokes.radius[chosen]
    right = np.maximum(right, left + 10)
    top, end = PAD + 2, PAD + HEIGHT - 1
    wave = rng.uniform(0, 3.5, count) * (rng.random(count) < 0.5)
    hook = rng.uniform(2, 10, count) * (rng.random(count) < 0.4)
    middle = left + (right - left) * rng.uniform(0.35, 0.65, count)
    edge = left + rng.uniform(-2, 1.5, count) * (hook > 0)
    barred = rng.random(count) < bars
    sag = np.where(barred, 0, rng.uniform(0, LOWEST_TIP * HEIGHT, count))
    tip, half = top + sag, top + sag / 2
    foot = centre_at(strokes, chosen, end - 2) + rng.normal(0, 2.5, count)
    turn = rng.uniform(1, 6, count) * (rng.random(count) < 0.5)  # of the corner
    start, stop = points((top + turn, right))[:, 0], points((end, foot))[:, 0]
    stem = bent(start, stop, rng.uniform(-0.06, 0.16, count) * (rng.random(count) < 0.7))
    paths = [
        curve(points((tip + hook, edge), (tip + hook / 3, left - 0.5), (tip, left))),
        curve(points((tip, left), (half - 2 * wave, (left + middle) / 2), (half, middle))),
        curve(
            points((half, middle), (top + 2 * wave, (middle + right) / 2), (top, right - turn / 2))
        ),
        curve(points((top, right - turn / 2), (top, right), (top + turn, right))),
        stem,
    ]
    crossing = stem[rng.integers(5, 11, count), np.arange(count)]
    arms = rng.uniform(3, 12, (2, count)) * barred
    rise = rng.uniform(-0.1, 0.45, count)
    first = crossing + np.stack([rise * arms[0], -arms[0]], 1)
    last = crossing + np.stack([-rise * arms[1], arms[1]], 1)
    write(strokes, chosen, [*paths, bent(first, last, rng.normal(0, 0.05, count))])


def write_top_of_fives(
    strokes: Strokes, chosen: NDArray[np.integer], rng: np.random.Generator
) -> None:
    """Write the tops of the chosen fives with a bar that leans or stands apart, in place."""
    count, join = len(chosen), PAD + 10
    left = ends_at(strokes, chosen, join - 1, join + 2)[0] + strokes.radius[chosen]
    right = ends_at(strokes, chosen, PAD, join)[1] - strokes.radius[chosen]
    width = np.maximum(right - left, 8)
    stem = left + rng.uniform(-1, 5, count)
    top = PAD + rng.uniform(1, 4, count)
    apart = rng.uniform(1, 5, count) * (rng.random(count) < 0.5)
    rise = rng.uniform(-0.1, 0.4, count)
    start = points((top - apart / 3, stem + apart))[:, 0]
    stop = start + np.stack([-rise * width, width * rng.uniform(0.6, 1.1, count)], 1)
    paths = [
        bent(points((top, stem))[:, 0], points((join, left))[:, 0], np.zeros(count)),
        bent(start, stop, rng.uniform(-0.1, 0.1, count)),
    ]
    write(strokes, chosen, paths, above=join)
