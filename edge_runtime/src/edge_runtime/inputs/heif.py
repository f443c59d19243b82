"""AVIF and HEIC, the photos of phones: a decoder is loaded once such a file comes."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO

import PIL
from PIL import Image

from ..errors import ImageError
from ..system.signals import interrupts_held

_AVIF = {b"avif", b"avis"}
_LONGEST_FIRST_BOX = 256  # bytes; ten brands need 56
_ITEMS = {
    *(b"hvc1", b"grid", b"iden", b"iovl", b"jpeg", b"av01", b"tmap"),
    *(b"Exif", b"mime", b"uri "),
}
"""The types of items in a HEIC file: pi-heif 1.4 ends the process at others that are metadata."""
_MOST_BOXES = 10_000  # in one; libheif takes far fewer, and photos of phones have about 100
_MOST_BYTES_A_PIXEL = 4  # of a file: lossless, with 12 bits a channel
_MOST_BYTES_BESIDE = 16 << 20  # thumbnails, depth, the maker's notes


def open_heif(stream: BinaryIO, max_pixels: int) -> Image.Image:
    """Open a file of the HEIF family, by Pillow for AVIF and by pi-heif for HEIC.

    Raises ImageError, `unreadable` without the decoder and `too_large` for a file of more bytes
    than its pixels could need (both decoders read all of it); and what a decoder raises.
    """
    most = _MOST_BYTES_A_PIXEL * max_pixels + _MOST_BYTES_BESIDE
    data = stream.read(most + 1)
    if len(data) > most:
        raise ImageError("too_large", f"more than {most} bytes, enough for {max_pixels} pixels")
    if _brands(data) & _AVIF:
        try:
            with interrupts_held():
                from PIL import AvifImagePlugin
        except ImportError:
            supported = False
        else:
            supported = AvifImagePlugin.SUPPORTED
        if not supported:
            raise ImageError(
                "unreadable", f"an AVIF image, which Pillow {PIL.__version__} here cannot read"
            )
        return AvifImagePlugin.AvifImageFile(BytesIO(data))
    try:
        with interrupts_held():
            from pi_heif import HeifImageFile
    except ImportError:
        raise ImageError(
            "unreadable", "a HEIC image; pip install 'edge-runtime[heif]' reads it"
        ) from None
    _refuse_odd_items(data)
    image: Image.Image = HeifImageFile(BytesIO(data))
    return image


def _refuse_odd_items(data: bytes) -> None:
    """Raise ImageError with `corrupt` for a file with items that are in no photo."""
    for kind, meta in _boxes(data):
        for inner, items in _boxes(meta[4:]) if kind == b"meta" else ():
            if inner != b"iinf" or not items:
                continue
            for entry, item in _boxes(items[8 if items[0] else 6 :]):
                # Version and flags, number (of 4 bytes from version 3 on), protection, type.
                start = 10 if item[:1].tobytes() > b"\x02" else 8
                found = bytes(item[start : start + 4])
                if entry == b"infe" and found not in _ITEMS:
                    raise ImageError("corrupt", f"holds an item of type {found!r}")


def _boxes(data: bytes | memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Type and contents of each box of an ISO base media file, ISO/IEC 14496-12."""
    rest = memoryview(data)
    for _ in range(_MOST_BOXES):
        if len(rest) < 8:
            return
        size, start = int.from_bytes(rest[:4], "big"), 8
        if size == 1:
            size, start = int.from_bytes(rest[8:16], "big"), 16
        if size == 0:  # until the end
            size = len(rest)
        yield bytes(rest[4:8]), rest[start:size]
        rest = rest[max(size, start) :]
    raise ImageError("corrupt", f"more than {_MOST_BOXES} boxes")


def _brands(data: bytes) -> set[bytes]:
    """What the file says it can be read as, of its first box."""
    end = min(int.from_bytes(data[:4], "big"), _LONGEST_FIRST_BOX)
    return {data[8:12]} | {data[place : place + 4] for place in range(16, end, 4)}
