"""What happens beside Keras's `fit`: schedule, averaged weights, the best epoch, stop, resume."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from itertools import takewhile
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ..data.dataset import Labelled
from .config import TrainConfig
from .history import Epoch
from .metrics import calibrated_loss, forward, logits_model
from .stream import Stream
from .workspace import Workspace

Arrays = Mapping[str, NDArray[Any]]

SAVE_SECONDS = 10
"""The state of the training is kept after an epoch when the last time is longer ago."""
STATISTICS_EXAMPLES = 256
"""How many examples the batch-norm statistics of the averaged weights are recomputed on."""
_STATISTICS_BYTES = 256 << 20  # those examples stay in memory
_WARM_UP = 0.05  # share of the steps
_PERFECT = 0.001
"""A validation loss below which epochs are equal, and the later one is kept."""
_SURE = 0.005
"""A validation loss, that of giving the right class 99.5 %, below which little is left to learn."""


@keras.saving.register_keras_serializable("model_build")
class WarmCosine(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A linear rise over the first 5 % of the steps, then half a cosine down to a floor."""

    def __init__(self, highest: float, floor: float, steps: int) -> None:
        """floor: share of `highest` below which the rate does not fall."""
        self.highest, self.floor, self.steps = highest, floor, steps

    def __call__(self, step: Any) -> Any:
        """The rate of a step, counted from 0."""
        place = tf.cast(step, tf.float32) / self.steps
        fall = 0.5 * (1 + tf.cos(np.pi * (place - _WARM_UP) / (1 - _WARM_UP)))
        rate = tf.where(place < _WARM_UP, place / _WARM_UP, tf.maximum(fall, self.floor))
        return self.highest * rate

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {"highest": self.highest, "floor": self.floor, "steps": self.steps}


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
    kind = keras.layers.BatchNormalization
    return [layer for layer in model.layers if isinstance(layer, kind)]


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


class BestEpoch(keras.callbacks.Callback):  # type: ignore[misc]
    """Measures the averaged weights after each epoch, and keeps those of the best.

    Gives the other callbacks `val_loss` and `val_accuracy`; see Epoch for what they are.
    """

    def __init__(self, averages: AveragedWeights, checks: Labelled) -> None:
        """checks: the examples that every epoch is measured on."""
        super().__init__()
        self._averages, self._checks = averages, checks
        self._logits = logits_model(averages.averaged)
        self._before, self._start = 0.0, time.monotonic()
        self._weights: list[NDArray[np.float32]] = []
        self.history: list[Epoch] = []
        self.best: Epoch | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Measure, and note the epoch."""
        averaged = self._averages.write()
        values = forward(self._logits, self._checks.tensors).astype(np.float64)
        loss, accuracy = calibrated_loss(values, self._checks.labels)
        logs |= {"val_loss": loss, "val_accuracy": accuracy}
        seconds = self._before + time.monotonic() - self._start
        found = Epoch(len(self.history) + 1, float(logs["loss"]), loss, accuracy, seconds)
        self.history.append(found)
        least = self.best.validation_loss if self.best else np.inf
        if max(loss, _PERFECT) <= max(least, _PERFECT):
            self.best, self._weights = found, averaged.get_weights()

    @property
    def waited(self) -> int:
        """Epochs since the best."""
        return len(self.history) - self.best.number if self.best else 0

    @property
    def sure(self) -> int:
        """How many epochs up to the last left nothing to learn from the validation part."""
        backwards = (epoch.validation_loss < _SURE for epoch in reversed(self.history))
        return sum(takewhile(bool, backwards))

    def network(self) -> keras.Model:
        """The network of the best epoch."""
        self._averages.averaged.set_weights(self._weights)
        return self._averages.averaged

    def state(self) -> Arrays:
        """The arrays that `restore` takes."""
        assert self.best is not None
        history = json.dumps([[asdict(epoch) for epoch in self.history], self.best.number])
        weights = {f"best_{k}": weight for k, weight in enumerate(self._weights)}
        return weights | {"history": np.array(history)}

    def restore(self, state: Arrays) -> None:
        """Go on from there."""
        history, best = json.loads(str(state["history"]))
        self.history = [Epoch(**epoch) for epoch in history]
        self.best = self.history[best - 1]
        self._before = self.history[-1].seconds
        self._weights = [state[f"best_{k}"] for k in range(len(self.averaged_weights()))]

    def averaged_weights(self) -> list[NDArray[np.float32]]:
        """The averaged network's weights, as of the last epoch."""
        weights: list[NDArray[np.float32]] = self._averages.averaged.get_weights()
        return weights


class StopEarly(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends training after `patience` epochs without a better one, or a third as many with nothing
    left to learn from the validation part."""

    def __init__(self, best: BestEpoch, patience: int) -> None:
        super().__init__()
        self._best, self._patience = best, patience

    @property
    def due(self) -> bool:
        """True once training is to end."""
        waited, sure = self._best.waited, self._best.sure
        return waited >= self._patience or sure >= max(3, self._patience // 3)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """End training if that is due."""
        self.model.stop_training = self.due


class Resume(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps the state of the training in a workspace, and takes it up again."""

    def __init__(
        self,
        model: keras.Model,
        averages: AveragedWeights,
        best: BestEpoch,
        workspace: Workspace,
    ) -> None:
        """model: compiled, its optimizer built."""
        super().__init__()
        self._variables = [
            *(variable.value for variable in model.trainable_variables),
            *(variable.value for variable in model.non_trainable_variables),
            *(variable.value for variable in model.optimizer.variables),
            *averages.variables,
        ]
        self._averages, self._best, self._workspace = averages, best, workspace
        self._saved = time.monotonic()

    def restore(self) -> int:
        """Take up what the workspace holds; returns how many epochs that is, 0 for none."""
        state = self._workspace.arrays("state")
        if state is None:
            return 0
        for number, variable in enumerate(self._variables):
            variable.assign(state[f"variable_{number}"])
        self._best.restore(state)
        return len(self._best.history)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Keep the state, unless that was done a moment ago."""
        if time.monotonic() - self._saved > SAVE_SECONDS:
            self._keep()

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Keep the state: what comes after training may fail."""
        self._keep()

    def _keep(self) -> None:
        variables = {f"variable_{k}": v.numpy() for k, v in enumerate(self._variables)}
        self._workspace.keep_arrays("state", variables | dict(self._best.state()))
        self._saved = time.monotonic()


class Report(keras.callbacks.Callback):  # type: ignore[misc]
    """Tells a caller of each epoch."""

    def __init__(self, best: BestEpoch, progress: Callable[[Epoch], object]) -> None:
        super().__init__()
        self._best, self._progress = best, progress

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Tell of the epoch that has just been measured."""
        self._progress(self._best.history[-1])
