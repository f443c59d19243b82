"""Strips along the border of a small photo that are no paper: a table's edge, a shadow, a frame.

A strip is darker or lighter than the paper along a whole side. It would be the strongest ink of the
image, so the digit is looked for inside it.

The numbers were set on 500 drawn frames of a webcam (tests/support/webcam.py).
"""

import numpy as np

from .background import upper_median
from .types import Box, Bytes, Floats

MAX_STRIP = 0.2
"""Of the image's height or width, the broadest strip."""
MIN_STEP = 12.0
"""Grey levels between strip and paper, at least: less disturbs no ink."""
SPAN = 0.6
"""Share of the outermost line that is the strip: a leaning one may end before the corner."""
EDGE = 2
"""px, over which a strip's edge has half of its step; what is softer is uneven light."""
MAX_REST = 0.25
"""Share of a line that may be the strip's where the paper begins."""
PAPER_LINES = 3
"""The innermost of the lines that may be a strip's: their median is the paper's level."""
STRONG_QUANTILE = 0.9
"""Of the pixels in the ink's box: the strength of the ink."""
ALIKE = 0.8
"""Of the strip's strength: ink that is stronger may be of the same pen."""


def inside_strips(pixels: Bytes) -> Box:
    """The part of (H, W) or (H, W, 3) uint8 pixels inside the strips along its border."""
    grey = pixels if pixels.ndim == 2 else pixels[..., 1]
    height, width = grey.shape
    down, across = int(MAX_STRIP * height), int(MAX_STRIP * width)
    usual = upper_median(grey.ravel().astype(np.float32))
    return (
        _strip(grey.T[: across + 1], usual),
        _strip(grey[: down + 1], usual),
        width - _strip(grey.T[: -across - 2 : -1], usual),
        height - _strip(grey[: -down - 2 : -1], usual),
    )


def _strip(lines: Bytes, usual: float) -> int:
    """How many of (N, L) lines, the outermost first, are a strip's; 0 if none is.

    usual: the median of the image.
    """
    if len(lines) <= PAPER_LINES:
        return 0
    paper = upper_median(lines[-PAPER_LINES:].ravel().astype(np.float32))
    outermost = upper_median(lines[0].astype(np.float32))
    step = outermost - paper
    if abs(step) < MIN_STEP or (outermost - usual) * np.sign(step) < max(MIN_STEP, abs(step) / 2):
        return 0
    off: Floats = (lines.astype(np.float32) - np.float32(paper)) * np.float32(np.sign(step))
    half = np.float32(abs(step) / 2)
    share = (off > half).mean(axis=1)
    middle = np.sort(off, axis=1)[:, off.shape[1] // 2]
    if share[0] < SPAN or (middle[:-EDGE] - middle[EDGE:]).max() < half:
        return 0
    paper_begins = np.flatnonzero(share < MAX_REST)
    # The next line is blurred.
    return min(int(paper_begins[0]) + 1, len(lines) - 1) if len(paper_begins) else 0


def runs_into_strip(pixels: Bytes, inside: Box, ink: tuple[float, float, float, float]) -> bool:
    """True if ink touches a strip and is about as strong: then both are a digit's.

    So it is in a tight crop of a seven, whose bar fills the upper side. inside: what
    `inside_strips` left; ink: the box of the ink there.
    """
    grey = (pixels if pixels.ndim == 2 else pixels[..., 1]).astype(np.float32)
    left, top, right, bottom = map(int, ink)
    sides = ((0, left), (1, top), (2, right), (3, bottom))
    lines = (grey[:, 0], grey[0], grey[:, -1], grey[-1])
    whole = (0, 0, grey.shape[1], grey.shape[0])
    strips = [lines[i] for i, at in sides if at == inside[i] != whole[i]]
    paper = upper_median(grey[inside[1] : inside[3], inside[0] : inside[2]].ravel())
    off = np.sort(np.abs(grey[top:bottom, left:right] - np.float32(paper)), axis=None)
    strength = float(off[int(STRONG_QUANTILE * len(off))])
    return any(strength > ALIKE * abs(upper_median(strip) - paper) for strip in strips)
