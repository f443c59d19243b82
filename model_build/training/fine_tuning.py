"""Training the last blocks of a pretrained network on, from what the blocks before them give."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from ..data.dataset import Labelled
from ..models import LOGITS, multiplications
from .config import TrainConfig
from .history import Epoch
from .order import Order
from .stream import one_hot
from .trainer import train_on
from .workspace import Workspace

SHARE = 0.2
"""Of all multiplications, those of the last blocks at most."""
VALUES = 20_000
"""Values that the last blocks are given of an example, at most: they are kept of each."""


def find_last_blocks(model: keras.Model) -> str | None:
    """The name of the layer before the last blocks: all that comes after it comes from its output.

    None where no layer leaves so little work as `SHARE`, or gives as few values as `VALUES`.
    """
    features = model.get_layer(LOGITS).input
    most = SHARE * multiplications(model)
    found, least = None, 0
    for layer in reversed(model.layers):
        shape = layer.output.shape
        if len(shape) != 4 or math.prod(shape[1:]) > VALUES:
            continue
        try:
            rest = keras.Model(layer.output, features)
        except ValueError:  # it is one of several branches
            continue
        work = multiplications(rest)
        if work > most:
            break
        if work > least:
            found, least = str(layer.name), work
    return found


def tune(
    last: keras.Model,
    views: NDArray[np.float32],
    labels: NDArray[np.int64],
    weights: NDArray[np.float32],
    checks: Labelled,
    config: TrainConfig,
    workspace: Workspace,
    progress: Callable[[Epoch], object] = lambda epoch: None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> tuple[keras.Model, Sequence[Epoch]]:
    """Train the last blocks, with the normalisation's statistics as they are.

    Returns them with the averaged weights of the last epoch, and all epochs. Few validation
    examples would often name an earlier epoch the best by chance: chosen so, the tuned networks of
    folds of 600 photos of scenes read others worse than those of the last epoch.

    last: from the layer before them to the probabilities. views: (V, N, height, width, channels),
    that layer's output for V views of N
    training examples. labels: (N,). weights: (classes,), how
    much each counts. checks: the same of the validation part. Progress, callbacks and the state in
    the workspace are as in `train`.
    """
    for layer in last.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False
    stream = ViewStream(views, labels, weights, config)
    averages, best = train_on(
        last, stream, checks, config, workspace, "fine_tuning", progress, callbacks
    )
    return averages.write(), best.history


class ViewStream:
    """Training examples in another order each epoch, each in a view chosen at random."""

    def __init__(
        self,
        views: NDArray[np.float32],
        labels: NDArray[np.int64],
        weights: NDArray[np.float32],
        config: TrainConfig,
    ) -> None:
        self._views, self._seed = views, config.seed
        targets = one_hot(labels, len(weights), config.label_smoothing)
        self._targets = targets * weights[labels][:, None]
        self._order = Order(len(labels), config)
        self.steps_per_epoch = self._order.steps_per_epoch

    def batches(self, first: int, last: int) -> Any:
        """See Stream; of the layer's output instead of pixels."""
        size, steps = self._order.size, self.steps_per_epoch

        def load(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            shown, targets = tf.numpy_function(self._read, [step], (tf.float32, tf.float32))
            shown = tf.ensure_shape(shown, (size, *self._views.shape[2:]))
            return shown, tf.ensure_shape(targets, (size, self._targets.shape[1]))

        return tf.data.Dataset.range(first * steps, last * steps).map(load).prefetch(4)

    def _read(self, step: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        chosen = self._order.step(int(step))
        rng = np.random.default_rng([self._seed, int(step)])
        return self._views[rng.integers(len(self._views), size=len(chosen)), chosen], (
            self._targets[chosen]
        )
