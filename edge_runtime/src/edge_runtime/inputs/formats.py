"""The file formats that are read: their extensions, and their first bytes."""

from __future__ import annotations

import os
from collections.abc import Set

from ..errors import InputError

_HEIF_BRANDS = {
    *(b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"),
    *(b"mif1", b"msf1"),
}
PLURALS = {"image": "images", "sound": "sounds", "series": "series"}
"""The kinds of input that a model may read, in singular and plural."""

ENDINGS = {
    "image": frozenset(
        {
            *(".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"),
            *(".avif", ".heic", ".heif"),
        }
    ),
    "sound": frozenset({".wav"}),
    "series": frozenset({".npy"}),
}
"""The file extensions, in lower case, that are taken from a folder, by kind of input."""
_FOUND = {"image": "an image", "sound": "a WAV sound", "series": "an array (.npy)"}
_WANTED = {
    "image": "images (PNG, JPEG, BMP, GIF, TIFF, WebP, AVIF, HEIC)",
    "sound": "sounds (WAV)",
    "series": "series (.npy)",
}
_STARTS = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*")


def has_ending(name: str, endings: Set[str] | None) -> bool:
    """True if the file name has one of these endings in any case, or if `endings` is None."""
    return endings is None or os.path.splitext(name)[1].lower() in endings


def is_heif(start: bytes) -> bool:
    """True for the first 12 bytes of a file of the HEIF family: AVIF, HEIC and others."""
    return start[4:8] == b"ftyp" and start[8:12] in _HEIF_BRANDS


def refuse_other_kinds(start: bytes, reads: str) -> None:
    """Raise InputError with `wrong_kind` for a file of another kind than the model reads.

    start: the file's first 12 bytes or more. reads: `image`, `sound` or `series`.
    """
    webp = start[:4] == b"RIFF" and start[8:12] == b"WEBP"
    if start.startswith(_STARTS) or webp or is_heif(start):
        found = "image"
    elif start[:4] == b"RIFF" and start[8:12] == b"WAVE":
        found = "sound"
    elif start.startswith(b"\x93NUMPY"):
        found = "series"
    else:
        return
    if found != reads:
        raise InputError("wrong_kind", f"{_FOUND[found]}; this model reads {_WANTED[reads]}")
