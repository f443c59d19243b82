"""The input tensors of a data set: prepared once and kept in a file, or prepared when asked for."""

from __future__ import annotations

import tempfile
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundle.preprocessing import Preprocessing
from edge_runtime.bundle.spec import InputSpec
from edge_runtime.preprocessing.readers import reader_of

from .sources.base import Examples
from .split import Indices


class Store(Protocol):
    """Gives the input tensors of examples by their positions."""

    def tensors(self, positions: Indices, spec: InputSpec) -> NDArray[np.uint8]:
        """(len(positions), height, width, channels) uint8, as the device makes them."""


class MemoryStore:
    """Prepares examples that are few and small whenever they are asked for, at any size."""

    def __init__(self, examples: Examples, preprocessing: Preprocessing) -> None:
        self._examples, self._preprocessing = examples, preprocessing

    def tensors(self, positions: Indices, spec: InputSpec) -> NDArray[np.uint8]:
        """(len(positions), height, width, channels) uint8."""
        reader = reader_of(spec, self._preprocessing)
        return reader.batch([reader.prepare(self._examples[i]) for i in positions])


class Stores:
    """The stores of the same examples at several sizes, as one."""

    def __init__(self, stores: Sequence[TensorStore]) -> None:
        self._by_spec = {store.spec: store for store in stores}

    def tensors(self, positions: Indices, spec: InputSpec) -> NDArray[np.uint8]:
        """(len(positions), height, width, channels) uint8. Raises KeyError for another spec."""
        return self._by_spec[spec].tensors(positions, spec)


class TensorStore:
    """The input tensors of all examples in one file, read a few at a time.

    Plain reads rather than a map of the file: what was read does not count as the process's
    memory, and data larger than memory streams from disk. Threads may share it.
    """

    def __init__(self, spec: InputSpec, path: Path | None = None) -> None:
        """Use the file `path`, or one without a name that goes when the store does."""
        self.spec = spec
        self._bytes = int(np.prod(spec.shape))
        if path is not None:
            path.touch(0o600)
        self._file = open(path, "r+b", 0) if path else tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._moving = threading.Lock()  # Windows has no reads and writes at a position

    def write(self, position: int, tensor: NDArray[np.uint8]) -> None:
        """Store the (height, width, channels) uint8 tensor of one example."""
        with self._moving:
            self._file.seek(position * self._bytes)
            self._file.write(np.ascontiguousarray(tensor).data)

    def tensors(self, positions: Indices, spec: InputSpec) -> NDArray[np.uint8]:
        """(len(positions), height, width, channels) uint8. Raises ValueError for another spec."""
        if spec != self.spec:
            raise ValueError(f"the tensors were prepared as {self.spec}, asked for as {spec}")
        tensors = np.empty((len(positions), *spec.shape), np.uint8)
        for tensor, position in zip(tensors, positions, strict=True):
            with self._moving:
                self._file.seek(int(position) * self._bytes)
                self._file.readinto(tensor.data)
        return tensors
