"""Training the last blocks of a pretrained network on, from what the blocks before them give."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from ..backbones.rounding import round_weights
from ..data.dataset import Labelled
from ..data.split import Indices
from ..models import LOGITS, multiplications
from .config import TrainConfig
from .history import Epoch
from .metrics import calibrated_loss, logits_of
from .order import Order
from .stream import weighted_targets
from .trainer import train_on
from .workspace import Workspace

SHARE = 0.2
"""Of all multiplications, those of the last blocks at most."""
VALUES = 20_000
"""Values that the last blocks are given of an example, at most: of 6,500, as many as are shown,
they take half a gigabyte of memory. ResNet50 and VGG16 at 224 pixels give more."""
_STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""How far the weights may go from those before to those after: quarters, as finer ones differ by
less than their losses on few examples are worth."""


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


@dataclass(frozen=True)
class Tuned:
    """A network whose last blocks were trained on."""

    model: keras.Model
    step: float
    """How far their weights went from those before to those after the training, in (0, 1]."""
    history: tuple[Epoch, ...]
    best: Epoch
    """The last one, with the figures of the weights that were chosen."""


def tune(
    model: keras.Model,
    start: str,
    views: NDArray[np.float32],
    labels: NDArray[np.int64],
    weights: NDArray[np.float32],
    checks: Labelled,
    config: TrainConfig,
    workspace: Workspace,
    progress: Callable[[Epoch], object],
    callbacks: Sequence[keras.callbacks.Callback],
) -> Tuned | None:
    """Train the last blocks of a copy of the model; statistics of normalisation stay as they are.

    Of the weights before, after and on the way between (Wortsman et al., 2022), those are taken
    that read the checks best; None where those are the ones before. After is the last epoch: on
    few examples an earlier one is often the best by chance.

    start: the layer before the blocks. views: (V, N, height, width, channels), its output for V
    views of N training examples. labels: (N,). weights: (classes,), how much each counts. checks:
    the same of the validation part. The rest is as in `train`.
    """
    whole = keras.models.clone_model(model)
    whole.set_weights(model.get_weights())
    between = whole.get_layer(start).output
    last = keras.Model(between, whole.output)
    for layer in last.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False
    before = last.get_weights()
    stream = ViewStream(views, labels, weights, config)
    averages, best = train_on(
        last, stream, checks, config, workspace, "fine_tuning", progress, callbacks
    )
    averaged = averages.write()
    after, logits = averaged.get_weights(), logits_of(averaged)

    def on_the_way(step: float) -> list[NDArray[np.float32]]:
        return [a + np.float32(step) * (b - a) for a, b in zip(before, after, strict=True)]

    found = []
    for step in _STEPS:
        averaged.set_weights(on_the_way(step))
        found.append((*calibrated_loss(logits(checks.tensors), checks.labels), step))
    loss, accuracy, step = min(found, key=lambda one: one[0])
    if not step:
        return None
    last.set_weights(on_the_way(step))
    round_weights(last)
    history = tuple(best.history)
    chosen = replace(history[-1], validation_loss=loss, validation_accuracy=accuracy)
    return Tuned(whole, step, history, chosen)


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
        self._targets = weighted_targets(labels, weights, config.label_smoothing)
        self._order = Order(len(labels), config)
        self.steps_per_epoch = self._order.steps_per_epoch

    def batches(self, first: int, last: int) -> Any:
        """See Stream; of the layer's output instead of pixels."""
        like = tf.TensorSpec(self._views.shape[2:], tf.float32)
        found = self._order.batches(first, last, self._read, like, self._targets)
        return found.map(lambda step, shown, targets: (shown, targets)).prefetch(4)

    def _read(self, step: int, chosen: Indices) -> NDArray[np.float32]:
        rng = np.random.default_rng([self._seed, step])
        shown: NDArray[np.float32] = self._views[
            rng.integers(len(self._views), size=len(chosen)), chosen
        ]
        return shown
