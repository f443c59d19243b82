"""Decode image files to pixels, upright and opaque; damaged files and bombs are refused."""

from __future__ import annotations

import logging
import os
import struct
import warnings
from collections.abc import Callable, Iterator
from functools import cache, partial
from io import BytesIO
from typing import Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import ImageError, one_line
from ..system.signals import interrupts_held
from .files import AT_MOST, MAX_PIXELS, from_file, small_file
from .formats import is_heif, refuse_other_kinds
from .heif import open_heif
from .jpeg import Room, draft_room, fraction, plain_jpeg
from .png import OnSheet, PngSheet, plain_png

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
"""The formats that are decoded, by Pillow's names; beside them only those of `heif`."""

_BAND_PIXELS = 1 << 20  # at a time, where a step takes many bytes a pixel
_TILE_WIDTH, _TILE_LENGTH = 322, 323  # TIFF tags
_START_OF_SCAN = b"\xff\xda"  # in a JPEG's compressed data a ff is never followed by da
_MAX_SCANS = 200  # of a progressive JPEG; encoders write about 10
_SMALL = 65536  # bytes, a file of fewer is read at once
DAMAGED = (
    *(OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError),
    *(AssertionError, AttributeError, ArithmeticError, RuntimeError, Image.DecompressionBombError),
)
"""What Pillow's decoders raise on damaged data, and struct.error."""

T = TypeVar("T")


def decode(
    source: str | os.PathLike[str] | bytes, max_pixels: int = MAX_PIXELS, room: Room = draft_room
) -> NDArray[np.uint8]:
    """Decode an image file, given by path or as its bytes.

    room: how many times smaller a JPEG may become.

    Returns uint8 pixels, (height, width) for grey or (height, width, 3) for colour, upright
    (EXIF orientation applied), first frame only, transparency laid over a contrasting background.
    Raises ImageError with its status.
    """
    return _decode(source, max_pixels, room, plain_png, image_pixels)


def decode_whole(
    source: str | os.PathLike[str] | bytes, max_pixels: int, room: Room = draft_room
) -> NDArray[np.uint8] | Image.Image:
    """As `decode`, but what Pillow holds as grey or RGB stays there: reducing it copies nothing."""
    return _decode(source, max_pixels, room, plain_png, _plain)


def small_png_decoder(
    max_side: int,
) -> Callable[[str | os.PathLike[str] | bytes, int], NDArray[np.uint8] | Image.Image | OnSheet]:
    """A function like `decode_whole` for a batch's files: it decodes small grey PNGs together.

    max_side: px, of what counts as small.
    """
    sheet: PngSheet | None = None
    finish: Callable[[Image.Image], NDArray[np.uint8] | Image.Image | OnSheet] = _plain

    def quick(data: bytes, max_pixels: int) -> NDArray[np.uint8] | Image.Image | OnSheet | None:
        nonlocal sheet
        if sheet is None:
            sheet = PngSheet(max_side, max_pixels)
        found = sheet.add(data)
        return plain_png(data, max_pixels) if found is None else found

    def decode_next(
        source: str | os.PathLike[str] | bytes, max_pixels: int
    ) -> NDArray[np.uint8] | Image.Image | OnSheet:
        return _decode(source, max_pixels, draft_room, quick, finish)

    return decode_next


def _decode(
    source: str | os.PathLike[str] | bytes,
    max_pixels: int,
    room: Room,
    quick: Callable[[bytes, int], T | None],
    finish: Callable[[Image.Image], T],
) -> T:
    """Decode by the quickest way that takes the file.

    quick: decodes some without opening them with Pillow, returns None for the others. finish: from
    what Pillow has loaded.
    """
    data = source if isinstance(source, bytes) else small_file(source, _SMALL)
    if data is None:
        assert not isinstance(source, bytes)
        return from_file(source, partial(_decode_file, max_pixels, room, finish))
    if not data:
        raise ImageError("empty", "no bytes" if data is source else "the file has no bytes")
    found = quick(data, max_pixels)
    if found is not None:
        return found
    whole = plain_jpeg(data, max_pixels, room)
    return (
        _decode_stream(BytesIO(data), max_pixels, room, finish) if whole is None else finish(whole)
    )


def _decode_file(
    max_pixels: int, room: Room, finish: Callable[[Image.Image], T], descriptor: int
) -> T:
    with open(descriptor, "rb", closefd=False) as stream:
        return _decode_stream(stream, max_pixels, room, finish)


@cache
def _load_decoders() -> None:
    """Import Pillow's decoders of FORMATS; by itself it would import those of every format."""
    with interrupts_held():
        Image.preinit()
        from PIL import TiffImagePlugin, WebPImagePlugin  # noqa: F401


def _decode_stream(
    stream: BinaryIO, max_pixels: int, room: Room, finish: Callable[[Image.Image], T]
) -> T:
    _load_decoders()
    try:
        image = _open(stream, max_pixels)
    except Image.DecompressionBombError as error:
        raise ImageError("too_large", f"{one_line(error)} --max-pixels allows no more") from None
    except (*DAMAGED, struct.error) as error:
        raise _damage(error) from None
    with image:
        _refuse_large(image, max_pixels)
        try:
            _refuse_hidden_work(image, stream, max_pixels)
            if image.format == "JPEG":
                factor = fraction(*image.size, room)
                if factor > 1:
                    image.draft(None, (image.width // factor, image.height // factor))
            image.load()
        except (*DAMAGED, struct.error) as error:
            raise _damage(error) from None
        _refuse_large(image, max_pixels)  # what a HEIC file says may be wrong
        return finish(image)


def _open(stream: BinaryIO, max_pixels: int) -> Image.Image:
    try:
        return Image.open(stream, formats=FORMATS)
    except UnidentifiedImageError:
        stream.seek(0)
        start = stream.read(12)
        stream.seek(0)
        if not start:
            raise ImageError("empty", "the file has no bytes") from None
        if is_heif(start):
            return open_heif(stream, max_pixels)
        refuse_other_kinds(start, "image")
        raise ImageError("not_an_image", f"not one of {', '.join(FORMATS)}, AVIF, HEIC") from None


def _refuse_large(image: Image.Image, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        size = f"{image.width}x{image.height}"
        raise ImageError("too_large", f"{size} is more than {max_pixels} pixels{AT_MOST}")


def _damage(error: BaseException) -> ImageError:
    """`unreadable` for an error of the system, which has a number, else `corrupt`."""
    return ImageError("unreadable" if getattr(error, "errno", 0) else "corrupt", one_line(error))


def _refuse_hidden_work(image: Image.Image, stream: BinaryIO, max_pixels: int) -> None:
    """Refuse an opened file that asks for far more than its width and height tell.

    A TIFF may have tiles much larger than itself, each decoded whole; a progressive JPEG may have
    any number of scans, each of which goes over the whole image again: 100,000 fit in 12 MB and
    take minutes. Raises ImageError with `too_large`; leaves the stream where it was.
    """
    if image.format == "TIFF":
        tags: Any = image.tag_v2  # type: ignore[attr-defined]
        wide, high = tags.get(_TILE_WIDTH, 0), tags.get(_TILE_LENGTH, 0)
        if isinstance(wide, int) and isinstance(high, int) and wide * high > max_pixels:
            raise ImageError(
                "too_large", f"tiles of {wide}x{high} are more than {max_pixels} pixels{AT_MOST}"
            )
    if image.format == "JPEG" and "progressive" in image.info:
        place = stream.seek(0, os.SEEK_CUR)
        stream.seek(0)
        scans, last = 0, b""
        while (block := stream.read(1 << 20)) and scans <= _MAX_SCANS:
            scans += (last + block).count(_START_OF_SCAN)
            last = block[-1:]
        stream.seek(place)
        if scans > _MAX_SCANS:
            raise ImageError("too_large", f"more than {_MAX_SCANS} scans, one is the whole image")


def image_pixels(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels of a loaded Pillow image of any mode: uint8, (H, W) grey or (H, W, 3) RGB.

    16-bit grey keeps its upper 8 bits; other integers and floats are scaled from their own
    range to 0..255. Raises ImageError.
    """
    try:
        return _pixels(_upright(image))
    except (*DAMAGED, struct.error) as error:  # some damage shows only now
        raise ImageError("corrupt", one_line(error)) from None


def _plain(image: Image.Image) -> NDArray[np.uint8] | Image.Image:
    """A loaded image itself, upright, if it is grey or RGB; else as `image_pixels`."""
    try:
        upright = _upright(image)
        return upright if _is_plain(upright) else _pixels(upright)
    except (*DAMAGED, struct.error) as error:
        raise ImageError("corrupt", one_line(error)) from None


def _is_plain(image: Image.Image) -> bool:
    return image.mode in ("L", "RGB") and not image.has_transparency_data


def _pixels(upright: Image.Image) -> NDArray[np.uint8]:
    mode = upright.mode
    if _is_plain(upright):
        return np.asarray(upright)
    if mode == "1":
        return np.asarray(upright.convert("L"))
    if mode.startswith("I;16"):
        return (np.asarray(upright).astype(np.uint16) >> 8).astype(np.uint8)
    if mode in ("I", "F"):
        return _scaled(upright)
    if mode == "LAB":
        return np.asarray(upright.getchannel("L"))
    if upright.has_transparency_data:
        return _opaque(upright)
    return np.asarray(upright.convert("RGB"))


def _upright(image: Image.Image) -> Image.Image:
    if "exif" not in image.info and "xmp" not in image.info and image.format != "TIFF":
        return image
    try:
        return ImageOps.exif_transpose(image)
    except (*DAMAGED, struct.error):  # damaged EXIF says nothing about the pixels
        return image


def _bands(image: Image.Image) -> Iterator[tuple[int, int, Image.Image]]:
    """(first row, last row + 1, those rows): steps that take many bytes a pixel go band by band."""
    step = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, step):
        bottom = min(top + step, image.height)
        yield top, bottom, image.crop((0, top, image.width, bottom))


def _scaled(image: Image.Image) -> NDArray[np.uint8]:
    """32-bit integers or floats as they are when they lie in 0..255, else from their own range."""
    extremes = [
        (float(v.min()), float(v.max())) for v in (np.asarray(b) for *_, b in _bands(image))
    ]
    low, high = min(low for low, _ in extremes), max(high for _, high in extremes)
    if not all(np.isfinite(pair).all() for pair in extremes) or not np.isfinite(high - low):
        raise ImageError("corrupt", "pixel values are not finite")
    plain = low >= 0 and high <= 255 and high > 1
    start, scale = (0.0, 1.0) if plain else (low, 255 / (high - low or 1.0))
    pixels = np.empty((image.height, image.width), np.uint8)
    for top, bottom, band in _bands(image):
        pixels[top:bottom] = np.rint((np.asarray(band, dtype=np.float64) - start) * scale)
    return pixels


def _opaque(image: Image.Image) -> NDArray[np.uint8]:
    """Lay a transparent image over white, or over black where its opaque pixels are light."""
    weight = total = 0
    transparent = False
    for *_, band in _bands(image):
        colour, alpha = _colour_and_alpha(band)
        weight += int(alpha.sum(dtype=np.uint64)) * 3
        total += int((colour * alpha).sum(dtype=np.uint64))
        transparent |= bool((alpha < 255).any())
    background = np.uint16(0 if total > 127 * weight and transparent else 255)
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for top, bottom, band in _bands(image):
        colour, alpha = _colour_and_alpha(band)
        pixels[top:bottom] = (colour * alpha + (background * (255 - alpha) + np.uint16(127))) // 255
    return pixels


def _colour_and_alpha(image: Image.Image) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """(H, W, 3) and (H, W, 1), 0 to 255; the product of two and 127 more fit in 16 bits."""
    rgba = np.asarray(image.convert("RGBA")).astype(np.uint16)
    return rgba[..., :3], rgba[..., 3:]


def ignore_decoder_warnings() -> None:
    """Silence Pillow in a process that only classifies: damage already shows in the results."""
    warnings.filterwarnings("ignore", module=r"PIL\.")
    logging.getLogger("PIL").setLevel(logging.CRITICAL + 1)
