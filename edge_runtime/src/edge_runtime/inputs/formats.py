"""The file formats that are read: their extensions, and their first bytes."""

from __future__ import annotations

import os
from collections.abc import Set

from ..errors import InputError

PLURALS = {"image": "images", "sound": "sounds", "series": "series"}
"""The kinds of input that a model may read, in singular and plural."""

ENDINGS = {
    "image": frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"}),
    "sound": frozenset({".wav"}),
    "series": frozenset({".npy"}),
}
"""The file extensions, in lower case, that are taken from a folder, by kind of input."""
_FOUND = {"image": "an image", "sound": "a WAV sound", "series": "an array (.npy)"}
_WANTED = {
    "image": "images (PNG, JPEG, BMP, GIF, TIFF, WebP)",
    "sound": "sounds (WAV)",
    "series": "series (.npy)",
}
_STARTS = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*")


def has_ending(name: str, endings: Set[str] | None) -> bool:
    """True if the file name has one of these endings in any case, or if `endings` is None."""
    return endings is None or os.path.splitext(name)[1].lower() in endings


def refuse_other_kinds(start: bytes, reads: str) -> None:
    """Raise InputError with `wrong_kind` for a file of another kind than the model reads.

    start: the file's first 12 bytes or more. reads: `image`, `sound` or `series`.
    """
    if start.startswith(_STARTS) or (start[:4] == b"RIFF" and start[8:12] == b"WEBP"):
        found = "image"
    elif start[:4] == b"RIFF" and start[8:12] == b"WAVE":
        found = "sound"
    elif start.startswith(b"\x93NUMPY"):
        found = "series"
    else:
        return
    if found != reads:
        raise InputError("wrong_kind", f"{_FOUND[found]}; this model reads {_WANTED[reads]}")
