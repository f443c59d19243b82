"""Training: seeding, schedule, averaged weights, the best epoch, history."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import islice, takewhile
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edge_runtime.bundle.spec import InputSpec

from ..calibration import fit_temperature, logits, softmax
from ..data.dataset import Dataset
from ..data.inspection import UNBALANCED
from ..data.store import Stream, TensorStore, checks
from ..errors import BuildError
from ..models import build_cnn, find_architecture, multiplications
from ..recipes.digits.drawing import StrokeDigits
from ..recipes.digits.label_noise import doubtful
from ..recipes.digits.outliers import draw_outliers
from .workspace import Workspace

VALIDATION_COPIES = 8
"""How often each validation digit is drawn again, so that few images tell epochs apart."""
SHORT = 20
"""Epochs below which a training is a first try: as a judge it would doubt too many digits, and
unless its rate falls to zero, its int8 files read worse."""
SAVE_SECONDS = 10
"""The state of the training is kept after an epoch when the last time is longer ago."""


@dataclass(frozen=True)
class TrainConfig:
    """Everything the training depends on, besides the data and the architecture."""

    epochs: int = 320
    """Passes over the training part; every pass draws each digit anew."""
    seed: int = 0
    batch_size: int = 128
    learning_rate: float = 3e-3
    """The highest; it rises over the first 5 % of the steps, then falls as half a cosine."""
    least_rate: float = 0.4
    """Share of it below which it does not fall: weights that keep moving, averaged, read other
    hands better than those that settle (Izmailov et al., 2018)."""
    weight_decay: float = 0.02
    label_smoothing: float = 0.05
    averaging: float = 0.25
    """Share of the steps so far that the moving average of the weights, which is kept, spans."""
    outliers: float = 0.15
    """Generated non-digits, for each digit, that the network learns to doubt."""
    judges: float = 0.2
    """Share of the epochs for which the networks that look for doubtful digits are trained."""
    patience: int | None = None
    """Epochs without a better one after which training stops; a third as many with nothing left
    to learn from the validation part stop it too. None never stops early."""

    @property
    def judging(self) -> int:
        """Epochs of those networks."""
        return int(self.epochs * self.judges)

    def to_json(self) -> Mapping[str, Any]:
        """The object that stands in the manifest."""
        return asdict(self)


@dataclass(frozen=True)
class Epoch:
    """How far training has come."""

    number: int
    """1 to the number of epochs."""
    loss: float
    """Mean training loss of the epoch (cross-entropy, in nats)."""
    validation_loss: float
    """Of the averaged weights on the validation digits, as they are and drawn again, at the best
    temperature: the export is calibrated, so that overconfidence alone is no loss."""
    validation_accuracy: float
    """Likewise; a share in [0, 1]."""
    seconds: float
    """Since training began."""


@dataclass(frozen=True)
class Trained:
    """A trained network and how it came about."""

    model: keras.Model
    architecture: str
    input: InputSpec
    config: TrainConfig
    history: tuple[Epoch, ...]
    best: Epoch
    """The epoch whose averaged weights the model holds."""


def train(
    dataset: Dataset,
    architecture: str = "compact",
    config: TrainConfig = TrainConfig(),
    progress: Callable[[Epoch], object] = lambda epoch: None,
    workspace: Workspace | None = None,
    say: Callable[[str], object] = lambda line: None,
) -> Trained:
    """Train on the dataset's training part; the same arguments give the same weights.

    The weights kept are the moving average with the least loss on the validation part.
    workspace: of data that is not the digits: where the state is kept, and taken up again.
    say: told in a line what is done before the first epoch.
    Raises BuildError for a setting out of range or an architecture that is not known.
    """
    if config.epochs < 1:
        raise BuildError(f"--epochs {config.epochs}: at least 1 is needed")
    if config.epochs < SHORT:
        config = _settling(config)
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(config.seed)
    if dataset.store is not None:
        return _train_own(dataset, dataset.store, architecture, config, progress, workspace)
    side = find_architecture(architecture).side
    spec = InputSpec(side, side, 1)
    classes = len(dataset.class_names)
    digits = dataset.strokes(dataset.train, spec)
    if config.judging >= SHORT:

        def fit(some: StrokeDigits, seed: int) -> keras.Model:
            keras.utils.set_random_seed(seed)
            judge = build_cnn(spec, classes, architecture)
            how = replace(config, epochs=config.judging, seed=seed)
            _learn(judge, some, classes, how).write_average(judge)
            return judge

        digits.doubtful = doubtful(digits, dataset.train, fit, config.seed, say)
        say(
            f"{digits.doubtful.sum()} of {len(digits.labels)} digits could be taken for others;"
            " they are shown as they are, not drawn again"
        )
        keras.utils.set_random_seed(config.seed)
    model = build_cnn(spec, classes, architecture)
    check = dataset.strokes(dataset.validation, spec)
    check_rng = np.random.default_rng(config.seed + 1)
    drawn = [check.digits(check_rng) for _ in range(VALIDATION_COPIES)]
    check_tensors = np.concatenate([dataset.tensors(dataset.validation, spec), *drawn])
    check_labels = np.tile(dataset.labels[dataset.validation], VALIDATION_COPIES + 1)
    record = _Record(model, check_tensors, check_labels)
    _learn(
        model, digits, classes, config, lambda learner, loss: progress(record.add(learner, loss))
    )
    return record.trained(architecture, spec, config)


def _learn(
    model: keras.Model,
    digits: StrokeDigits,
    classes: int,
    config: TrainConfig,
    after: Callable[[_Learner, float], object] = lambda learner, loss: None,
) -> _Learner:
    """Train on digits that are drawn again; `after` is called with each epoch's mean loss."""
    examples = _Examples(digits, classes, config)
    rng = np.random.default_rng(config.seed)
    steps = max(1, len(examples.targets) // config.batch_size)
    learner = _Learner(model, config, steps)
    with ThreadPoolExecutor(1) as pool:  # the next epoch is drawn while this one trains
        coming = pool.submit(examples.epoch, rng)
        for number in range(1, config.epochs + 1):
            tensors, targets = coming.result()
            if number < config.epochs:
                coming = pool.submit(examples.epoch, rng)
            after(learner, learner.epoch(_parts(tensors, targets, config.batch_size, steps)))
    return learner


def plan(dataset: Dataset, architecture: str, seed: int = 0) -> TrainConfig:
    """The settings that suit the data: smaller batches and more epochs for little of it.

    The number of epochs depends on the data and the network, not on the clock: about ten
    minutes of two present-day cores, fewer where 3,000 steps are made sooner.
    """
    if dataset.store is None:
        return TrainConfig(seed=seed)
    count = len(dataset.train)
    size = next(size for least, size in _BATCH_SIZES if count >= least)
    work = multiplications(build_cnn(dataset.store.spec, len(dataset.class_names), architecture))
    affordable = _AFFORDABLE // max(1, count * (work + _OVERHEAD))
    wanted = max(60, 3000 * size // count)
    epochs = max(10, min(affordable, wanted, 300))
    return _settling(
        TrainConfig(
            epochs=epochs,
            seed=seed,
            batch_size=size,
            outliers=0.0,
            patience=max(5, epochs // 3),
        )
    )


def _settling(config: TrainConfig) -> TrainConfig:
    """The same, but the rate falls to zero, and the average is of the end alone."""
    return replace(config, least_rate=0.0, averaging=0.11)


_PERFECT = 0.001
"""A validation loss below which epochs are equal, and the later one is kept."""
_SURE = 0.005
"""A validation loss, that of giving the right class 99.5 %, below which little is left to learn."""
_BATCH_SIZES = ((4096, 128), (1024, 64), (256, 32), (0, 16))
_AFFORDABLE = 9_000_000_000_000
"""Multiplications of the forward pass."""
_OVERHEAD = 5_000_000
"""What a reading costs besides its multiplications, in multiplications."""


def _train_own(
    dataset: Dataset,
    store: TensorStore,
    architecture: str,
    config: TrainConfig,
    progress: Callable[[Epoch], object],
    workspace: Workspace | None,
) -> Trained:
    """Data that is not the digits: streamed from the store, varied by the batch."""
    classes = len(dataset.class_names)
    model = build_cnn(store.spec, classes, architecture)
    labels = dataset.labels[dataset.train]
    smooth = config.label_smoothing
    targets = np.eye(classes, dtype=np.float32)[labels] * (1 - smooth) + smooth / classes
    targets *= _weights(labels, classes)[labels][:, None]
    stream = Stream(store, dataset.train, targets, config.batch_size, config.seed, dataset.vary)
    learner = _Learner(model, config, stream.steps_per_epoch)
    record = _Record(model, *checks(dataset, store.spec, config.seed + 1))
    kept = workspace.state() if workspace is not None else None
    if kept is not None:
        learner.restore(kept)
        record.restore(kept)
        progress(record.history[-1])
    first, last = len(record.history), config.epochs
    steps = stream.steps_per_epoch
    batches = iter(stream.batches(first * steps, last * steps))
    saved = time.monotonic()
    for _ in range(first, last):
        if config.patience is not None and (
            record.waited >= config.patience or record.sure >= max(3, config.patience // 3)
        ):
            break
        progress(record.add(learner, learner.epoch(islice(batches, steps))))
        if workspace is not None and time.monotonic() - saved > SAVE_SECONDS:
            workspace.keep_state(learner.state() | record.state())
            saved = time.monotonic()
    return record.trained(architecture, store.spec, config)


def _weights(labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """(classes,) weights of the examples of each class, 1 on average; rarer classes weigh more,
    but none ten times as much as another.
    """
    counts = np.bincount(labels, minlength=classes)
    if counts.max() <= UNBALANCED * counts.min():
        return np.ones(classes, np.float32)
    weights = 1 / np.maximum(counts, counts.max() / 10)
    scaled: NDArray[np.float32] = (weights * len(labels) / (weights * counts).sum()).astype("f4")
    return scaled


def _parts(
    tensors: NDArray[np.uint8], targets: NDArray[np.float32], size: int, steps: int
) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
    """Batches in the given order."""
    for k in range(steps):
        part = slice(k * size, (k + 1) * size)
        yield tf.constant(tensors[part].astype(np.float32)), tf.constant(targets[part])


class _Record:
    """The history, and the averaged weights of the best epoch so far."""

    def __init__(
        self, model: keras.Model, tensors: NDArray[np.uint8], labels: NDArray[np.int64]
    ) -> None:
        """tensors, labels: what every epoch is measured on."""
        self._averaged = keras.models.clone_model(model)
        self._tensors, self._labels = tensors, labels
        self._before, self._start = 0.0, time.monotonic()
        self._best_weights = self._averaged.get_weights()
        self.history: list[Epoch] = []
        self.best: Epoch | None = None

    @property
    def waited(self) -> int:
        """Epochs since the best."""
        return len(self.history) - self.best.number if self.best else 0

    @property
    def sure(self) -> int:
        """How many epochs up to the last left nothing to learn from the validation part."""
        backwards = (epoch.validation_loss < _SURE for epoch in reversed(self.history))
        return sum(takewhile(bool, backwards))

    def add(self, learner: _Learner, loss: float) -> Epoch:
        """Measure the averaged weights after an epoch with that training loss."""
        learner.write_average(self._averaged)
        validation = _measure(self._averaged, self._tensors, self._labels)
        seconds = self._before + time.monotonic() - self._start
        epoch = Epoch(len(self.history) + 1, loss, *validation, seconds)
        self.history.append(epoch)
        least = self.best.validation_loss if self.best else np.inf
        if max(epoch.validation_loss, _PERFECT) <= max(least, _PERFECT):
            self.best, self._best_weights = epoch, self._averaged.get_weights()
        return epoch

    def trained(self, architecture: str, spec: InputSpec, config: TrainConfig) -> Trained:
        """The network of the best epoch."""
        assert self.best is not None
        self._averaged.set_weights(self._best_weights)
        return Trained(self._averaged, architecture, spec, config, tuple(self.history), self.best)

    def state(self) -> dict[str, NDArray[Any]]:
        """The arrays that `restore` takes."""
        assert self.best is not None
        history = json.dumps([[asdict(epoch) for epoch in self.history], self.best.number])
        weights = {f"best_{k}": weight for k, weight in enumerate(self._best_weights)}
        return weights | {"history": np.array(history)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from there."""
        history, best = json.loads(str(state["history"]))
        self.history = [Epoch(**epoch) for epoch in history]
        self.best = self.history[best - 1]
        self._before = self.history[-1].seconds
        self._best_weights = [state[f"best_{k}"] for k in range(len(self._best_weights))]


class _Examples:
    """What one epoch shows: each digit drawn anew, and non-digits that belong to no class."""

    def __init__(self, digits: StrokeDigits, classes: int, config: TrainConfig) -> None:
        self._digits = digits
        self._outliers = round(config.outliers * len(digits.labels))
        smooth = config.label_smoothing
        named = np.eye(classes)[digits.labels] * (1 - smooth) + smooth / classes
        unknown = np.full((self._outliers, classes), 1 / classes)
        self.targets = np.concatenate([named, unknown]).astype(np.float32)

    def epoch(self, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """(M, side, side, 1) uint8 tensors and (M, classes) targets, shuffled together."""
        drawn = [self._digits.digits(rng), draw_outliers(self._digits, self._outliers, rng)]
        order = rng.permutation(len(self.targets))
        return np.concatenate(drawn)[order], self.targets[order]


class _Learner:
    """AdamW on a warmed-up half cosine, and the moving average of all weights."""

    def __init__(self, model: keras.Model, config: TrainConfig, steps_per_epoch: int) -> None:
        self._config = config
        self._steps = config.epochs * steps_per_epoch
        self._done = 0
        self._optimizer = keras.optimizers.AdamW(
            config.learning_rate, weight_decay=config.weight_decay
        )
        self._optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        self._optimizer.build(model.trainable_variables)
        self._tracked = model.weights
        self._averages = [tf.Variable(weight.value) for weight in self._tracked]
        self._step = self._compile(model)

    def epoch(self, batches: Iterable[tuple[tf.Tensor, tf.Tensor]]) -> float:
        """One pass over (images, targets) of float32; returns the mean loss."""
        losses = []
        for images, targets in batches:
            self._optimizer.learning_rate.assign(self._rate())
            keep = (1 + self._done) / (1 + self._done + 1 / self._config.averaging)
            losses.append(self._step(images, targets, tf.constant(keep)))
            self._done += 1
        return float(np.mean(losses))

    def state(self) -> dict[str, NDArray[Any]]:
        """The arrays that `restore` takes."""
        arrays = {f"variable_{k}": v.numpy() for k, v in enumerate(self._variables())}
        return arrays | {"done": np.array(self._done)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from there."""
        for k, variable in enumerate(self._variables()):
            variable.assign(state[f"variable_{k}"])
        self._done = int(state["done"])

    def _variables(self) -> list[Any]:
        return [
            *(w.value for w in self._tracked),
            *self._averages,
            *(v.value for v in self._optimizer.variables),
        ]

    def write_average(self, model: keras.Model) -> None:
        """Give `model`, of the same structure, the averaged weights."""
        model.set_weights([average.numpy() for average in self._averages])

    def _rate(self) -> float:
        place, warm = self._done / self._steps, 0.05
        if place < warm:
            return self._config.learning_rate * place / warm
        fall = 0.5 * (1 + np.cos(np.pi * (place - warm) / (1 - warm)))
        return float(self._config.learning_rate * max(fall, self._config.least_rate))

    def _compile(self, model: keras.Model) -> Callable[..., tf.Tensor]:
        @tf.function  # type: ignore[untyped-decorator]
        def step(images: tf.Tensor, targets: tf.Tensor, keep: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                found = model(images, training=True)
                losses = keras.losses.categorical_crossentropy(targets, found)
                loss = tf.reduce_mean(losses)
            gradients = tape.gradient(loss, model.trainable_variables)
            self._optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            for average, weight in zip(self._averages, self._tracked, strict=True):
                average.assign(keep * average + (1 - keep) * weight.value)
            return loss

        compiled: Callable[..., tf.Tensor] = step
        return compiled


def _measure(
    model: keras.Model, tensors: NDArray[np.uint8], labels: NDArray[np.int64]
) -> tuple[float, float]:
    """Mean cross-entropy in nats and accuracy."""
    values = logits(model, tensors)
    probabilities = softmax(values / fit_temperature(values, labels))
    right = probabilities[np.arange(len(labels)), labels]
    loss = float(-np.log(right + 1e-12).mean())
    return loss, float((probabilities.argmax(axis=1) == labels).mean())
