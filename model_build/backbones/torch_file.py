"""Weights in a file that PyTorch wrote before version 1.6, read without PyTorch."""

from __future__ import annotations

import hashlib
import io
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import BuildError

_HEADERS = 3  # pickles before the weights: a magic number, the version, and the writer's system
_STORAGES = {"FloatStorage": "<f4", "LongStorage": "<i8"}


class _Tensor:
    """A tensor that is given its values when the file has been read to its end."""

    def __init__(
        self, key: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *rest: object
    ) -> None:
        """strides: in values, as PyTorch counts them."""
        self._key, self._offset, self._shape, self._strides = key, offset, shape, strides

    def of(self, storages: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """Its values; `storages` by their keys. Raises ValueError for one that is too short."""
        values = storages[self._key]
        return np.ndarray(
            self._shape,
            values.dtype,
            values,
            self._offset * values.itemsize,
            tuple(stride * values.itemsize for stride in self._strides),
        )


class _Unpickler(pickle.Unpickler):
    """Makes ordered dictionaries and tensors, and refuses everything else that a pickle can call.

    `kinds` says of each storage, by its key, what it holds.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.kinds: dict[str, str] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        raise pickle.UnpicklingError(f"holds {module}.{name}")

    def persistent_load(self, found: Any) -> str:
        _, kind, key, *_ = found
        self.kinds[key] = kind
        return str(key)


def read_weights(path: Path, sha256: str) -> dict[str, NDArray[Any]]:
    """The tensors of a state dictionary by name, in the shapes that they have in PyTorch.

    sha256: the file's hash, in hexadecimal digits. Raises BuildError for a file with another one.
    """
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise BuildError(f"{path}: its SHA-256 is {found}, expected {sha256}; install it again")
    file = io.BytesIO(data)
    for _ in range(_HEADERS):
        _Unpickler(file).load()
    weights = _Unpickler(file)
    tensors: dict[str, _Tensor] = weights.load()
    storages = {}
    for key in _Unpickler(file).load():
        count = int.from_bytes(file.read(8), "little")
        kind = np.dtype(weights.kinds[key])
        storages[key] = np.frombuffer(file.read(count * kind.itemsize), kind)
    return {name: tensor.of(storages) for name, tensor in tensors.items()}
