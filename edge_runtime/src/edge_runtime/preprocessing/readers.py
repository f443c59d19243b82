"""The reader that a model needs, chosen by what it reads: images, sounds or series."""

from __future__ import annotations

from ..bundle.preprocessing import Preprocessing
from ..bundle.spec import InputSpec
from .base import Reader


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
