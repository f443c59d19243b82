"""Find the ink of one handwritten digit in an image: polarity, ground and levels.

A noiseless image is only stretched. In any other, up to three ideas of the ground are tried (a
smooth surface, the flat half of the tones, whatever is broader than a stroke), each judged by
how much is left of the ground beside how strong the ink is.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .components import EDGE, MIN_EXTENT, Box, digit_box

WORK = 128  # px, longest side analysed: a digit of 15 % of the frame still has 19 px
CLEAN = 48  # px, images up to this side may have ink all along the border and still be "clean"
FEW = 4  # images of a size, below which each is looked at by itself
TIGHT = 0.1  # of the border that must be exactly ground when ink lies along it
SHARP = 40  # px, a digit lower than this is cropped again from the full-resolution pixels
MARGIN = 0.3  # of the digit's long side, the ground kept around it for that second look
STRIDE = 1024  # px, larger images are thinned to about this side before Pillow averages them
STEP = 8  # grey levels, the faintest contrast believed (17-level images have 16)
NOISE_KNEE = 3.0  # noise deviations below which ink is exactly 0
SEPARATE = 2.2  # ink level over the opposite-side level: 1 for noise or grain, whatever its size
POOR_FIT = 0.12  # ground spread over ink level above which a second reading of the ground is tried
LOOSE_FIT = 0.16  # the same, above which no reading is believed
CROWDED = 0.35  # share of ink above which a second reading is tried too
STROKE = 0.3  # of the long side, the broadest stroke looked for among shadows
BROAD = 0.4  # of the long side, ink this broad that runs off the image is a shadow
CRISP = 0.12  # of the ink's level, its least step between pixels if it runs off the image
ROUNDS = 4  # of reweighting in the ground fit
EVEN = 0.04  # ground spread over ink level below which no local levelling is needed
SAMPLES = 16  # points along each side at which the ground surface is fitted

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


class Found(NamedTuple):
    """Ink (h, w) uint8, 0 = ground to 255 = ink, and its left, top, right, bottom in the image."""

    ink: Bytes
    box: tuple[float, float, float, float]


class Reading(NamedTuple):
    """Signed (H*W,) differences from one idea of the ground (ink positive), the ink's level in
    grey levels, and the spread of the rest relative to it (how badly the idea fits)."""

    signed: Floats
    level: float
    spread: float


def find_ink(pixels: Bytes) -> Bytes | None:
    """The ink of one digit in (H, W) grey or (H, W, 3) RGB uint8 pixels.

    Returns a tight (h, w) uint8 crop, 0 = ground to 255 = full ink; None for a blank image.
    """
    found = locate_ink(pixels)
    return None if found is None else found.ink


def locate_ink(pixels: Bytes) -> Found | None:
    """As find_ink, with the box of the crop in the image's own pixels."""
    level = _clean_levels(pixels)
    if level is not None:
        part = digit_box(level, clean=True)
        return None if part is None else _cropped(*part, (0, 0, 1.0))
    first = _look(pixels, (0, 0))
    if first is None or max(first.ink.shape) >= SHARP or max(pixels.shape[:2]) <= WORK:
        return first
    x0, y0, x1, y1 = first.box
    pad = MARGIN * max(x1 - x0, y1 - y0)
    left, top = max(0, int(x0 - pad)), max(0, int(y0 - pad))
    return _look(pixels[top : int(y1 + pad) + 1, left : int(x1 + pad) + 1], (left, top)) or first


def find_inks(images: Sequence[Bytes]) -> list[Bytes | None]:
    """As find_ink of each, in less time where many are small, grey and of one size."""
    inks: list[Bytes | None] = [None] * len(images)
    alike: dict[tuple[int, ...], list[int]] = {}
    for i, image in enumerate(images):
        alike.setdefault(image.shape, []).append(i)
    for shape, members in alike.items():
        some = [images[i] for i in members]
        plain = len(shape) == 2 and max(shape) <= CLEAN and len(some) >= FEW
        found = _plain_inks(np.stack(some)) if plain else map(find_ink, some)
        for i, ink in zip(members, found, strict=True):
            inks[i] = ink
    return inks


def _plain_inks(images: Bytes) -> Iterator[Bytes | None]:
    """As find_ink of each of (N, H, W), most of which are expected to be clean, with a border of
    one value and a digit of one piece: those are found together."""
    count, height, width = images.shape
    flat = images.reshape(count, -1)
    ground, low, high = flat[:, 0], flat.min(axis=1), flat.max(axis=1)
    ring = np.concatenate([images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], axis=1)
    plain = (ring == ground[:, None]).all(axis=1) & ((ground == low) | (ground == high))
    full = np.where(ground == high, low, high)
    tables = map(_stretch_table, ground.tolist(), full.tolist())
    parts = zip(flat, tables, strict=True)
    data = b"".join([image.tobytes().translate(table) for image, table in parts])
    level = np.frombuffer(data, np.uint8).reshape(images.shape)
    mask = level > EDGE
    x0, x1, across = _spans(np.logical_or.reduce(mask, axis=1))
    y0, y1, down = _spans(np.logical_or.reduce(mask, axis=2))
    plain &= across & down
    plain &= np.maximum(x1 - x0, y1 - y0) >= max(3, MIN_EXTENT * max(height, width))
    boxes = np.stack([y0, y1, x0, x1], axis=1).tolist()
    for i, (is_plain, (top, bottom, left, right)) in enumerate(
        zip(plain.tolist(), boxes, strict=True)
    ):
        yield level[i, top:bottom, left:right] if is_plain else find_ink(images[i])


def _spans(ink: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp], Mask]:
    """Of each row of (N, L): the first with ink, the last + 1, and whether all between have it."""
    start, stop = ink.argmax(axis=1), ink.shape[1] - ink[:, ::-1].argmax(axis=1)
    return start, stop, np.count_nonzero(ink, axis=1) == stop - start


def _look(pixels: Bytes, corner: tuple[int, int]) -> Found | None:
    """Find the ink in a window of the image whose top left pixel is at this corner."""
    work, scale = _shrunk(pixels)
    level = _photo_levels(work)
    part = None if level is None else digit_box(level, clean=False)
    return None if part is None else _cropped(*part, (*corner, scale))


def _clean_levels(pixels: Bytes) -> Bytes | None:
    """Ink levels of a noiseless image, only stretched: its border is one value, or (when small)
    a good part of it is, and that value is the image's darkest or lightest. None if not so."""
    if pixels.ndim == 3:
        if max(pixels.shape) > CLEAN or (pixels != pixels[:, :, :1]).any():
            return None
        pixels = pixels[:, :, 0]
    height, width = pixels.shape
    if max(height, width) > WORK:
        return None
    data = pixels.tobytes()
    ring = data[:width] + data[-width:] + data[::width] + data[width - 1 :: width]
    low, high = int(pixels.min()), int(pixels.max())
    ground = ring[0]
    if ring.count(ground) != len(ring):
        if max(height, width) > CLEAN:
            return None
        corners = bytes((data[0], data[width - 1], data[-width], data[-1]))
        ground = _tight_ground(data, ring, corners, low, high)
        if ring.count(ground) < TIGHT * len(ring):
            return None
    if ground != low and ground != high:
        return None
    table = _stretch_table(ground, low if ground == high else high)
    return np.frombuffer(data.translate(table), np.uint8).reshape(height, width)


def _tight_ground(data: bytes, ring: bytes, corners: bytes, low: int, high: int) -> int:
    """Which extreme is the ground: the one nearer to most of the pixels, border and corners."""
    middle = (low + high + 1) // 2
    bright = bytes(middle) + b"\1" * (256 - middle)
    shares = sum(sum(part.translate(bright)) / len(part) for part in (data, ring, corners))
    return high if shares > 1.5 else low


@lru_cache(maxsize=1024)
def _stretch_table(ground: int, full: int) -> bytes:
    """256 bytes: grey level -> ink, 0 at the ground and 255 at full ink."""
    span = abs(full - ground)
    if span < STEP:
        return bytes(256)
    sign = 1 if full > ground else -1
    return bytes(
        min(255, max(0, (sign * (v - ground) * 510 + span) // (2 * span))) for v in range(256)
    )


def _shrunk(pixels: Bytes) -> tuple[Bytes, float]:
    """At most WORK px a side, and how many of the image's pixels one of them spans."""
    stride = max(1, max(pixels.shape[:2]) // STRIDE)
    if stride > 1:
        pixels = pixels[::stride, ::stride]
    factor = -(-max(pixels.shape[:2]) // WORK)
    if factor > 1:
        pixels = np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).reduce(factor))
    return pixels, float(stride * factor)


class Basis(NamedTuple):
    """`terms` (K, H*W) of a surface; flat indices of about SAMPLES^2 `samples`; the terms there,
    `at`; the `prior` (K, K) that keeps a fit to few samples tame."""

    terms: Floats
    samples: NDArray[np.intp]
    at: Floats
    prior: Floats


@lru_cache(maxsize=32)
def _basis(height: int, width: int, order: int) -> Basis:
    """The first `order` terms of a quadratic surface: 1 a constant, 3 a plane, 6 all."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    y, x = (2 * y + 1) / height - 1, (2 * x + 1) / width - 1
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=0).reshape(6, -1)
    rows = np.unique(np.linspace(0, height - 1, SAMPLES).round().astype(int))
    cols = np.unique(np.linspace(0, width - 1, SAMPLES).round().astype(int))
    index = (rows[:, None] * width + cols).ravel()
    prior = np.diag(np.full(order, 1e-3 * len(index), np.float32))
    prior[0, 0] = 1e-4
    return Basis(terms[:order], index, terms[:order][:, index], prior)


def _surface(planes: Floats, height: int, width: int, ground: Mask | None) -> Floats:
    """Robust ground (C, H*W) under (C, H*W): a quadratic in which outliers (the ink) lose their
    weight; or, from a mask of likely ground, a plane through that (a constant if tiny)."""
    order = 1 if min(height, width) <= CLEAN // 2 else 6 if ground is None else 3
    terms, samples, at, prior = _basis(height, width, order)
    values = planes[:, samples]
    weight: Floats = np.ones(len(samples), np.float32)
    if ground is not None:
        weight = ground[samples].astype(np.float32)
    for _ in range(ROUNDS):
        weighted = at * weight
        coef = np.linalg.solve(weighted @ at.T + prior, weighted @ values.T)
        off = values - coef.T @ at
        square = (off * off).sum(axis=0)
        weight = 1 / (1 + square / np.float32(max(_middle(square[weight > 0.1]), 4.0))) ** 2
    surface = coef.T @ terms
    return surface.astype(np.float32, copy=False)


def _middle(values: Floats) -> float:
    """Upper median, 0 of none."""
    half = len(values) // 2
    return float(np.partition(values, half)[half]) if len(values) else 0.0


def _likely_ground(planes: Floats, height: int, width: int) -> Mask:
    """(H*W,) the side of Otsu's split that holds more of the image and of its border."""
    grey = planes.mean(axis=0)
    count = np.bincount(grey.astype(np.intp), minlength=256)
    below, total = count.cumsum(), (count * np.arange(256)).cumsum()
    gap = total * len(grey) - below * total[-1]
    split = int((gap.astype(np.float64) ** 2 / np.maximum(below * (len(grey) - below), 1)).argmax())
    bright = (grey >= split + 1).reshape(height, width)
    edge = (
        float(bright[0].mean() + bright[-1].mean() + bright[:, 0].mean() + bright[:, -1].mean()) / 4
    )
    likely: Mask = bright.ravel() == (0.5 * edge + float(bright.mean()) > 0.75)
    return likely


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


def _level_ground(signed: Floats, level: float, height: int, width: int) -> Floats:
    """Take away what is left of the ground locally: means on a coarse grid, outliers left out."""
    size = (max(1, -(-width // 12)), max(1, -(-height // 12)))
    paper = (np.abs(signed) < 0.4 * level).astype(np.float32).reshape(height, width)
    total = Image.fromarray(paper * signed.reshape(height, width)).resize(
        size, Image.Resampling.BOX
    )
    count = Image.fromarray(paper).resize(size, Image.Resampling.BOX)
    grid = np.asarray(total) / (np.asarray(count) + np.float32(0.15))
    local = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)
    flat: Floats = signed - np.asarray(local).ravel()
    return flat


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
        tried.append(_reading((gap - _middle(gap.ravel()[::3])).ravel()))
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
    found = smooth = _reading(_towards_ink(planes - _surface(planes, height, width, None)))
    crowded = np.count_nonzero(found.signed > 0.4 * found.level) > CROWDED * height * width
    if found.spread < POOR_FIT and not crowded:
        return found if _like_strokes(found, height, width) else None
    likely = _likely_ground(planes, height, width)
    split = _reading(_towards_ink(planes - _surface(planes, height, width, likely)))
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


def _photo_levels(work: Bytes) -> Bytes | None:
    """(H, W[, 3]) uint8 with uneven, noisy ground -> (H, W) uint8 ink levels; None if blank."""
    height, width = work.shape[:2]
    planes = np.ascontiguousarray(work.reshape(height * width, -1).T).astype(np.float32)
    found = _best_reading(planes, height, width)
    if found is None:
        return None
    signed, level = found.signed, found.level
    if found.spread > EVEN and min(height, width) > CLEAN:
        signed = _level_ground(signed, level, height, width)
        level = _mean_level(signed)
    if level < STEP * len(planes) ** 0.5 or level < SEPARATE * _mean_level(-signed):
        return None
    strong = signed[signed > 0.5 * level]
    full = float(np.partition(strong, int(0.8 * len(strong)))[int(0.8 * len(strong))])
    some = signed[::3].copy()
    knee = min(0.3, NOISE_KNEE * 1.5 * _middle(-some[some < 0]) / full)
    share = np.arange(256, dtype=np.float32) / 255
    soft = np.clip((share - np.float32(knee / 2)) / np.float32(knee / 2 + 1e-6), 0, 1)
    table = (share * soft * 255 + np.float32(0.5)).astype(np.uint8)
    raw = np.clip(signed * np.float32(255 / full), 0, 255).astype(np.uint8)
    return np.frombuffer(raw.tobytes().translate(table.tobytes()), np.uint8).reshape(height, width)


def _cropped(level: Bytes, box: Box, frame: tuple[int, int, float]) -> Found:
    x0, y0, x1, y1 = box
    left, top, scale = frame
    place = (left + x0 * scale, top + y0 * scale, left + x1 * scale, top + y1 * scale)
    return Found(np.ascontiguousarray(level[y0:y1, x0:x1]), place)
