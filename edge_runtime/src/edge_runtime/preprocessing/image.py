"""From image files or arrays to the model's input tensor: the one implementation for images.

Training (`model_build.data`) and the device use the same ImageReader.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..bundle.preprocessing import Crop, Fit, Ink, Preprocessing
from ..bundle.spec import InputSpec
from ..errors import ImageError
from ..inputs import image, pixels
from .base import Reader, Source
from .ink.clean import SMALL_SIDE
from .ink.crop import fit_ink
from .ink.find import find_ink, find_inks

Pixels: TypeAlias = NDArray[np.uint8]


class Small(NamedTuple):
    """(H, W) uint8 pixels whose ink `batch` finds: for many at once that is quicker."""

    pixels: Pixels


class ImageReader(Reader):
    """Reads images: files, Pillow images, or arrays of pixels."""

    decode = staticmethod(image.decode)
    read = staticmethod(pixels.read_pixels)

    def __init__(self, spec: InputSpec, preprocessing: Preprocessing) -> None:
        super().__init__(spec, preprocessing)
        self._ink = preprocessing if isinstance(preprocessing, Ink) else None

    def prepare(self, decoded: Pixels, /) -> Pixels | Small | None:
        """Prepare (H, W) or (H, W, 3) uint8 pixels for `batch`.

        With `ink`, the (h, w) uint8 crop of the ink, None for a blank image, or the pixels of a
        small image; else the whole image at the tensor's shape. Raises ImageError for an array
        that is not an image.
        """
        pixels = _checked(decoded)
        if self._ink is None:
            return self._resized(pixels)
        return Small(pixels) if max(pixels.shape) <= SMALL_SIDE else find_ink(pixels)

    def batch(self, prepared: Sequence[Pixels | Small | None]) -> Pixels:
        """The (N, height, width, channels) uint8 tensors of prepared images; zeros for blank ones.

        What an image becomes does not depend on those beside it.
        """
        inks = iter(find_inks([each.pixels for each in prepared if isinstance(each, Small)]))
        return self._stacked([next(inks) if isinstance(each, Small) else each for each in prepared])

    def tensor(self, source: Source) -> Pixels:
        """The (height, width, channels) uint8 tensor of one image; zeros if it is blank.

        Raises ImageError.
        """
        pixels = _checked(self.read(source))
        part = self._resized(pixels) if self._ink is None else find_ink(pixels)
        tensor: Pixels = self._stacked([part])[0]
        return tensor

    def _stacked(self, parts: Sequence[Pixels | None]) -> Pixels:
        """The tensors of crops of ink, or of images that have the tensor's shape already."""
        tensors = np.zeros((len(parts), *self.spec.shape), np.uint8)
        found = [part for part in parts if part is not None]
        if not found:
            return tensors
        there = [part is not None for part in parts]
        where = ... if all(there) else there
        how = self._ink
        if how is None:
            tensors[where] = found
        else:
            inks = fit_ink(found, self.spec.height, how.max_stretch, how.spread, how.reach)
            tensors[where] = inks[..., None]
        return tensors

    def _resized(self, pixels: Pixels) -> Pixels:
        """(height, width, channels)."""
        spec = self.spec
        whole = Image.fromarray(pixels).convert("L" if spec.channels == 1 else "RGB")
        placed = _place(whole, (spec.width, spec.height), self.preprocessing)
        return np.asarray(placed).reshape(spec.shape)


def _checked(pixels: Pixels) -> Pixels:
    if pixels.dtype != np.uint8:
        raise ImageError("not_an_image", f"pixels are {pixels.dtype}, expected uint8 from 0 to 255")
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3) or not pixels.size:
        raise ImageError(
            "not_an_image", f"pixels have shape {pixels.shape}, expected (H, W) or (H, W, 3)"
        )
    return pixels


def _place(image: Image.Image, size: tuple[int, int], preprocessing: Preprocessing) -> Image.Image:
    """The whole image at `size` (width, height), by `fit`, `crop` or `stretch`."""
    if isinstance(preprocessing, Fit):
        scale = min(size[0] / image.width, size[1] / image.height)
        inner = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        resized = _resize(image, inner)
        if inner == size:
            return resized
        canvas = Image.new(image.mode, size, color=(preprocessing.fill,) * len(image.getbands()))
        canvas.paste(resized, ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2))
        return canvas
    if isinstance(preprocessing, Crop):
        scale = min(image.width / size[0], image.height / size[1])
        wide, high = size[0] * scale, size[1] * scale
        # Rounding may leave the box a trifle larger than the image.
        left, top = max(0, image.width - wide) / 2, max(0, image.height - high) / 2
        right, below = min(left + wide, image.width), min(top + high, image.height)
        return _resize(image, size, (left, top, right, below))
    return _resize(image, size)


def _resize(
    image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float] | None = None
) -> Image.Image:
    """The part of the image in the box (left, top, right, bottom), or all of it, at that size."""
    resample = Image.Resampling.BOX if image.width >= size[0] else Image.Resampling.BILINEAR
    return image.resize(size, resample, box=box, reducing_gap=3.0)
