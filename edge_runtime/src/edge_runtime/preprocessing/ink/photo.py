"""Ink levels in a photo: three hypotheses of its background, and the one that leaves least.

Each hypothesis takes a background away and keeps signed differences, ink positive:

- smooth: a quadratic surface; right for a page under uneven light;
- Otsu: a plane through one side of Otsu's threshold; right for a tight crop full of ink;
- top-hat: whatever is broader than a stroke; right under the edges of shadows.

The score of a hypothesis is its residual: how much of the background is left, beside how strong
the ink is. The chosen one is cleaned: uneven rests are levelled, what is too faint or has as much
on the other side is refused, and noise is pressed to 0 by a soft threshold.

Where no source is given, a number was set by hand when the finder was written, in November 2026;
docs/preprocessing.md has the measurement of how much depends on those that matter.
"""

from typing import NamedTuple

import numpy as np

from .background import (
    MAX_CONSTANT_SIDE,
    closing,
    fit_surface,
    opening,
    otsu_background,
    subtract_local_mean,
    upper_median,
)
from .clean import MIN_CONTRAST, SMALL_SIDE
from .types import Bytes, Floats

INK_SHARE = 0.4
"""Of the ink's level: pixels above are ink, pixels below are background."""
STRONG_INK_SHARE = 0.7
"""Of the ink's level: pixels that are ink beyond doubt, for the test of the image's sides."""
GOOD_RESIDUAL = 0.12
"""A hypothesis that leaves less is taken without trying another."""
MAX_RESIDUAL = 0.16
"""A hypothesis that leaves more is not believed."""
MAX_INK_SHARE = 0.35
"""Share of the pixels: with more ink than this the smooth surface may have followed the ink. Of
digits with a margin (Semeion and USPS on drawn paper) 95 % have under 0.23, of the same cropped to
their edges half have over 0.3, and 5 % over 0.43."""
OTSU_ADVANTAGE = 1.4
"""The smooth hypothesis stays while it leaves less than this many times what Otsu's leaves."""
MAX_STROKE = 0.3
"""Of the image's long side: the window of the top-hat, as broad as the broadest stroke."""
BLACK_ADVANTAGE = 1.5
"""The black top-hat must have this many times the level of the white one: less may be the holes
of a digit (0, 6, 8, 9)."""
TOP_HAT_SCALE = 4
"""Steps in a grey level: the top-hat works on 16-bit integers, in quarters of a grey level."""
MAX_BREADTH = 0.4
"""Of the image's long side, for ink that runs off the image: broader is a shadow."""
MIN_EDGE_STEP = 0.12
"""Of the ink's level: the mean step between neighbours across the ink's outline; softer is a
shadow. The edge of a stroke that is blurred over 8 pixels has this step."""
TOP_HAT_GAIN = 1.2
"""Ink that runs off two sides or more is believed if it is stronger than in the smooth hypothesis
by this factor."""
EVEN_RESIDUAL = 0.04
"""Below this residual the background is even and needs no local levelling."""
MIN_ASYMMETRY = 2.2
"""Level of the ink over that of the opposite side: 1 for noise and paper grain, which deviate as
much both ways, whatever their size."""
FULL_INK_SHARE = 0.5
"""Of the ink's level: what is above is strong ink."""
FULL_INK_QUANTILE = 0.8
"""The strong ink's quantile that becomes 255."""
NOISE_DEVIATIONS = 3.0
"""Standard deviations of the noise: the soft threshold leaves unchanged what is stronger. The usual
three sigmas."""
SIGMA_PER_MEDIAN = 1.5
"""Standard deviation over the median absolute deviation: 1.4826 for normal noise, rounded."""
MAX_THRESHOLD = 0.3
"""Of full ink, the most that the soft threshold may reach: below the 90 of 255 that count as
digit."""


class Hypothesis(NamedTuple):
    """What is left of an image when one estimate of its background is taken away.

    signed: (H*W,) float32 differences from the background in grey levels, ink positive;
    level: typical strength of the ink in grey levels;
    residual: RMS of the pixels that are not ink, over the level (0 = a perfect background).
    """

    signed: Floats
    level: float
    residual: float


def smooth_hypothesis(planes: Floats, height: int, width: int) -> Hypothesis:
    """The background is a robust quadratic surface through (C, H*W) grey levels."""
    return _scored(_along_ink_colour(planes - fit_surface(planes, height, width, None)))


def otsu_hypothesis(planes: Floats, height: int, width: int) -> Hypothesis:
    """The background is a plane through one side of Otsu's threshold of (C, H*W) grey levels."""
    background = otsu_background(planes, height, width)
    return _scored(_along_ink_colour(planes - fit_surface(planes, height, width, background)))


def top_hat_hypothesis(signed: Floats, height: int, width: int) -> Hypothesis:
    """The background is what a morphological opening of (H*W,) differences keeps.

    The ink is the white top-hat (the differences less their opening), or the black one (their
    closing less them) where the ink's polarity was misjudged and that is clearly stronger. The
    median of each is subtracted: noise lifts every top-hat.
    """
    grey = np.rint(TOP_HAT_SCALE * signed.reshape(height, width)).astype(np.int16)
    window = max(3, int(MAX_STROKE * max(grey.shape)) | 1)
    scored = []
    for background in (opening(grey, window), closing(grey, window)):
        top_hat = np.abs(background - grey).astype(np.float32) / TOP_HAT_SCALE
        scored.append(_scored((top_hat - upper_median(top_hat.ravel()[::3])).ravel()))
    white, black = scored
    return black if black.level > BLACK_ADVANTAGE * white.level else white


def choose_hypothesis(planes: Floats, height: int, width: int) -> Hypothesis | None:
    """Pick the background of (C, H*W) grey levels; None if no hypothesis is believed.

    The cheap smooth hypothesis is taken at once where it fits well. Otherwise Otsu's and the
    top-hat's are tried, and the least residual among those that look like strokes wins.
    """
    best = smooth = smooth_hypothesis(planes, height, width)
    inked = np.count_nonzero(smooth.signed > INK_SHARE * smooth.level)
    crowded = inked > MAX_INK_SHARE * height * width
    if smooth.residual < GOOD_RESIDUAL and not crowded:
        return smooth if _no_shadow(smooth, height, width) else None
    otsu = otsu_hypothesis(planes, height, width)
    limit = min(GOOD_RESIDUAL, OTSU_ADVANTAGE * otsu.residual)
    if smooth.residual < limit and _no_shadow(smooth, height, width):
        return smooth
    tiny = min(height, width) <= MAX_CONSTANT_SIDE
    fits = otsu.residual < smooth.residual and (tiny or otsu.residual < MAX_RESIDUAL)
    if fits and _no_shadow(otsu, height, width):
        best = otsu
        sides = _sides_with_ink(otsu, height, width, INK_SHARE)
        # A tight crop has ink on all sides. With three, the plane must fit twice as well.
        tight_limit = GOOD_RESIDUAL * (sides == 4) + 0.5 * GOOD_RESIDUAL * (sides == 3)
        if otsu.residual < tight_limit:
            return otsu
    if tiny:  # too small for a window broader than a stroke
        return best
    top_hat = top_hat_hypothesis(smooth.signed, height, width)
    best = top_hat if top_hat.residual < best.residual else best
    sure = best.residual < MAX_RESIDUAL and _like_strokes(best, height, width)
    clear = best.level > TOP_HAT_GAIN * smooth.level
    clear = clear or _sides_with_ink(best, height, width, STRONG_INK_SHARE) < 2
    return best if sure and clear else None


def photo_levels(pixels: Bytes) -> Bytes | None:
    """Ink levels, (H, W) uint8 with 255 as full ink, of (H, W) or (H, W, 3) uint8 pixels.

    None for an image without ink.
    """
    height, width = pixels.shape[:2]
    planes = np.ascontiguousarray(pixels.reshape(height * width, -1).T).astype(np.float32)
    found = choose_hypothesis(planes, height, width)
    if found is None:
        return None
    signed, level = found.signed, found.level
    if found.residual > EVEN_RESIDUAL and min(height, width) > SMALL_SIDE:
        signed = subtract_local_mean(signed, INK_SHARE * level, height, width)
        level = _mean_level(signed)
    # Noise adds up over the channels, so the least contrast grows with their square root.
    faint = level < MIN_CONTRAST * len(planes) ** 0.5
    if faint or level < MIN_ASYMMETRY * _mean_level(-signed):
        return None
    return _soft_threshold(signed, level).reshape(height, width)


def _soft_threshold(signed: Floats, level: float) -> Bytes:
    """Scale (H*W,) differences to (H*W,) uint8 ink levels and press noise to 0.

    With t the threshold, as a share of full ink: 0 up to t/2, unchanged from t on, and between
    them the value times a factor that rises from 0 to 1.
    """
    strong = signed[signed > FULL_INK_SHARE * level]
    rank = int(FULL_INK_QUANTILE * len(strong))
    full = float(np.partition(strong, rank)[rank])
    some = signed[::3].copy()
    median = upper_median(-some[some < 0])
    half = min(MAX_THRESHOLD, NOISE_DEVIATIONS * SIGMA_PER_MEDIAN * median / full) / 2
    share = np.arange(256, dtype=np.float32) / 255
    factor = np.clip((share - np.float32(half)) / np.float32(half + 1e-6), 0, 1)
    table = (share * factor * 255 + np.float32(0.5)).astype(np.uint8)
    scaled = np.clip(signed * np.float32(255 / full), 0, 255).astype(np.uint8)
    return np.frombuffer(scaled.tobytes().translate(table.tobytes()), np.uint8)


def _along_ink_colour(difference: Floats) -> Floats:
    """Project (C, N) differences from the background on the ink's colour: (N,), ink positive.

    The ink's colour is the principal axis of the differences, each weighted by its square so that
    noise counts little, found by power iteration (4 steps: the first axis dominates). Ink is the
    side with the heavier tail, the sign of the third moment: it covers less than the background.
    """
    signed: Floats = difference[0]
    if len(difference) > 1:
        square = np.einsum("cn,cn->n", difference, difference)
        # BLAS takes twice as long for one product of such long, thin matrices.
        moment: Floats = np.array(
            [[np.dot(a, b) for b in difference] for a in difference * square], np.float32
        )
        axis = moment[:, int(moment.diagonal().argmax())]
        for _ in range(4):
            axis = moment @ (axis / max(float(np.abs(axis).max()), 1e-6))
        signed = np.dot(axis / max(float(np.sqrt((axis * axis).sum())), 1e-6), difference)
    return -signed if np.dot(signed * signed, signed) < 0 else signed


def _mean_level(signed: Floats) -> float:
    """Typical size of the large positive values, however few: the Lehmer mean of order 4,
    sum x^4 / sum x^3."""
    positive = np.maximum(signed, 0)
    square = positive * positive
    return float(np.dot(square, square)) / max(float(np.dot(square, positive)), 1e-3)


def _scored(signed: Floats) -> Hypothesis:
    """The hypothesis with these (H*W,) signed differences, and its score."""
    level = _mean_level(signed)
    background = signed < INK_SHARE * level
    rest = signed * background
    power = float(np.dot(rest, rest)) / max(int(np.count_nonzero(background)), 1)
    return Hypothesis(signed, level, float(np.sqrt(power)) / max(level, 1.0))


def _sides_with_ink(found: Hypothesis, height: int, width: int, share: float) -> int:
    """How many of the image's four sides are touched by ink over this share of its level."""
    ink = (found.signed > share * found.level).reshape(height, width)
    return int(ink[0].any()) + int(ink[-1].any()) + int(ink[:, 0].any()) + int(ink[:, -1].any())


def _no_shadow(found: Hypothesis, height: int, width: int) -> bool:
    """True unless the ink runs off the image and does not look like strokes."""
    return _sides_with_ink(found, height, width, INK_SHARE) == 0 or _like_strokes(
        found, height, width
    )


def _like_strokes(found: Hypothesis, height: int, width: int) -> bool:
    """True if the ink has crisp edges and no great breadth, as strokes have and shadows have not.

    The breadth of a long stroke is twice its area over its outline. An outline counted in pixel
    edges is 4 / pi times as long, on average over all directions: hence 2.5.
    """
    signed = found.signed.reshape(height, width)
    ink = signed > INK_SHARE * found.level
    down, right = ink[1:] != ink[:-1], ink[:, 1:] != ink[:, :-1]
    outline = np.count_nonzero(down) + np.count_nonzero(right)
    steps = (
        np.abs(np.diff(signed, axis=0))[down].sum() + np.abs(np.diff(signed, axis=1))[right].sum()
    )
    broad = 2.5 * np.count_nonzero(ink) > MAX_BREADTH * max(height, width) * outline
    return not broad and bool(steps > MIN_EDGE_STEP * found.level * outline)
