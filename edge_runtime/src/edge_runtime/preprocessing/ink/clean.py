"""Ink in an image without noise: its levels are only stretched."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .components import EDGE, MIN_EXTENT, Bytes, Mask

WORK = 128  # px, longest side analysed: a digit of 15 % of the frame still has 19 px
CLEAN = 48  # px, images up to this side may have ink all along the border and still be "clean"
FEW = 4  # images of a size, below which each is looked at by itself
TIGHT = 0.1  # of the border that must be exactly ground when ink lies along it
STEP = 8  # grey levels, the faintest contrast believed (17-level images have 16)


def plain_inks(images: Bytes) -> Iterator[Bytes | None]:
    """The ink of each of (N, H, W) images that is clean, has a border of one value and a digit of
    one piece, found together; None for every other image."""
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
        yield level[i, top:bottom, left:right] if is_plain else None


def _spans(ink: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp], Mask]:
    """Of each row of (N, L): the first with ink, the last + 1, and whether all between have it."""
    start, stop = ink.argmax(axis=1), ink.shape[1] - ink[:, ::-1].argmax(axis=1)
    return start, stop, np.count_nonzero(ink, axis=1) == stop - start


def clean_levels(pixels: Bytes) -> Bytes | None:
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
