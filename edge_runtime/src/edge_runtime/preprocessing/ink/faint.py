"""Ink levels of small photos in which the ink is hardly stronger than the noise.

The noise is measured in the image, and what is believed depends on it. The image is smoothed, which
joins broken strokes, and those connected components are kept that stand out of the smoothed noise
and are, all pixels together, too strong to be an accident.

The numbers were set on 500 drawn frames of a webcam, and 400 blank ones (tests/support/webcam.py).
"""

import numpy as np

from .background import MAX_CONSTANT_SIDE, fit_surface, upper_median
from .components import Runs, boxes_and_areas, label_runs
from .types import Bytes, Floats, Mask

MAX_SIDE = 72
"""px: strokes in a larger image have several pixels, and the noise of one does not break them."""
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of red, green and blue in grey: a JPEG keeps this better than its colours."""
CONTRAST_SHARE = 0.005
"""Of the pixels: the darkest and the lightest, whose distance from the median is the contrast."""
MAX_CONTRAST = 40.0
"""Standard deviations of the noise: with more contrast the ink is not faint."""
CLEAR_CONTRAST = 80.0
"""Grey levels: with more the ink is not faint either. What looks like noise is then the texture
of a photo of things."""
MIN_NOISE = 1.0
"""Grey levels. JPEG hides noise of less, and what it leaves is not white."""
GAUSSIAN_MEDIAN = 0.6745
"""Of the absolute values of normal noise, in standard deviations."""
LAPLACIAN_GAIN = 6.0
"""Standard deviation of the Laplacian of white noise, in the noise's own: the root of the sum of
its squared weights."""
MIN_RISE = 2.0
"""Standard deviations of the smoothed noise: stronger pixels may be ink."""
MIN_PEAK = 4.5
"""The same, for the strongest pixel of the most significant component."""
MIN_SIGNIFICANCE = 16.0
"""Sum over the most significant component's pixels, in standard deviations of such a sum. Noise
that JPEG has made smooth comes to 8 in half of the blank frames; 99 % of the digits have more than
18."""
MIN_STROKE_SIGNIFICANCE = 8.0
"""The same for other components."""
MAX_BORDER_BREADTH = 0.2
"""Of the image's height or width: a component along the border and no broader is the edge of
something else."""
FULL_INK_QUANTILE = 0.9
"""Of the ink, what becomes 255."""
SOFT_DEVIATIONS = 4.0
"""Standard deviations of the smoothed noise: the soft threshold leaves what is stronger."""
MAX_THRESHOLD = 0.3
"""Of full ink, the most that the soft threshold may reach."""


def is_faint(pixels: Bytes) -> bool:
    """True for (H, W) or (H, W, 3) pixels of a small photo with little contrast for its noise.

    Smaller images are crops of a digit, which have too little background to measure noise in.
    """
    height, width = pixels.shape[:2]
    if min(height, width) <= MAX_CONSTANT_SIDE or max(height, width) > MAX_SIDE:
        return False
    grey = _grey(pixels)
    ranked = np.sort(grey, axis=None)
    few, middle = int(CONTRAST_SHARE * len(ranked)), float(ranked[len(ranked) // 2])
    contrast = max(middle - float(ranked[few]), float(ranked[-1 - few]) - middle)
    if contrast >= CLEAR_CONTRAST:
        return False
    return contrast < MAX_CONTRAST * max(noise_deviation(grey), MIN_NOISE)


def noise_deviation(grey: Floats) -> float:
    """The standard deviation of the noise in an (H, W) image, in grey levels.

    By the Laplacian of Immerkaer (1996), which is 0 on planes; of its absolute values the median,
    which strokes do not move (Donoho and Johnstone 1994), not the mean.
    """
    across = grey[:, :-2] - 2 * grey[:, 1:-1] + grey[:, 2:]
    laplacian = np.abs(across[:-2] - 2 * across[1:-1] + across[2:])
    return upper_median(laplacian.ravel()) / (GAUSSIAN_MEDIAN * LAPLACIAN_GAIN)


def faint_levels(pixels: Bytes) -> Bytes | None:
    """Ink levels, (H, W) uint8 with 255 as full ink, of (H, W) or (H, W, 3) uint8 pixels.

    None for an image in which nothing stands out of the noise.
    """
    grey = _grey(pixels)
    height, width = grey.shape
    surface = fit_surface(grey.reshape(1, -1), height, width, None)
    signed = _smoothed(grey - surface.reshape(height, width))
    signed -= np.float32(upper_median(signed.ravel()))
    if float((signed * signed * signed).sum()) < 0:
        signed = -signed
    noise = max(upper_median(np.abs(signed).ravel()) / GAUSSIAN_MEDIAN, MIN_NOISE)
    if signed.max() < MIN_PEAK * noise:
        return None
    mask = signed > np.float32(MIN_RISE * noise)
    runs = label_runs(mask)
    component = np.repeat(runs.component, runs.stop - runs.start)  # of each pixel in the mask
    rise = signed[mask]
    sums, areas = np.bincount(component, rise), np.bincount(component)
    significance = np.where(_along_border(runs, height, width), 0, sums / (noise * areas**0.5))
    main = int(significance.argmax())
    peak = float(rise[component == main].max())
    if significance[main] < MIN_SIGNIFICANCE or peak < MIN_PEAK * noise:
        return None
    is_ink = (significance >= MIN_STROKE_SIGNIFICANCE)[component]
    ink = rise[is_ink]
    rank = int(FULL_INK_QUANTILE * len(ink))
    full = float(np.partition(ink, rank)[rank])
    mask[mask] = is_ink
    share = np.clip(signed * np.float32(1 / full), 0, 1) * _widened(mask)
    half = np.float32(min(MAX_THRESHOLD, SOFT_DEVIATIONS * noise / full) / 2)
    level = share * np.clip((share - half) / half, 0, 1) * 255 + np.float32(0.5)
    levels: Bytes = level.astype(np.uint8)
    return levels


def _along_border(runs: Runs, height: int, width: int) -> Mask:
    """Components that lie along the border and reach inwards no farther than a strip."""
    left, top, right, bottom, _ = boxes_and_areas(runs).T
    low = ((top == 0) | (bottom == height)) & (bottom - top <= MAX_BORDER_BREADTH * height)
    narrow = ((left == 0) | (right == width)) & (right - left <= MAX_BORDER_BREADTH * width)
    along: Mask = low | narrow
    return along


def _grey(pixels: Bytes) -> Floats:
    """(H, W) grey levels."""
    if pixels.ndim == 2:
        return pixels.astype(np.float32)
    grey: Floats = pixels.astype(np.float32) @ LUMA
    return grey


def _smoothed(grey: Floats) -> Floats:
    """(H, W) smoothed by the binomial weights 1, 2, 1 down and across."""
    for _ in range(2):
        grey = grey.T
        sums = 2 * grey
        sums[1:] += grey[:-1]
        sums[0] += grey[0]
        sums[:-1] += grey[1:]
        sums[-1] += grey[-1]
        grey = sums
    return grey / np.float32(16)


def _widened(mask: Mask) -> Mask:
    """The mask with the neighbours of its pixels."""
    for _ in range(2):
        mask = mask.T
        wide = mask.copy()
        wide[1:] |= mask[:-1]
        wide[:-1] |= mask[1:]
        mask = wide
    return mask
