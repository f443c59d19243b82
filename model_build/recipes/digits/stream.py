"""What training shows of the digits: each drawn anew in every epoch, and non-digits among them."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ...training.config import TrainConfig
from ...training.stream import one_hot
from ...training.workspace import Workspace
from .drawing import StrokeDigits
from .outliers import draw_outliers


class DrawnStream:
    """Digits drawn again, and generated non-digits whose target is no class more than another
    (outlier exposure, Hendrycks et al., 2019). An epoch is drawn while the one before trains.

    One generator draws all epochs; its state before each is kept in the workspace, from which an
    interrupted training goes on.
    """

    def __init__(
        self,
        digits: StrokeDigits,
        classes: int,
        outliers: float,
        config: TrainConfig,
        workspace: Workspace | None = None,
    ) -> None:
        """outliers: non-digits for each digit. workspace: None for a training that is not kept."""
        self._digits, self._workspace = digits, workspace
        kept = workspace.arrays("draws") if workspace else None
        start = json.dumps(np.random.default_rng(config.seed).bit_generator.state)
        self._starts: list[str] = kept["starts"].tolist() if kept else [start]
        self._outliers = round(outliers * len(digits.labels))
        named = one_hot(digits.labels, classes, config.label_smoothing)
        unknown = np.full((self._outliers, classes), 1 / classes, np.float32)
        self._targets = np.concatenate([named, unknown])
        self._size = min(config.batch_size, len(self._targets))
        self.steps_per_epoch = len(self._targets) // self._size

    def batches(self, first: int, last: int) -> Any:
        """See Stream."""
        classes = self._targets.shape[1]
        rng = np.random.default_rng()
        rng.bit_generator.state = json.loads(self._starts[first])
        draw_epoch = partial(self._epoch, rng)

        def draw(epoch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            tensors, targets = tf.numpy_function(draw_epoch, [epoch], (tf.uint8, tf.float32))
            shape = (self.steps_per_epoch, self._size)
            tensors = tf.ensure_shape(tensors, (*shape, *self._digits.shape))
            return tensors, tf.ensure_shape(targets, (*shape, classes))

        epochs = tf.data.Dataset.range(first, last).map(draw).prefetch(1)
        return epochs.unbatch().map(lambda images, targets: (tf.cast(images, tf.float32), targets))

    def _epoch(
        self, rng: np.random.Generator, epoch: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """(steps, size, side, side, 1) uint8 and (steps, size, classes)."""
        drawn = [self._digits.digits(rng), draw_outliers(self._digits, self._outliers, rng)]
        order = rng.permutation(len(self._targets))[: self.steps_per_epoch * self._size]
        if epoch + 1 == len(self._starts):
            self._starts.append(json.dumps(rng.bit_generator.state))
            if self._workspace:
                self._workspace.keep_arrays("draws", {"starts": np.array(self._starts)})
        tensors, targets = np.concatenate(drawn)[order], self._targets[order]
        steps = (self.steps_per_epoch, self._size)
        return (
            tensors.reshape(*steps, *tensors.shape[1:]),
            targets.reshape(*steps, targets.shape[1]),
        )
