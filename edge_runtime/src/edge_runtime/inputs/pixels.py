"""8-bit pixels of what a caller holds: a path, bytes, an open file, a Pillow image or an array."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import ImageError, one_line
from .files import MAX_PIXELS, decode_source
from .image import DAMAGED, decode, image_pixels
from .jpeg import Room, draft_room

_ACCEPTED = "a path, bytes, an open file, a Pillow image or an array of pixels"
_SHAPES = "(H, W), (H, W, 3), or (H, W, 4) with transparency"


def read_pixels(
    source: object, max_pixels: int = MAX_PIXELS, room: Room = draft_room
) -> NDArray[np.uint8]:
    """The pixels of an image: uint8, (H, W) for grey or (H, W, 3) for colour.

    source: a path, an encoded file's bytes, a binary file open for reading, a Pillow image, or an
        array as `array_pixels` takes it without a scale.
    room: by how much a JPEG may be decoded smaller, where Pillow has not decoded it.

    Raises TypeError and ValueError for anything else, and ImageError; for a path its message
    names it.
    """
    if isinstance(source, np.ndarray):
        return array_pixels(source)
    if isinstance(source, Image.Image):
        try:
            source.load()
        except (*DAMAGED, struct.error) as error:
            raise ImageError("corrupt", one_line(error)) from None
        return image_pixels(source)
    return decode_source(source, lambda file: decode(file, max_pixels, room), "an image", _ACCEPTED)


def array_pixels(array: NDArray[Any], scale: float | None = None) -> NDArray[np.uint8]:
    """The pixels of an array: uint8, (H, W) for grey or (H, W, 3) for colour.

    array: (H, W), (H, W, 1), (H, W, 3), or (H, W, 4) with transparency, which is laid over a
        contrasting background. uint8 from 0 to 255, floats from 0 to 1, or booleans.
    scale: the value of full brightness, above 0, for numbers of any type from 0 to `scale`.

    Raises TypeError for values of a type whose range is not known, ValueError for another shape or
    for values beyond the range, and ImageError with `corrupt` for values that are not finite.
    """
    shape = array.shape
    if array.ndim == 3 and shape[2] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and shape[2] not in (3, 4)) or not array.size:
        raise ValueError(f"pixels have shape {shape}, expected {_SHAPES}")
    if array.dtype != np.uint8 or scale is not None:
        array = _eight_bits(array, scale)
    return array if array.ndim == 2 or shape[2] == 3 else image_pixels(Image.fromarray(array))


def _eight_bits(array: NDArray[Any], scale: float | None) -> NDArray[np.uint8]:
    kind = array.dtype.kind
    if kind not in "biuf" or (kind in "iu" and scale is None):
        raise TypeError(
            f"pixels are {array.dtype}, expected uint8 from 0 to 255, floats from 0 to 1 or bool;"
            " for other numbers give scale=, the value of full brightness"
        )
    bright = 1.0 if scale is None else scale
    low, high = float(array.min()), float(array.max())
    if not np.isfinite(high - low):
        raise ImageError("corrupt", "pixel values are not finite")
    step = bright / 510  # half of an 8-bit step: rounding takes it away
    if low < -step or high > bright + step:
        raise ValueError(
            f"pixels are from {low:g} to {high:g}, expected 0 to {bright:g}; scale= gives the value"
            " of full brightness"
        )
    pixels: NDArray[np.uint8] = np.rint(
        np.clip(array.astype(np.float64) * (255 / bright), 0, 255)
    ).astype(np.uint8)
    return pixels
