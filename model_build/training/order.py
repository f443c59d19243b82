"""The order in which a training shows its examples."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ..data.split import Indices
from .config import TrainConfig

SHOWN = 256
"""Examples that an epoch shows at least: less data is shown several times, so that a few epochs of
it are not a few steps."""


class Order:
    """Another order each epoch, which follows from the seed and the epoch's number; of few examples
    each comes several times."""

    def __init__(self, count: int, config: TrainConfig) -> None:
        """count: of the examples."""
        self._count, self._seed, self._passes = count, config.seed, passes(count)
        self.size = min(config.batch_size, count)
        """Examples of a step."""
        self.steps_per_epoch = self._passes * count // self.size
        self._epoch = lru_cache(2)(self._shuffled)

    def step(self, number: int) -> Indices:
        """The (size,) examples of a step, which is counted from 0 over all epochs."""
        epoch, place = divmod(number, self.steps_per_epoch)
        chosen: Indices = self._epoch(epoch)[place * self.size : (place + 1) * self.size]
        return chosen

    def batches(
        self,
        first: int,
        last: int,
        read: Callable[[int, Indices], NDArray[Any]],
        like: tf.TensorSpec,
        targets: NDArray[np.float32],
    ) -> Any:
        """A tf.data.Dataset of the steps of epochs first to last - 1: the step's number, its
        examples and their targets.

        read: gives the examples of a step from its number and their positions, each as `like`.
        targets: (N, classes) of all.
        """
        size, steps = self.size, self.steps_per_epoch

        def open_step(step: int) -> tuple[NDArray[Any], NDArray[np.float32]]:
            chosen = self.step(int(step))
            return read(int(step), chosen), targets[chosen]

        def load(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            shown, wanted = tf.numpy_function(open_step, [step], (like.dtype, tf.float32))
            shown = tf.ensure_shape(shown, (size, *like.shape))
            return step, shown, tf.ensure_shape(wanted, (size, targets.shape[1]))

        return tf.data.Dataset.range(first * steps, last * steps).map(load)

    def _shuffled(self, epoch: int) -> Indices:
        rng = np.random.default_rng([self._seed, epoch])
        return np.concatenate([rng.permutation(self._count) for _ in range(self._passes)])


def passes(count: int) -> int:
    """How often an epoch shows each of `count` examples."""
    return max(1, round(SHOWN / count))
