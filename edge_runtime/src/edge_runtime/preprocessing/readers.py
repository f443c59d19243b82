"""From a file or an array to the input tensor: the right functions for what a model reads."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..bundle.spec import InputSpec, Preprocessing
from ..inputs.files import read_named

if TYPE_CHECKING:
    from typing import TypeAlias

    from ..inputs.image import ImageSource
    from .image import Small

    Source: TypeAlias = ImageSource | NDArray[Any]


class Reader(NamedTuple):
    """How one kind of input is read. All raise InputError with its status."""

    decode: Callable[[str | os.PathLike[str] | bytes, int], Any]
    """What is in a file, given by path or as its bytes: pixels, a Sound, or values; the number
    is the most pixels, samples or values."""
    read: Callable[[Source], Any]
    """The same of whatever a caller holds; an array is what it is."""
    locate: Callable[[Any, InputSpec, Preprocessing], NDArray[np.uint8] | None]
    """What the model is to see of that; None when there is nothing to see."""
    take: Callable[[Any, InputSpec, Preprocessing], NDArray[np.uint8] | Small | None]
    """The same, or a small image that `stack` locates together with others, which is quicker."""
    stack: Callable[
        [Sequence[NDArray[np.uint8] | Small | None], InputSpec, Preprocessing], NDArray[np.uint8]
    ]
    """The (N, height, width, channels) uint8 tensor of many that were located or taken."""


@cache
def reader(reads: str) -> Reader:
    """The reader of `image`, `sound` or `series`; only then its libraries are loaded."""
    if reads == "sound":
        from . import sound

        read = _array_or(sound.decode, sound.ACCEPTED)
        return Reader(sound.decode, read, sound.locate, sound.locate, _stack)
    if reads == "series":
        from . import series

        read = _array_or(series.decode, series.ACCEPTED)
        return Reader(series.decode, read, series.locate, series.locate, _stack)
    from ..inputs.image import decode, read_pixels
    from . import image

    return Reader(decode, read_pixels, image.locate, image.take, image.stack)


def _array_or(decode: Callable[[Any], Any], accepted: str) -> Callable[[Source], Any]:
    def read(source: Source) -> Any:
        return source if isinstance(source, np.ndarray) else read_named(source, decode, accepted)

    return read


def _stack(
    located: Sequence[NDArray[np.uint8] | Small | None], spec: InputSpec, how: Preprocessing
) -> NDArray[np.uint8]:
    tensors = np.zeros((len(located), *spec.shape), np.uint8)
    for tensor, found in zip(tensors, located, strict=True):
        if found is not None:
            tensor[:] = found
    return tensors
