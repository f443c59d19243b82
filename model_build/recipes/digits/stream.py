"""What training shows of the digits: each drawn anew in every epoch, and non-digits among them."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ...training.config import TrainConfig
from ...training.stream import one_hot
from .drawing import StrokeDigits
from .outliers import draw_outliers


class DrawnStream:
    """Digits drawn again, and generated non-digits whose target is no class more than another
    (outlier exposure, Hendrycks et al., 2019). An epoch is drawn while the one before trains.
    """

    def __init__(
        self, digits: StrokeDigits, classes: int, outliers: float, config: TrainConfig
    ) -> None:
        """outliers: non-digits for each digit."""
        self._digits, self._seed = digits, config.seed
        self._outliers = round(outliers * len(digits.labels))
        named = one_hot(digits.labels, classes, config.label_smoothing)
        unknown = np.full((self._outliers, classes), 1 / classes, np.float32)
        self._targets = np.concatenate([named, unknown])
        self._size = min(config.batch_size, len(self._targets))
        self.steps_per_epoch = len(self._targets) // self._size

    def batches(self, first: int, last: int) -> Any:
        """See Stream."""
        classes = self._targets.shape[1]

        def draw(epoch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            tensors, targets = tf.numpy_function(self._epoch, [epoch], (tf.uint8, tf.float32))
            shape = (self.steps_per_epoch, self._size)
            tensors = tf.ensure_shape(tensors, (*shape, *self._digits.shape))
            return tensors, tf.ensure_shape(targets, (*shape, classes))

        epochs = tf.data.Dataset.range(first, last).map(draw).prefetch(1)
        return epochs.unbatch().map(lambda images, targets: (tf.cast(images, tf.float32), targets))

    def _epoch(self, epoch: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """(steps, size, side, side, 1) uint8 and (steps, size, classes)."""
        rng = np.random.default_rng([self._seed, int(epoch)])
        drawn = [self._digits.digits(rng), draw_outliers(self._digits, self._outliers, rng)]
        order = rng.permutation(len(self._targets))[: self.steps_per_epoch * self._size]
        tensors, targets = np.concatenate(drawn)[order], self._targets[order]
        steps = (self.steps_per_epoch, self._size)
        return (
            tensors.reshape(*steps, *tensors.shape[1:]),
            targets.reshape(*steps, targets.shape[1]),
        )
