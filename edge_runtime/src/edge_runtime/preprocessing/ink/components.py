"""The connected components of the ink: which belong to the digit.

The ink levels are thresholded and the mask split into 8-connected components: runs of each row,
joined by union-find (Rosenfeld & Pfaltz 1966). The largest component is the digit's main stroke.
Detached strokes near it belong to the digit; dust is left out of its box; ruled lines and what a
neighbour left at the edge of the image are erased.

All numbers were set by hand when the finder was written, in November 2026; docs/preprocessing.md
has the measurement of how much depends on those that matter.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .types import Box, Bytes, Mask

INK_THRESHOLD = 90
"""Of 255, the ink level above which a pixel counts as digit: about a third covered by the stroke,
so that the box of a digit is about the same at every size."""
MIN_DIGIT_SIDE = 0.06
"""Of the frame's long side: a smaller main component is dust. At the 128 px analysed: 8 px."""
MIN_DIGIT_PIXELS = 3
"""px, the same bound in small images."""
MIN_STROKE_SIDE = 0.12
"""Of the main component's long side: smaller detached components are dust, not strokes."""
MAX_GAP = 0.22
"""How far a detached stroke may be from the digit's box: this share of the main component's long
side plus twice the stroke's own long side. A long bar may stand farther off than a dot."""
MAX_COMPONENTS = 10
"""With more components than this, and less than MIN_MAIN_SHARE of the ink in the main one, the
ink is paper grain, not a digit."""
MIN_MAIN_SHARE = 1 / 3
"""See MAX_COMPONENTS; of the ink that does not touch the border."""
INNER_WEIGHT = 4
"""A component that does not touch the border counts as this many times its area when the main one
is chosen: what touches it may be a neighbour's."""
SPANNING = 0.8
"""Of the image's width or height: a component this long goes right across it."""
MAX_RULED_BREADTH = 0.08
"""Of the image's height or width: a component that goes right across it and is thinner is a ruled
line. Also the area of a printed frame, as a share of the image's."""
MIN_BESIDE_RULED = 0.15
"""Of the frame's long side: ruled lines are only discarded if another component is this large;
else the line may be a stroke, such as a one that fills its frame."""
SOFT_EDGE = 2
"""px around an erased component: its edge below the ink threshold."""


def least_digit_side(height: int, width: int) -> float:
    """The long side that a digit must have at least, in pixels."""
    return max(MIN_DIGIT_PIXELS, MIN_DIGIT_SIDE * max(height, width))


def digit_box(level: Bytes, clean: bool) -> tuple[Bytes, Box] | None:
    """Find the digit in (H, W) uint8 ink levels, 0 = background to 255 = ink.

    clean: the levels have no noise, so that ink along the border is the digit's own.
    Returns the levels with foreign components inside the box erased, and the digit's box; None
    if there is nothing but dust.
    """
    mask = level > INK_THRESHOLD
    rows, cols = mask.any(axis=1).tobytes(), mask.any(axis=0).tobytes()
    y0, y1, x0, x1 = rows.find(1), rows.rfind(1) + 1, cols.find(1), cols.rfind(1) + 1
    if max(x1 - x0, y1 - y0) < least_digit_side(*mask.shape):
        return None
    apart = 0 in rows[y0:y1] or 0 in cols[x0:x1]
    touching = x0 == 0 or y0 == 0 or y1 == len(rows) or x1 == len(cols)
    if apart or (touching and not clean):
        return _select_components(level, mask, clean)
    return level, (x0, y0, x1, y1)


class Runs(NamedTuple):
    """Horizontal runs of a mask: row, first column, last column + 1, number of the component."""

    row: NDArray[np.intp]
    start: NDArray[np.intp]
    stop: NDArray[np.intp]
    component: NDArray[np.intp]


def label_runs(mask: Mask) -> Runs:
    """Split (H, W) into runs and label their 8-connected components from 0."""
    height, width = mask.shape
    step = width + 2  # two columns of background, so that runs of neighbouring rows stay apart
    flat = np.zeros((height, step), np.int8)
    flat[:, 1:-1] = mask
    change = np.flatnonzero(np.diff(flat.ravel()))
    start, stop = change[::2], change[1::2]
    first = np.searchsorted(stop, start + step).tolist()
    last = np.searchsorted(start, stop + step, side="right").tolist()
    root = list(range(len(first)))
    for i, (a, b) in enumerate(zip(first, last, strict=True)):
        for j in range(a, b):
            p, q = i, j
            while root[p] != p:
                p = root[p]
            while root[q] != q:
                q = root[q]
            root[max(p, q)] = min(p, q)
    for i, p in enumerate(root):
        root[i] = root[p]
    component = np.unique(root, return_inverse=True)[1]
    return Runs(start // step, start % step, stop % step, component)


def boxes_and_areas(runs: Runs) -> NDArray[np.int64]:
    """One row a component: left, top, right, bottom, area."""
    table = np.zeros((int(runs.component.max()) + 1, 5), np.int64)
    table[:, :2] = np.iinfo(np.int64).max
    np.minimum.at(table[:, 0], runs.component, runs.start)
    np.minimum.at(table[:, 1], runs.component, runs.row)
    np.maximum.at(table[:, 2], runs.component, runs.stop)
    np.maximum.at(table[:, 3], runs.component, runs.row + 1)
    np.add.at(table[:, 4], runs.component, runs.stop - runs.start)
    return table


def _select_components(level: Bytes, mask: Mask, clean: bool) -> tuple[Bytes, Box] | None:
    """As digit_box: the main component, the strokes near it, and without foreign ones."""
    height, width = mask.shape
    frame = max(height, width)
    runs = label_runs(mask)
    table = boxes_and_areas(runs)
    x0, y0, x1, y1, area = table.T
    side = np.maximum(x1 - x0, y1 - y0)
    at_border = (x0 == 0) | (y0 == 0) | (x1 == width) | (y1 == height)
    ruled = _ruled_lines(table, height, width)
    ruled &= bool(((side >= MIN_BESIDE_RULED * frame) & ~ruled).any())
    main = int((area * np.where(at_border, 1, INNER_WEIGHT) * ~ruled).argmax())
    size = int(side[main])
    many = len(table) > MAX_COMPONENTS
    grain = many and area[main] < MIN_MAIN_SHARE * area[~at_border].sum()
    if grain or size < least_digit_side(height, width):
        return None
    spans = x1[main] - x0[main] >= SPANNING * width or y1[main] - y0[main] >= SPANNING * height
    tight_crop = bool(at_border[main]) and (clean or spans)
    foreign = ruled | (at_border & (not tight_crop))
    foreign[main] = False
    left, top, right, bottom = box = _box_of_strokes(table, side, main, foreign)
    inside = foreign & (x0 < right) & (x1 > left) & (y0 < bottom) & (y1 > top)
    if inside.any():
        level = _erased(level, mask, runs, inside)
    return level, box


def _box_of_strokes(
    table: NDArray[np.int64], side: NDArray[np.int64], main: int, foreign: Mask
) -> Box:
    """Grow the main component's box by detached strokes until none is near any more.

    side: (K,), the long side of each component.
    """
    x0, y0, x1, y1, _ = table.T
    size = int(side[main])
    strokes = (side >= MIN_STROKE_SIDE * size) & ~foreign & (np.arange(len(table)) != main)
    left = np.flatnonzero(strokes)
    box = table[main, :4].copy()
    while len(left):
        across = np.maximum(x0[left] - box[2], box[0] - x1[left])
        gap = np.maximum(across, np.maximum(y0[left] - box[3], box[1] - y1[left]))
        near = gap <= MAX_GAP * (size + 2 * side[left])
        if not near.any():
            break
        box[:2] = np.minimum(box[:2], table[left[near], :2].min(axis=0))
        box[2:] = np.maximum(box[2:], table[left[near], 2:4].max(axis=0))
        left = left[~near]
    return int(box[0]), int(box[1]), int(box[2]), int(box[3])


def _erased(level: Bytes, mask: Mask, runs: Runs, foreign: Mask) -> Bytes:
    """The levels with the foreign components and their soft edges set to 0."""
    near = np.zeros_like(mask)
    own = mask.copy()
    drop = foreign[runs.component]
    for row, start, stop in zip(
        runs.row[drop].tolist(), runs.start[drop].tolist(), runs.stop[drop].tolist(), strict=True
    ):
        own[row, start:stop] = False
        top, left = max(0, row - SOFT_EDGE), max(0, start - SOFT_EDGE)
        near[top : row + SOFT_EDGE + 1, left : stop + SOFT_EDGE] = True
    return np.where(near & ~own, np.uint8(0), level).astype(np.uint8)


def _ruled_lines(table: NDArray[np.int64], height: int, width: int) -> Mask:
    """Components that look like a ruled line or a printed frame: right across, and thin."""
    wide, high, area = table[:, 2] - table[:, 0], table[:, 3] - table[:, 1], table[:, 4]
    across, down = wide >= SPANNING * width, high >= SPANNING * height
    line = across & (high < MAX_RULED_BREADTH * height)
    line |= down & (wide < MAX_RULED_BREADTH * width)
    return line | (across & down & (area < MAX_RULED_BREADTH * height * width))
