"""The reader that a model needs, chosen by what it reads: images, sounds or series."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ..bundle.preprocessing import Preprocessing
from ..bundle.spec import InputSpec
from .base import Reader


def decoder(reads: str) -> Callable[[str | os.PathLike[str] | bytes, int], Any]:
    """The function that decodes files of `image`, `sound` or `series` for no certain model.

    It takes a path or a file's bytes, and the most pixels, samples or values; only its libraries
    are loaded.
    """
    if reads == "sound":
        from ..inputs.wav import decode as decode_wav

        return decode_wav
    if reads == "series":
        from ..inputs.npy import decode as decode_npy

        return decode_npy
    from ..inputs.image import decode

    return decode


def reader_class(reads: str) -> type[Reader]:
    """The class of readers of `image`, `sound` or `series`; only its libraries are loaded."""
    if reads == "sound":
        from .sound import SoundReader

        return SoundReader
    if reads == "series":
        from .series import SeriesReader

        return SeriesReader
    from .image import ImageReader

    return ImageReader


def reader_of(spec: InputSpec, preprocessing: Preprocessing) -> Reader:
    """The reader of a model with this input tensor and preprocessing.

    spec = Manifest.load("exported/digits").spec
    tensor = reader_of(spec.input, spec.preprocessing).tensor("photo.jpg")
    """
    return reader_class(preprocessing.reads)(spec, preprocessing)
