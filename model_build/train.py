"""Training: seeding, schedule, averaged weights, the best epoch, history."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edge_runtime.manifest import InputSpec

from .augment import StrokeDigits
from .calibrate import fit_temperature, logits, softmax
from .data import Dataset
from .errors import BuildError
from .network import build_cnn, find_architecture
from .outliers import draw_outliers

VALIDATION_COPIES = 8
"""How often each validation digit is drawn again, so that few images tell epochs apart."""


@dataclass(frozen=True)
class TrainConfig:
    """Everything the training depends on, besides the data and the architecture."""

    epochs: int = 240
    """Passes over the training part; every pass draws each digit anew."""
    seed: int = 0
    batch_size: int = 128
    learning_rate: float = 3e-3
    """The highest; it rises over the first 5 % of the steps, then falls as half a cosine."""
    weight_decay: float = 0.02
    label_smoothing: float = 0.05
    averaging: float = 0.998
    """Decay, for each step, of the moving average of the weights that is kept."""
    outliers: float = 0.15
    """Generated non-digits, for each digit, that the network learns to doubt."""

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
) -> Trained:
    """Train on the dataset's training part; the same arguments give the same weights.

    The weights kept are the moving average with the least loss on the validation part.
    Raises BuildError for a setting out of range or an architecture that is not known.
    """
    if config.epochs < 1:
        raise BuildError(f"--epochs {config.epochs}: at least 1 is needed")
    keras.utils.set_random_seed(config.seed)
    tf.config.experimental.enable_op_determinism()
    side = find_architecture(architecture).side
    spec = InputSpec(side, side, 1)
    model = build_cnn(spec, len(dataset.class_names), architecture)
    examples = _Examples(dataset.strokes(dataset.train, spec), len(dataset.class_names), config)
    check = dataset.strokes(dataset.validation, spec)
    check_rng = np.random.default_rng(config.seed + 1)
    drawn = [check.digits(check_rng) for _ in range(VALIDATION_COPIES)]
    check_tensors = np.concatenate([dataset.tensors(dataset.validation, spec), *drawn])
    check_labels = np.tile(dataset.labels[dataset.validation], VALIDATION_COPIES + 1)

    rng = np.random.default_rng(config.seed)
    learner = _Learner(model, config, len(examples.targets))
    averaged = keras.models.clone_model(model)
    history: list[Epoch] = []
    best, best_weights = None, None
    start = time.monotonic()
    with ThreadPoolExecutor(1) as pool:  # the next epoch is drawn while this one trains
        coming = pool.submit(examples.epoch, rng)
        for number in range(1, config.epochs + 1):
            tensors, targets = coming.result()
            if number < config.epochs:
                coming = pool.submit(examples.epoch, rng)
            loss = learner.epoch(tensors, targets)
            learner.write_average(averaged)
            validation = _measure(averaged, check_tensors, check_labels)
            epoch = Epoch(number, loss, *validation, time.monotonic() - start)
            history.append(epoch)
            progress(epoch)
            if best is None or epoch.validation_loss < best.validation_loss:
                best, best_weights = epoch, averaged.get_weights()
    assert best is not None
    averaged.set_weights(best_weights)
    return Trained(averaged, architecture, spec, config, tuple(history), best)


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

    def __init__(self, model: keras.Model, config: TrainConfig, per_epoch: int) -> None:
        self._config = config
        self._steps_per_epoch = max(1, per_epoch // config.batch_size)
        self._steps = config.epochs * self._steps_per_epoch
        self._done = 0
        self._optimizer = keras.optimizers.AdamW(
            config.learning_rate, weight_decay=config.weight_decay
        )
        self._optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        self._optimizer.build(model.trainable_variables)
        self._tracked = model.weights
        self._averages = [tf.Variable(weight.value) for weight in self._tracked]
        self._step = self._compile(model)

    def epoch(self, tensors: NDArray[np.uint8], targets: NDArray[np.float32]) -> float:
        """One pass in the given order; returns the mean loss."""
        losses = []
        size = self._config.batch_size
        for k in range(self._steps_per_epoch):
            part = slice(k * size, (k + 1) * size)
            self._optimizer.learning_rate.assign(self._rate())
            # Early on the average follows closely, so that the first weights are forgotten.
            keep = min(self._config.averaging, (1 + self._done) / (10 + self._done))
            images = tf.constant(tensors[part].astype(np.float32))
            losses.append(self._step(images, tf.constant(targets[part]), tf.constant(keep)))
            self._done += 1
        return float(np.mean(losses))

    def write_average(self, model: keras.Model) -> None:
        """Give `model`, of the same structure, the averaged weights."""
        model.set_weights([average.numpy() for average in self._averages])

    def _rate(self) -> float:
        place, warm = self._done / self._steps, 0.05
        if place < warm:
            return self._config.learning_rate * place / warm
        fall = (place - warm) / (1 - warm)
        return float(self._config.learning_rate * 0.5 * (1 + np.cos(np.pi * fall)))

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
