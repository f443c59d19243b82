"""Prepared examples on disk, and the stream of batches that training reads from them."""

from __future__ import annotations

import os
import tempfile
import weakref
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edge_runtime.bundle.spec import InputSpec

from ..recipes.generic.augmentation import Vary, varied

if TYPE_CHECKING:
    from .dataset import Dataset

Indices = NDArray[np.int64]

CHECK_COPIES = 8
CHECK_READINGS = 1000
"""Fewer validation examples are shown varied as well, up to this many or `CHECK_COPIES` times."""


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
        self._file = open(path, "r+b", 0) if path else tempfile.TemporaryFile()  # noqa: SIM115
        weakref.finalize(self, self._file.close)

    def write(self, position: int, tensor: NDArray[np.uint8]) -> None:
        """Store the (height, width, channels) uint8 tensor of one example."""
        os.pwrite(self._file.fileno(), np.ascontiguousarray(tensor).data, position * self._bytes)

    def read(self, positions: Indices) -> NDArray[np.uint8]:
        """(len(positions), height, width, channels) uint8."""
        tensors = np.empty((len(positions), *self.spec.shape), np.uint8)
        for tensor, position in zip(tensors, positions, strict=True):
            os.preadv(self._file.fileno(), [tensor.data], int(position) * self._bytes)
        return tensors


class Stream:
    """The batches of a whole training: the number of a step tells what is in it."""

    def __init__(
        self,
        store: TensorStore,
        positions: Indices,
        targets: NDArray[np.float32],
        size: int,
        seed: int,
        vary: Vary,
    ) -> None:
        """positions, targets: (N,) examples in `store` and the (N, classes) wanted answers.
        size: examples a step, at most N. vary: what is made of a batch, from its own seed.
        """
        self._store, self._positions, self._targets = store, positions, targets
        self._size, self._seed, self._vary = min(size, len(positions)), seed, vary
        self.steps_per_epoch = len(positions) // self._size
        self._order = lru_cache(2)(self._shuffled)

    def batches(self, first: int, last: int) -> Any:
        """A tf.data.Dataset of steps first to last - 1, read ahead while the network trains:
        ((size, height, width, channels) float32 of 0..255, (size, classes) float32).
        """
        shape = (self._size, *self._store.spec.shape)
        classes = self._targets.shape[1]

        def load(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            tensors, targets = tf.numpy_function(self._read, [step], (tf.uint8, tf.float32))
            images = tf.cast(tf.ensure_shape(tensors, shape), tf.float32)
            # Four random draws a step have seeds of their own.
            seed = tf.stack([tf.constant(self._seed, tf.int32), tf.cast(4 * step, tf.int32)])
            return self._vary(images, seed), tf.ensure_shape(targets, (self._size, classes))

        return tf.data.Dataset.range(first, last).map(load).prefetch(4)

    def _read(self, step: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        epoch, place = divmod(int(step), self.steps_per_epoch)
        chosen = self._order(epoch)[place * self._size : (place + 1) * self._size]
        return self._store.read(self._positions[chosen]), self._targets[chosen]

    def _shuffled(self, epoch: int) -> Indices:
        return np.random.default_rng([self._seed, epoch]).permutation(len(self._positions))


def checks(
    dataset: Dataset, spec: InputSpec, seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The validation tensors and their labels; where they are few, varied copies behind them."""
    tensors = dataset.tensors(dataset.validation, spec)
    copies = min(CHECK_COPIES, CHECK_READINGS // len(tensors))
    more = varied(tensors, dataset.vary, copies, seed)
    return np.concatenate([tensors, more]), np.tile(dataset.labels[dataset.validation], copies + 1)
