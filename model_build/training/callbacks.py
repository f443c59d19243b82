"""What happens after each epoch of Keras's `fit`: measuring, early stop, keeping the state."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from itertools import takewhile
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ..data.dataset import Labelled
from ..errors import BuildError
from .averaging import AveragedWeights
from .history import Epoch
from .metrics import calibrated_loss, logits_of
from .workspace import Workspace

Arrays = Mapping[str, NDArray[Any]]

SAVE_SECONDS = 10
"""The state of the training is kept after an epoch when the last time is longer ago."""
_PERFECT = 0.001
"""A validation loss below which epochs are equal, and the later one is kept."""
_SURE = 0.005
"""A validation loss, that of giving the right class 99.5 %, below which little is left to learn."""


class BestEpoch(keras.callbacks.Callback):  # type: ignore[misc]
    """Measures the averaged weights after each epoch, and keeps those of the best.

    Gives the other callbacks `val_loss` and `val_accuracy`; see Epoch for what they are.
    """

    def __init__(self, averages: AveragedWeights, checks: Labelled, rate: float) -> None:
        """checks: the examples that every epoch is measured on; rate: the highest learning rate,
        for a message."""
        super().__init__()
        self._averages, self._checks, self._rate = averages, checks, rate
        self._logits = logits_of(averages.averaged)
        self._before, self._start = 0.0, time.monotonic()
        self._weights: list[NDArray[np.float32]] = []
        self.history: list[Epoch] = []
        self.best: Epoch | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Measure, and note the epoch. Raises BuildError when the weights are no numbers."""
        averaged = self._averages.write()
        values = self._logits(self._checks.tensors)
        if not (np.isfinite(logs["loss"]) and np.isfinite(values).all()):
            raise BuildError(
                f"training diverged in epoch {len(self.history) + 1}: its loss is"
                f" {logs['loss']:g}; give a lower --learning-rate than {self._rate:g}"
            )
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
        if self.due:
            self.model.stop_training = True


class Resume(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps the state of the training in a workspace, and takes it up again."""

    def __init__(
        self,
        model: keras.Model,
        averages: AveragedWeights,
        best: BestEpoch,
        workspace: Workspace,
        name: str,
    ) -> None:
        """model: compiled, its optimizer built. name: that of the state in the workspace."""
        super().__init__()
        self._variables = [
            *(variable.value for variable in model.trainable_variables),
            *(variable.value for variable in model.non_trainable_variables),
            *(variable.value for variable in model.optimizer.variables),
            *averages.variables,
        ]
        self._averages, self._best = averages, best
        self._workspace, self._name = workspace, name
        self._saved = time.monotonic()

    def restore(self) -> int:
        """Take up what the workspace holds; returns how many epochs that is, 0 for none."""
        state = self._workspace.arrays(self._name)
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
        self._workspace.keep_arrays(self._name, variables | dict(self._best.state()))
        self._saved = time.monotonic()


class Report(keras.callbacks.Callback):  # type: ignore[misc]
    """Tells a caller of each epoch."""

    def __init__(self, best: BestEpoch, progress: Callable[[Epoch], object]) -> None:
        super().__init__()
        self._best, self._progress = best, progress

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Tell of the epoch that has just been measured."""
        self._progress(self._best.history[-1])
