"""The base class of the readers of images, of sounds and of series."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..bundle.preprocessing import Preprocessing
from ..bundle.spec import InputSpec

if TYPE_CHECKING:
    from typing import BinaryIO

    from PIL import Image

    from ..inputs.wav import Sound

Source: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Image.Image | Sound"
    " | NDArray[Any]"
)
"""What a caller may hold: a path, a file's bytes, an open file, or decoded data that fits the
model."""


def is_one_source(sources: object, reads: str) -> bool:
    """True for what is one input of a model that reads `reads`, though Python can go through its
    parts."""
    if isinstance(sources, np.ndarray):
        colour = sources.ndim == 3 and sources.shape[2] in (3, 4)
        return reads == "image" and (sources.ndim == 2 or colour)
    one = isinstance(sources, str | bytes | bytearray | memoryview | os.PathLike)
    return one or hasattr(sources, "read")


class Reader(ABC):
    """Reads inputs of one kind and makes the input tensors of one model of them.

    For many inputs: `batch_decoder` or `decode` (files) or `read` (anything), then `prepare` each,
    then `batch`. For one: `tensor`. Threads may share it. All methods raise InputError with its
    status; `read` and `tensor` raise TypeError and ValueError for a source that is no input at all.
    """

    def __init__(self, spec: InputSpec, preprocessing: Preprocessing) -> None:
        self.spec = spec
        self.preprocessing = preprocessing

    @abstractmethod
    def decode(self, source: str | os.PathLike[str] | bytes, limit: int = ..., /) -> Any:
        """Decode a file, given by path or as its bytes: to pixels, a Sound, or values.

        limit: the most pixels, samples or values.
        """

    def batch_decoder(self) -> Callable[[str | os.PathLike[str] | bytes, int], Any]:
        """A function like `decode` for the files of one batch, which it may decode together."""
        return self.decode

    @abstractmethod
    def read(self, source: Source, /) -> Any:
        """The same for whatever a caller holds: a path, a file's bytes, or decoded data."""

    @abstractmethod
    def prepare(self, decoded: Any, /) -> Any:
        """Prepare one input for `batch`; None for one that shows nothing.

        What can be done more quickly for many inputs together is left to `batch`.
        """

    def batch(self, prepared: Sequence[Any]) -> NDArray[np.uint8]:
        """The (N, height, width, channels) uint8 tensors of prepared inputs; zeros for None.

        What an input becomes does not depend on those beside it.
        """
        tensors = np.zeros((len(prepared), *self.spec.shape), np.uint8)
        for tensor, found in zip(tensors, prepared, strict=True):
            if found is not None:
                tensor[:] = found
        return tensors

    def tensor(self, source: Source) -> NDArray[np.uint8]:
        """The (height, width, channels) uint8 tensor of one input; zeros if it shows nothing."""
        tensor: NDArray[np.uint8] = self.batch([self.prepare(self.read(source))])[0]
        return tensor
