"""Near duplicates: images that an encoder, an editor or a camera's burst made of one another."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundle.preprocessing import Stretch
from edge_runtime.bundle.spec import InputSpec
from edge_runtime.preprocessing.readers import reader_of

from .groups import connected
from .split import Indices

Floats = NDArray[np.float32]

SMALLEST = 64
"""An image with a shorter side of fewer pixels has no hash: drawings of so few resemble each other
by chance (of 1,797 handwritten digits 88 pairs would be near duplicates)."""
MOST = 50_000
"""More images are not compared: the comparison takes half a minute of two cores for as many, and
four times as long for twice as many."""
NEAR = 0.5
"""Two images are near duplicates at this share of the typical distance between an image and the
one of another class that is nearest to it. Of 400 pets, 800 leaves and 1,200 scenes it finds 10
pairs, all of them photos of one thing, and all copies that were encoded at quality 25, halved,
turned by 2 degrees, cut by 5 % at each side, mirrored, or 25 % brighter."""
LEAST = 0.85
"""The similarity, a cosine, that near duplicates have at least."""

_SAMPLED_SIDE = 128
"""A pixel in so many of the shorter side is looked at: 4 of each of the hash's 32."""
_SIDE = 32
_LUMA, _CHROMA = 8, 4
"""Frequencies of an axis that the hash holds, after the 64 bits of the DCT hash (Zauner, 2010)."""
_MARGIN = 0.05
"""What the inner part lacks at each side, as a share: how far copies are cut in most cases."""
_FLOOR = 8.0
"""Of a frequency's deviation: a quarter of a grey level over the whole image, as rounding makes."""
_BLOCK = 256
_SAMPLE = 1000
"""Images, evenly spread, whose nearest of another class is looked for."""


def perceptual_hash(pixels: NDArray[np.uint8]) -> bytes:
    """The lowest frequencies of an image, (H, W) or (H, W, 3), and of its inner part.

    Two rows of half-precision floats, little-endian: the discrete cosine transform of luma and of
    two differences of colour, at 32x32 pixels. Empty for an image with a side below `SMALLEST`.
    """
    if min(pixels.shape[:2]) < SMALLEST:
        return b""
    step = max(1, min(pixels.shape[:2]) // _SAMPLED_SIDE)
    pixels = pixels[::step, ::step]
    height, width = pixels.shape[:2]
    high, wide = round(_MARGIN * height), round(_MARGIN * width)
    parts = (pixels, pixels[high : height - high, wide : width - wide])
    return b"".join(_frequencies(part).astype("<f2").tobytes() for part in parts)


def near_duplicates(hashes: Sequence[bytes], classes: Indices) -> list[Indices]:
    """Groups of images that are near duplicates, as positions among the (N,) hashes.

    classes: (N,). Images without a hash are in no group; neither is any among more than `MOST`.
    The hashes are whitened, so that what all images have in common makes no two of them alike.
    """
    places = np.array([place for place, one in enumerate(hashes) if one], np.int64)
    if not 2 <= len(places) <= MOST:
        return []
    rows = np.frombuffer(b"".join(hashes), "<f2").astype(np.float32).reshape(len(places), 2, -1)
    mean, deviation = rows[:, 0].mean(0), np.maximum(rows[:, 0].std(0), _FLOOR)
    whole, inner, mirrored = (
        _unit((part - mean) / deviation)
        for part in (rows[:, 0], rows[:, 1], rows[:, 0] * _mirror())
    )
    least = _least_similarity(whole, classes[places])
    number = np.arange(len(places))
    for start in range(0, len(places), _BLOCK):
        mine = slice(start, start + _BLOCK)
        alike = np.maximum(whole[mine] @ whole[start:].T, whole[mine] @ mirrored[start:].T)
        np.maximum(alike, whole[mine] @ inner[start:].T, out=alike)
        np.maximum(alike, inner[mine] @ whole[start:].T, out=alike)
        one, other = np.nonzero(alike >= least)
        if (one != other).any():
            number = connected(number, one + start, other + start)
    order = np.argsort(number, kind="stable")
    groups = np.split(places[order], np.flatnonzero(np.diff(number[order])) + 1)
    return [group for group in groups if len(group) > 1]


def _least_similarity(units: Floats, classes: Indices) -> float:
    """The cosine from which two images are near duplicates; see `NEAR`.

    Images of different classes are different photos, whatever bursts a class has.
    """
    nearest = []
    for place in range(0, len(units), max(1, len(units) // _SAMPLE)):
        others = classes != classes[place]
        if others.any():
            nearest.append(float((units @ units[place])[others].max()))
    if not nearest:
        return LEAST
    distance = np.sqrt(np.maximum(0, 2 - 2 * np.array(nearest)))
    return max(LEAST, 1 - (NEAR * float(np.median(distance))) ** 2 / 2)


def _frequencies(pixels: NDArray[np.uint8]) -> Floats:
    """The lowest frequencies but the mean of luma, then those of two differences of colour."""
    reader = reader_of(InputSpec(_SIDE, _SIDE, 3), Stretch())
    red, green, blue = np.moveaxis(reader.tensor(pixels).astype(np.float32), 2, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    planes = ((luma, _LUMA), (blue - luma, _CHROMA), (red - luma, _CHROMA))
    found = [(_cosines()[:n] @ plane @ _cosines()[:n].T).ravel() for plane, n in planes]
    return np.concatenate(found)[1:]


@cache
def _cosines() -> Floats:
    """The matrix of the orthonormal discrete cosine transform, a frequency a row."""
    from scipy.fft import dct

    matrix: Floats = dct(np.eye(_SIDE), axis=0, norm="ortho").astype(np.float32)
    return matrix


@cache
def _mirror() -> Floats:
    """The signs that make an image's frequencies those of its mirror image."""
    signs = [np.tile((-1.0) ** np.arange(n), n) for n in (_LUMA, _CHROMA, _CHROMA)]
    return np.concatenate(signs)[1:].astype(np.float32)


def _unit(rows: Floats) -> Floats:
    scaled: Floats = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    return scaled
