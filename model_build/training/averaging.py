"""Averaged weights, and batch-norm statistics that belong to them."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from .config import TrainConfig
from .stream import Stream

STATISTICS_EXAMPLES = 256
"""How many examples the batch-norm statistics of the averaged weights are recomputed on."""
_STATISTICS_BYTES = 256 << 20  # those examples stay in memory


class AveragedWeights(keras.callbacks.Callback):  # type: ignore[misc]
    """A moving average of the weights (Polyak & Juditsky, 1992), as a network of its own.

    After n steps a weight is averaged over about `averaging * n` of them. The batch-norm
    statistics are not averaged: those of the first steps would stay in them. They are measured
    anew for the averaged weights on training examples (Izmailov et al., 2018).
    """

    def __init__(self, model: keras.Model, stream: Stream, config: TrainConfig) -> None:
        super().__init__()
        self.averaged = keras.models.clone_model(model)
        """The network with the averaged weights, as of the last `write`."""
        self.averaged.set_weights(model.get_weights())
        self._averaging = config.averaging
        self._steps = tf.Variable(0.0)
        self._weights = [weight.value for weight in model.trainable_variables]
        self._averages = [tf.Variable(weight) for weight in self._weights]
        self._update = tf.function(self._average)
        self._statistics = _Statistics(model, stream, config.batch_size)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Take in the weights of this step."""
        self._update()

    def _average(self) -> None:
        keep = (1 + self._steps) / (1 + self._steps + 1 / self._averaging)
        for average, weight in zip(self._averages, self._weights, strict=True):
            average.assign(keep * average + (1 - keep) * weight)
        self._steps.assign_add(1.0)

    def write(self) -> keras.Model:
        """Give `averaged` the averages and their batch-norm statistics; returns it."""
        for variable, average in zip(
            self.averaged.trainable_variables, self._averages, strict=True
        ):
            variable.assign(average)
        self._statistics.measure(self.averaged)
        return self.averaged

    @property
    def variables(self) -> list[tf.Variable]:
        """All that a resumed training needs of it."""
        return [self._steps, *self._averages]


class _Statistics:
    """Batch-norm statistics of given weights: the mean over batches that training shows."""

    def __init__(self, model: keras.Model, stream: Stream, batch_size: int) -> None:
        self._momentum = tf.Variable(0.0)
        self._measured = keras.models.clone_model(model)
        layers = _batch_norms(self._measured)
        for layer in layers:
            layer.momentum = self._momentum
        self._batches = _first_batches(stream, batch_size) if layers else []
        self._pass = tf.function(lambda images: self._measured(images, training=True))

    def measure(self, model: keras.Model) -> None:
        """Set the statistics of `model`, of the same structure, for its weights."""
        if not self._batches:
            return
        self._measured.set_weights(model.get_weights())
        for number, images in enumerate(self._batches):
            self._momentum.assign(number / (number + 1))
            self._pass(images)
        for layer, measured in zip(_batch_norms(model), _batch_norms(self._measured), strict=True):
            layer.moving_mean.assign(measured.moving_mean)
            layer.moving_variance.assign(measured.moving_variance)


def _batch_norms(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """Those whose statistics training moves."""
    kind = keras.layers.BatchNormalization
    return [layer for layer in model.layers if isinstance(layer, kind) and layer.trainable]


def _first_batches(stream: Stream, batch_size: int) -> list[tf.Tensor]:
    """The images of about STATISTICS_EXAMPLES examples, as the first epochs show them."""
    wanted = -(-STATISTICS_EXAMPLES // batch_size)
    found: list[tf.Tensor] = []
    for images, _ in stream.batches(0, -(-wanted // stream.steps_per_epoch)):
        found.append(images)
        if len(found) == wanted or (len(found) + 1) * _bytes(images) > _STATISTICS_BYTES:
            break
    return found


def _bytes(images: tf.Tensor) -> int:
    return int(np.prod(images.shape)) * 4
