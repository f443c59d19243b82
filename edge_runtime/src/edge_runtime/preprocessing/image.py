"""From image files or arrays to the model's input tensor: the one implementation for images.

Training (`model_build.data`) and the device use the same ImageReader.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..bundle.preprocessing import Crop, Fit, Ink, Preprocessing, Whole
from ..bundle.spec import InputSpec
from ..errors import ImageError
from ..inputs import image
from ..inputs.files import MAX_PIXELS
from ..inputs.jpeg import Room, draft_room
from ..inputs.pixels import read_pixels
from ..inputs.png import OnSheet
from .base import Reader, Source
from .ink.clean import SMALL_SIDE
from .ink.crop import fit_ink, fitted_box
from .ink.find import find_ink, find_inks, locate_ink

Pixels: TypeAlias = NDArray[np.uint8]
Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels."""
Decoded: TypeAlias = Pixels | OnSheet | Image.Image


class Small(NamedTuple):
    """(H, W) uint8 pixels whose ink `batch` finds: for many at once that is quicker."""

    pixels: Pixels


_FOUND_TOGETHER = (Small, OnSheet)


class Placed(NamedTuple):
    """An image, its tensor, and the part of it that the tensor shows."""

    pixels: Pixels
    """(H, W) or (H, W, 3)."""
    tensor: Pixels
    """(height, width, channels)."""
    box: Box
    """In the image's pixels; a part that the tensor fills up lies outside the image."""


class ImageReader(Reader):
    """Reads images: files, Pillow images, or arrays of pixels."""

    def __init__(self, spec: InputSpec, preprocessing: Preprocessing) -> None:
        super().__init__(spec, preprocessing)
        self._ink = preprocessing if isinstance(preprocessing, Ink) else None
        self._room = _room(spec, preprocessing)

    def decode(self, source: str | os.PathLike[str] | bytes, limit: int = MAX_PIXELS, /) -> Pixels:
        """Decode a file, given by path or as its bytes, to (H, W) or (H, W, 3) uint8 pixels.

        limit: the most pixels.
        """
        return image.decode(source, limit, self._room)

    def read(self, source: Source, /) -> Pixels:
        """The pixels of a path, a file's bytes, a Pillow image or an array."""
        return read_pixels(source, room=self._room)

    def batch_decoder(self) -> Callable[[str | os.PathLike[str] | bytes, int], Decoded]:
        """A function like `decode` for the files of one batch, which it may decode together."""
        if self._ink is not None:
            return image.small_png_decoder(SMALL_SIDE)
        return partial(image.decode_whole, room=self._room)

    def prepare(self, decoded: Decoded, /) -> Pixels | Small | OnSheet | None:
        """Prepare (H, W) or (H, W, 3) uint8 pixels, or what `batch_decoder` returns, for `batch`.

        With `ink`, the (h, w) uint8 crop of the ink, None for a blank image, or the pixels of a
        small image; else the whole image at the tensor's shape. Raises ImageError for an array
        that is not an image.
        """
        if isinstance(decoded, OnSheet):
            return decoded
        if isinstance(decoded, Image.Image):
            if self._ink is None:
                return self._resized(decoded)
            if max(decoded.size) > SMALL_SIDE:
                return find_ink(decoded)
            decoded = np.asarray(decoded)
        pixels = _checked(decoded)
        if self._ink is None:
            return self._resized(Image.fromarray(pixels))
        return Small(pixels) if max(pixels.shape) <= SMALL_SIDE else find_ink(pixels)

    def batch(self, prepared: Sequence[Pixels | Small | OnSheet | None]) -> Pixels:
        """The (N, height, width, channels) uint8 tensors of prepared images; zeros for blank ones.

        What an image becomes does not depend on those beside it.
        """
        small = [each.pixels for each in prepared if isinstance(each, _FOUND_TOGETHER)]
        inks = iter(find_inks(small))
        return self._stacked(
            [next(inks) if isinstance(each, _FOUND_TOGETHER) else each for each in prepared]
        )

    def tensor(self, source: Source) -> Pixels:
        """The (height, width, channels) uint8 tensor of one image; zeros if it is blank.

        Raises ImageError.
        """
        pixels = _checked(self.read(source))
        if self._ink is None:
            return self._resized(Image.fromarray(pixels))
        ink = find_ink(pixels)
        return np.zeros(self.spec.shape, np.uint8) if ink is None else self._fitted([ink])[0]

    def placed(self, source: Source) -> Placed:
        """The image, its tensor as `tensor` makes it, and the part of the image that this shows.

        A uint8 array of the tensor's own shape is the tensor itself. Raises ImageError.
        """
        if (
            isinstance(source, np.ndarray)
            and source.dtype == np.uint8
            and source.shape == self.spec.shape
        ):
            return Placed(_checked(source), source, (0, 0, self.spec.width, self.spec.height))
        read = getattr(source, "read", None)
        if read and isinstance(data := read(), bytes):  # an open file can be read once
            source = data or source
        pixels = _checked(read_pixels(source))  # to be shown, so more than the tensor may need
        high, wide = pixels.shape[:2]
        how = self._ink
        if how is None:
            size = (self.spec.width, self.spec.height)
            box = _shown(wide, high, size, self.preprocessing)
            return Placed(pixels, self.tensor(source), box)
        found = locate_ink(pixels)
        if found is None:
            return Placed(pixels, self._stacked([None])[0], (0, 0, wide, high))
        rules = (self.spec.height, how.max_stretch, how.spread, how.reach)
        x0, y0, x1, y1 = fitted_box(found.ink, *rules)
        left, top, right, _ = found.box
        scale = (right - left) / found.ink.shape[1]
        box = (left + x0 * scale, top + y0 * scale, left + x1 * scale, top + y1 * scale)
        return Placed(pixels, self._stacked([found.ink])[0], box)

    def _stacked(self, parts: Sequence[Pixels | None]) -> Pixels:
        """The tensors of crops of ink, or of images that have the tensor's shape already."""
        tensors = np.zeros((len(parts), *self.spec.shape), np.uint8)
        found = [part for part in parts if part is not None]
        if not found:
            return tensors
        there = [part is not None for part in parts]
        where = ... if all(there) else there
        tensors[where] = found if self._ink is None else self._fitted(found)
        return tensors

    def _fitted(self, inks: Sequence[Pixels]) -> Pixels:
        """(N, height, width, channels) of crops of ink."""
        how, channels = self._ink, self.spec.channels
        assert how is not None
        fitted = fit_ink(inks, self.spec.height, how.max_stretch, how.spread, how.reach)[..., None]
        return fitted if channels == 1 else np.repeat(fitted, channels, axis=3)

    def _resized(self, whole: Image.Image) -> Pixels:
        """(height, width, channels) of a grey or RGB image."""
        spec = self.spec
        mode = "L" if spec.channels == 1 else "RGB"
        if whole.mode != mode:
            whole = whole.convert(mode)
        placed = _place(whole, (spec.width, spec.height), self.preprocessing)
        return np.asarray(placed).reshape(spec.shape)


def _room(spec: InputSpec, how: Preprocessing) -> Room:
    """How many times smaller a JPEG may be decoded for this input."""
    if not isinstance(how, Whole) or how.oversampling is None:
        return draft_room
    least, most = sorted((spec.width * how.oversampling, spec.height * how.oversampling))
    if isinstance(how, Fit):  # EXIF may turn the image: one that lies as the input does is larger
        return lambda wide, high: max(min(wide, high) / least, max(wide, high) / most)
    return lambda wide, high: min(wide, high) / most


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
        inner = _inner(image.width, image.height, size)
        resized = _resize(image, inner)
        if inner == size:
            return resized
        canvas = Image.new(image.mode, size, color=(preprocessing.fill,) * len(image.getbands()))
        canvas.paste(resized, ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2))
        return canvas
    if isinstance(preprocessing, Crop):
        return _resize(image, size, _middle(image.width, image.height, size))
    return _resize(image, size)


def _inner(wide: int, high: int, size: tuple[int, int]) -> tuple[int, int]:
    """The largest width and height of the image's proportions within `size`."""
    scale = min(size[0] / wide, size[1] / high)
    return max(1, round(wide * scale)), max(1, round(high * scale))


def _middle(wide: int, high: int, size: tuple[int, int]) -> Box:
    """The largest part in the middle of an image that has the proportions of `size`."""
    scale = min(wide / size[0], high / size[1])
    inner, tall = size[0] * scale, size[1] * scale
    # Rounding may leave the box a trifle larger than the image.
    left, top = max(0, wide - inner) / 2, max(0, high - tall) / 2
    return left, top, min(left + inner, wide), min(top + tall, high)


def _shown(wide: int, high: int, size: tuple[int, int], preprocessing: Preprocessing) -> Box:
    """The part of an image that `_place` shows; beyond the image where that fills the tensor."""
    if isinstance(preprocessing, Fit):
        inner = _inner(wide, high, size)
        across, down = wide / inner[0], high / inner[1]
        left = -((size[0] - inner[0]) // 2) * across
        top = -((size[1] - inner[1]) // 2) * down
        return left, top, left + size[0] * across, top + size[1] * down
    if isinstance(preprocessing, Crop):
        return _middle(wide, high, size)
    return 0, 0, wide, high


def _resize(image: Image.Image, size: tuple[int, int], box: Box | None = None) -> Image.Image:
    """The part of the image in the box (left, top, right, bottom), or all of it, at that size."""
    resample = Image.Resampling.BOX if image.width >= size[0] else Image.Resampling.BILINEAR
    return image.resize(size, resample, box=box, reducing_gap=3.0)
