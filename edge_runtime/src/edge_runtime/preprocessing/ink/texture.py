"""Photos of things, told from ink on a ground before the search for ink, which takes far longer.

Ink on a ground has two levels: where an image is strong in contrast, most pixels are of the one or
of the other, and between them runs an edge. A photo of leaves, fur or houses is full of levels
between the darkest and the lightest, and they change from pixel to pixel.

The numbers were set on 6,000 drawn digits, half of them out of focus, enlarged from few pixels or
under heavy noise, and on parts of sample photos of scikit-learn and scikit-image.
docs/preprocessing.md has the measurement.
"""

import numpy as np

from .types import Bytes

CELL = 4
"""px, the side of a cell, in the image at half its size: a stroke, or an edge, and no more."""
MIN_SPAN = 56
"""Grey levels from the darkest to the lightest pixel of a cell with contrast: the texture of paper
and the noise of a sensor have less."""
MIN_BETWEEN = 7
"""Of a cell's 16 pixels, between a quarter and three quarters of its span: the edge of a stroke
has 4 to 6."""
MIN_VARIATION = 5
"""Spans, the sum of all steps between neighbours in a cell: an edge straight across has 4, be it
sharp or out of focus."""
MIN_CELLS, MIN_SHARE = 8, 0.05
"""Of an image with texture, the cells that must have all three: so many, and this share of all. The
drawn digits have up to 0.7 of that, but for one under noise of 25 grey levels."""
MIN_CELLS_A_SIDE = 4
"""Narrower images are crops of a digit, with too few cells to judge by."""


def is_textured(pixels: Bytes) -> bool:
    """True for a photo without ink on a ground: (H, W) or (H, W, 3), reduced to ANALYSIS_SIDE."""
    grey = pixels if pixels.ndim == 2 else pixels[..., 1]
    down, across = grey.shape[0] // (2 * CELL), grey.shape[1] // (2 * CELL)
    if min(down, across) < MIN_CELLS_A_SIDE:
        return False
    grey = grey[: 2 * CELL * down, : 2 * CELL * across].astype(np.int16)
    sums = grey[::2] + grey[1::2]
    sums = sums[:, ::2] + sums[:, 1::2]  # of 4 pixels: 4 times the grey levels at half the size
    cells = sums.reshape(down, CELL, across, CELL).transpose(1, 3, 0, 2).reshape(CELL, CELL, -1)
    low = cells.min(axis=(0, 1))
    span = cells.max(axis=(0, 1)) - low
    limit = MIN_CELLS + MIN_SHARE * len(span)
    contrast = span > 4 * MIN_SPAN
    if np.count_nonzero(contrast) <= limit:
        return False
    cells, low, span = cells[:, :, contrast], low[contrast], span[contrast]
    above = 4 * (cells - low)
    between = np.count_nonzero((above > span) & (above < 3 * span), axis=(0, 1))
    steps = np.abs(cells[1:] - cells[:-1]).sum(axis=(0, 1))
    steps += np.abs(cells[:, 1:] - cells[:, :-1]).sum(axis=(0, 1))
    textured = (between >= MIN_BETWEEN) & (steps > MIN_VARIATION * span)
    return bool(np.count_nonzero(textured) > limit)
