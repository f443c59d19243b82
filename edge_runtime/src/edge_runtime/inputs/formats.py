"""The file formats that models read: by their extensions, and by how such files begin."""

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
"""The file endings, in lower case, that a walk of a folder takes, by what the model reads."""
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
    """Raise InputError with `wrong_kind` if a file that begins so, with 12 bytes or more, is of
    a kind that other models read than those that read `reads`."""
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
