"""The connected pieces of a mask: which are the digit, which are dust, lines and neighbours."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

EDGE = 90  # of 255, ink that counts as digit: well covered, so that sizes agree across scales
MIN_EXTENT = 0.06  # of the frame's long side: smaller marks are dust, not a digit
SPECK = 0.12  # of the digit's long side: detached marks smaller than this are dust
REACH = 0.22  # of the main piece's long side plus twice a detached stroke's: how far that may be
CRUMBS = 10  # pieces, beyond which a main piece with under a third of all ink is grain, not a digit

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]
"""Left, top, right, bottom, the last two exclusive."""


def digit_box(level: Bytes, clean: bool) -> tuple[Bytes, Box] | None:
    """The digit in (H, W) uint8 ink levels, 0 = ground to 255 = ink.

    clean: the levels are noiseless, so that ink along the border is the digit's own.
    Returns the levels without the pieces of neighbours, and the box of the digit; None when
    there is nothing but dust.
    """
    mask = level > EDGE
    rows, cols = mask.any(axis=1).tobytes(), mask.any(axis=0).tobytes()
    y0, y1, x0, x1 = rows.find(1), rows.rfind(1) + 1, cols.find(1), cols.rfind(1) + 1
    if max(x1 - x0, y1 - y0) < max(3, MIN_EXTENT * max(mask.shape)):
        return None
    apart = 0 in rows[y0:y1] or 0 in cols[x0:x1]
    touching = x0 == 0 or y0 == 0 or y1 == len(rows) or x1 == len(cols)
    if apart or (touching and not clean):
        return _main_box(level, mask, clean)
    return level, (x0, y0, x1, y1)


class Runs(NamedTuple):
    """Horizontal runs of a mask: row, first and last + 1 column, and the piece each belongs to."""

    row: NDArray[np.intp]
    start: NDArray[np.intp]
    stop: NDArray[np.intp]
    piece: NDArray[np.intp]


def _runs(mask: Mask) -> Runs:
    """The runs of (H, W) joined into 8-connected pieces numbered from 0."""
    height, width = mask.shape
    step = width + 2  # two columns of ground, so that runs of neighbouring rows stay apart
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
    piece = np.unique(root, return_inverse=True)[1]
    return Runs(start // step, start % step, stop % step, piece)


def _extents(runs: Runs) -> NDArray[np.int64]:
    """One row a piece: left, top, right, bottom, area."""
    table = np.zeros((int(runs.piece.max()) + 1, 5), np.int64)
    table[:, :2] = np.iinfo(np.int64).max
    np.minimum.at(table[:, 0], runs.piece, runs.start)
    np.minimum.at(table[:, 1], runs.piece, runs.row)
    np.maximum.at(table[:, 2], runs.piece, runs.stop)
    np.maximum.at(table[:, 3], runs.piece, runs.row + 1)
    np.add.at(table[:, 4], runs.piece, runs.stop - runs.start)
    return table


def _main_box(level: Bytes, mask: Mask, clean: bool) -> tuple[Bytes, Box] | None:
    """As digit_box, from the main piece and the strokes that belong to it."""
    height, width = mask.shape
    frame = max(height, width)
    runs = _runs(mask)
    table = _extents(runs)
    x0, y0, x1, y1, area = table.T
    extent = np.maximum(x1 - x0, y1 - y0)
    at_edge = (x0 == 0) | (y0 == 0) | (x1 == width) | (y1 == height)
    ruled = _ruled(table, height, width)
    ruled &= bool(((extent >= 0.15 * frame) & ~ruled).any())
    main = int((area * np.where(at_edge, 1, 4) * ~ruled).argmax())
    size = int(extent[main])
    dust = len(table) > CRUMBS and 3 * area[main] < area[~at_edge].sum()
    if dust or size < max(3, MIN_EXTENT * frame):
        return None
    spans = x1[main] - x0[main] >= 0.8 * width or y1[main] - y0[main] >= 0.8 * height
    tight = at_edge[main] and (clean or spans)
    foreign = ruled | (at_edge & ~tight)
    foreign[main] = False
    left = np.flatnonzero((extent >= SPECK * size) & ~foreign & (np.arange(len(table)) != main))
    box = table[main, :4].copy()
    while len(left):
        beside = np.maximum(x0[left] - box[2], box[0] - x1[left])
        gap = np.maximum(beside, np.maximum(y0[left] - box[3], box[1] - y1[left]))
        near = gap <= REACH * (size + 2 * extent[left])
        if not near.any():
            break
        box[:2] = np.minimum(box[:2], table[left[near], :2].min(axis=0))
        box[2:] = np.maximum(box[2:], table[left[near], 2:4].max(axis=0))
        left = left[~near]
    inside = foreign & (x0 < box[2]) & (x1 > box[0]) & (y0 < box[3]) & (y1 > box[1])
    if inside.any():
        level = _without(level, mask, runs, inside)
    return level, (int(box[0]), int(box[1]), int(box[2]), int(box[3]))


def _without(level: Bytes, mask: Mask, runs: Runs, foreign: Mask) -> Bytes:
    """Levels with the foreign pieces, and their soft edges two pixels wide, set to ground."""
    near = np.zeros_like(mask)
    own = mask.copy()
    drop = foreign[runs.piece]
    for row, start, stop in zip(
        runs.row[drop].tolist(), runs.start[drop].tolist(), runs.stop[drop].tolist(), strict=True
    ):
        own[row, start:stop] = False
        near[max(0, row - 2) : row + 3, max(0, start - 2) : stop + 2] = True
    return np.where(near & ~own, np.uint8(0), level).astype(np.uint8)


def _ruled(table: NDArray[np.int64], height: int, width: int) -> Mask:
    """Pieces that look like a ruled line or a printed frame: right across, and thin."""
    wide, high, area = table[:, 2] - table[:, 0], table[:, 3] - table[:, 1], table[:, 4]
    across, down = wide >= 0.8 * width, high >= 0.8 * height
    line = (across & (high < 0.08 * height)) | (down & (wide < 0.08 * width))
    return line | (across & down & (area < 0.08 * height * width))
