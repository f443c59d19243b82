"""From image files or arrays to the model's input tensor: the one implementation for images.

Training (`model_build.data`) and the device call the same functions: `decode` makes pixels out
of files, `locate` finds in them what the model is to see, `stack` makes the input tensor of that,
many at a time. `prepare` is the last two for one image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..bundle.spec import InputSpec, Preprocessing
from ..errors import ImageError
from .ink.clean import CLEAN
from .ink.crop import fit_ink
from .ink.find import find_ink, find_inks


def locate(
    pixels: NDArray[np.uint8], spec: InputSpec, preprocessing: Preprocessing
) -> NDArray[np.uint8] | None:
    """What the model is to see of (H, W) or (H, W, 3) uint8 pixels: with `ink` preprocessing the
    (h, w) uint8 crop of the ink, or None for a blank image; else the whole image, placed.

    Raises ImageError for an array that is not an image.
    """
    pixels = _checked(pixels)
    if preprocessing.kind == "ink":
        return find_ink(pixels)
    image = Image.fromarray(pixels).convert("L" if spec.channels == 1 else "RGB")
    placed = _place(image, (spec.width, spec.height), preprocessing)
    return np.asarray(placed).reshape(spec.shape)


class Small(NamedTuple):
    """(H, W) uint8 pixels whose ink is still to be found: for many at once that is quicker."""

    pixels: NDArray[np.uint8]


def take(
    pixels: NDArray[np.uint8], spec: InputSpec, preprocessing: Preprocessing
) -> NDArray[np.uint8] | Small | None:
    """As `locate`, but what is small is left for `stack` to locate together."""
    if preprocessing.kind == "ink" and max(_checked(pixels).shape) <= CLEAN:
        return Small(pixels)
    return locate(pixels, spec, preprocessing)


def _checked(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if pixels.dtype != np.uint8:
        raise ImageError("not_an_image", f"pixels are {pixels.dtype}, expected uint8 from 0 to 255")
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3) or not pixels.size:
        raise ImageError(
            "not_an_image", f"pixels have shape {pixels.shape}, expected (H, W) or (H, W, 3)"
        )
    return pixels


def stack(
    located: Sequence[NDArray[np.uint8] | Small | None],
    spec: InputSpec,
    preprocessing: Preprocessing,
) -> NDArray[np.uint8]:
    """The (N, height, width, channels) uint8 input tensor of what `locate` or `take` found; zeros
    where that is None. What an image becomes does not depend on those beside it.
    """
    inks = iter(find_inks([found.pixels for found in located if isinstance(found, Small)]))
    images = [next(inks) if isinstance(found, Small) else found for found in located]
    found = [image for image in images if image is not None]
    tensors = np.zeros((len(images), *spec.shape), np.uint8)
    if not found:
        return tensors
    there = [image is not None for image in images]
    where = ... if all(there) else there
    if preprocessing.kind == "ink":
        how = preprocessing
        fitted = fit_ink(found, spec.height, how.max_stretch, how.spread, how.reach)
        tensors[where] = fitted[..., None]
    else:
        tensors[where] = found
    return tensors


def prepare(
    pixels: NDArray[np.uint8], spec: InputSpec, preprocessing: Preprocessing
) -> NDArray[np.uint8]:
    """Turn (H, W) or (H, W, 3) uint8 pixels into a (height, width, channels) uint8 tensor.

    With `ink`, a blank image gives a tensor of zeros. Raises ImageError for an array that is
    not an image.
    """
    tensor: NDArray[np.uint8] = stack([locate(pixels, spec, preprocessing)], spec, preprocessing)[0]
    return tensor


def _place(image: Image.Image, size: tuple[int, int], preprocessing: Preprocessing) -> Image.Image:
    """The whole image at `size` (width, height), by `fit`, `crop` or `stretch`."""
    box = (0.0, 0.0, float(image.width), float(image.height))
    target = size
    if preprocessing.kind == "crop":
        scale = min(image.width / size[0], image.height / size[1])
        wide, high = size[0] * scale, size[1] * scale
        left, top = (image.width - wide) / 2, (image.height - high) / 2
        box = (left, top, left + wide, top + high)
    elif preprocessing.kind == "fit":
        scale = min(size[0] / image.width, size[1] / image.height)
        target = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    resample = Image.Resampling.BOX if image.width >= target[0] else Image.Resampling.BILINEAR
    resized = image.resize(target, resample, box=box, reducing_gap=3.0)
    if target == size:
        return resized
    canvas = Image.new(image.mode, size, color=(preprocessing.fill,) * len(image.getbands()))
    canvas.paste(resized, ((size[0] - target[0]) // 2, (size[1] - target[1]) // 2))
    return canvas
