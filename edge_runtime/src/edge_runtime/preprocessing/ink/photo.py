"""Ink in a photo: up to three hypotheses of its background, and the one that fits best."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .background import Bytes, Floats, level_ground, likely_ground, middle_value, surface
from .clean import CLEAN, STEP

NOISE_KNEE = 3.0  # noise deviations below which ink is exactly 0
SEPARATE = 2.2  # ink level over the opposite-side level: 1 for noise or grain, whatever its size
POOR_FIT = 0.12  # ground spread over ink level above which a second reading of the ground is tried
LOOSE_FIT = 0.16  # the same, above which no reading is believed
CROWDED = 0.35  # share of ink above which a second reading is tried too
STROKE = 0.3  # of the long side, the broadest stroke looked for among shadows
BROAD = 0.4  # of the long side, ink this broad that runs off the image is a shadow
CRISP = 0.12  # of the ink's level, its least step between pixels if it runs off the image
EVEN = 0.04  # ground spread over ink level below which no local levelling is needed


class Reading(NamedTuple):
    """Signed (H*W,) differences from one idea of the ground (ink positive), the ink's level in
    grey levels, and the spread of the rest relative to it (how badly the idea fits)."""

    signed: Floats
    level: float
    spread: float


def _towards_ink(off: Floats) -> Floats:
    """(C, N) differences from the ground -> (N,) along the ink's colour, ink positive."""
    line: Floats = off[0]
    if len(off) > 1:
        square = (off * off).sum(axis=0)
        moment = (off * square) @ off.T
        axis = moment[:, int(moment.diagonal().argmax())]
        for _ in range(4):
            axis = moment @ (axis / max(float(np.abs(axis).max()), 1e-6))
        line = (axis / max(float(np.sqrt((axis * axis).sum())), 1e-6)) @ off
    return -line if np.dot(line * line, line) < 0 else line


def _mean_level(signed: Floats) -> float:
    """Typical size of the large positive values, however few: sum x^4 / sum x^3."""
    positive = np.maximum(signed, 0)
    square = positive * positive
    return float(np.dot(square, square)) / max(float(np.dot(square, positive)), 1e-3)


def _reading(signed: Floats) -> Reading:
    """Judge (H*W,) signed differences from a ground."""
    level = _mean_level(signed)
    paper = signed < 0.4 * level
    rest = signed * paper
    power = float(np.dot(rest, rest)) / max(int(np.count_nonzero(paper)), 1)
    return Reading(signed, level, float(np.sqrt(power)) / max(level, 1.0))


def _extreme(image: NDArray[np.int16], window: int, pick: np.ufunc) -> NDArray[np.int16]:
    """Running maximum or minimum over window x window (clipped at the borders), by doubling."""
    for _ in range(2):
        image = np.pad(image.T, ((window // 2, window // 2), (0, 0)), "edge")
        span = 1
        while span < window:
            hop = min(span, window - span)
            image = pick(image[:-hop], image[hop:])
            span += hop
    return image


def _thin_reading(signed: Floats) -> Reading:
    """(H, W) differences, ink positive: strokes as what an opening removes, which follows shadow
    edges; or what a closing removes, if that has clearly more contrast (less may be holes)."""
    grey = np.rint(4 * signed).astype(np.int16)
    window = max(3, int(STROKE * max(grey.shape)) | 1)
    tried = []
    for first, second in ((np.minimum, np.maximum), (np.maximum, np.minimum)):
        ground = _extreme(_extreme(grey, window, first), window, second)
        gap = np.abs(ground - grey).astype(np.float32) / 4
        tried.append(_reading((gap - middle_value(gap.ravel()[::3])).ravel()))
    light, dark = tried
    return dark if dark.level > 1.5 * light.level else light


def _sides(found: Reading, height: int, width: int, share: float) -> int:
    """How many of the image's four sides are touched by ink over this share of its level."""
    ink = (found.signed > share * found.level).reshape(height, width)
    return int(ink[0].any()) + int(ink[-1].any()) + int(ink[:, 0].any()) + int(ink[:, -1].any())


def _like_strokes(found: Reading, height: int, width: int, anywhere: bool = False) -> bool:
    """Ink running off the image must have crisp edges and no great breadth, or it is a shadow."""
    if not anywhere and _sides(found, height, width, 0.4) == 0:
        return True
    ink = (found.signed > 0.4 * found.level).reshape(height, width)
    signed = found.signed.reshape(height, width)
    down, right = ink[1:] != ink[:-1], ink[:, 1:] != ink[:, :-1]
    outline = np.count_nonzero(down) + np.count_nonzero(right)
    steps = (
        np.abs(np.diff(signed, axis=0))[down].sum() + np.abs(np.diff(signed, axis=1))[right].sum()
    )
    broad = 2.5 * np.count_nonzero(ink) > BROAD * max(height, width) * outline
    return not broad and bool(steps > CRISP * found.level * outline)


def _best_reading(planes: Floats, height: int, width: int) -> Reading | None:
    """The ground as a smooth surface; if that fits badly, as a flat half of the tones (tight
    crops), or as whatever is broader than a stroke (shadows)."""
    found = smooth = _reading(_towards_ink(planes - surface(planes, height, width, None)))
    crowded = np.count_nonzero(found.signed > 0.4 * found.level) > CROWDED * height * width
    if found.spread < POOR_FIT and not crowded:
        return found if _like_strokes(found, height, width) else None
    likely = likely_ground(planes, height, width)
    split = _reading(_towards_ink(planes - surface(planes, height, width, likely)))
    if found.spread < min(POOR_FIT, 1.4 * split.spread) and _like_strokes(found, height, width):
        return found
    if split.spread < found.spread and _like_strokes(split, height, width):
        found = split
        sides = _sides(split, height, width, 0.4)
        if split.spread < POOR_FIT * (sides == 4) + 0.5 * POOR_FIT * (sides == 3):
            return split
    if min(height, width) <= CLEAN // 2:
        return found
    thin = _thin_reading(smooth.signed.reshape(height, width))
    found = thin if thin.spread < found.spread else found
    sure = found.spread < LOOSE_FIT and _like_strokes(found, height, width, anywhere=True)
    clear = found.level > 1.2 * smooth.level or _sides(found, height, width, 0.7) < 2
    return found if sure and clear else None


def photo_levels(work: Bytes) -> Bytes | None:
    """(H, W[, 3]) uint8 with uneven, noisy ground -> (H, W) uint8 ink levels; None if blank."""
    height, width = work.shape[:2]
    planes = np.ascontiguousarray(work.reshape(height * width, -1).T).astype(np.float32)
    found = _best_reading(planes, height, width)
    if found is None:
        return None
    signed, level = found.signed, found.level
    if found.spread > EVEN and min(height, width) > CLEAN:
        signed = level_ground(signed, level, height, width)
        level = _mean_level(signed)
    if level < STEP * len(planes) ** 0.5 or level < SEPARATE * _mean_level(-signed):
        return None
    strong = signed[signed > 0.5 * level]
    full = float(np.partition(strong, int(0.8 * len(strong)))[int(0.8 * len(strong))])
    some = signed[::3].copy()
    knee = min(0.3, NOISE_KNEE * 1.5 * middle_value(-some[some < 0]) / full)
    share = np.arange(256, dtype=np.float32) / 255
    soft = np.clip((share - np.float32(knee / 2)) / np.float32(knee / 2 + 1e-6), 0, 1)
    table = (share * soft * 255 + np.float32(0.5)).astype(np.uint8)
    raw = np.clip(signed * np.float32(255 / full), 0, 255).astype(np.uint8)
    return np.frombuffer(raw.tobytes().translate(table.tobytes()), np.uint8).reshape(height, width)
