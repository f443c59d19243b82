"""Batches of prepared tensors, each augmented anew."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edge_runtime.bundle.spec import InputSpec

from ...data.dataset import Dataset, Tensors
from ...data.inspection import UNBALANCED
from ...data.split import Indices
from ...training.config import TrainConfig
from ...training.order import Order
from ...training.stream import weighted_targets
from .augmentation import Augment

_DRAWS = 4
"""Random draws of an augmentation, each with a seed of its own."""


class AugmentedStream:
    """The training part in another order each epoch, read ahead while the network trains."""

    def __init__(
        self, dataset: Dataset, spec: InputSpec, config: TrainConfig, augment: Augment
    ) -> None:
        self._dataset, self._spec, self._augment = dataset, spec, augment
        self._positions, self._seed = dataset.train, config.seed
        self._order = Order(len(dataset.train), config)
        self.steps_per_epoch = self._order.steps_per_epoch
        labels = dataset.labels[dataset.train]
        weights = class_weights(labels, len(dataset.class_names))
        self._targets = weighted_targets(labels, weights, config.label_smoothing)

    def batches(self, first: int, last: int) -> Any:
        """See Stream."""
        like = tf.TensorSpec(self._spec.shape, tf.uint8)
        found = self._order.batches(first, last, self._read, like, self._targets)
        return found.map(self._augmented).prefetch(4)

    def _augmented(
        self, step: tf.Tensor, tensors: tf.Tensor, targets: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        seed = tf.stack([tf.constant(self._seed, tf.int32), tf.cast(_DRAWS * step, tf.int32)])
        return self._augment(tf.cast(tensors, tf.float32), seed), targets

    def _read(self, step: int, chosen: Indices) -> NDArray[np.uint8]:
        return self._dataset.tensors(self._positions[chosen], self._spec)


def class_weights(labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """(classes,) weights of the examples of each class, 1 on average; rarer classes weigh more,
    but none ten times as much as another.
    """
    counts = np.bincount(labels, minlength=classes)
    if counts.max() <= UNBALANCED * counts.min():
        return np.ones(classes, np.float32)
    weights = 1 / np.maximum(counts, counts.max() / 10)
    scaled: NDArray[np.float32] = (weights * len(labels) / (weights * counts).sum()).astype("f4")
    return scaled


class Varied:
    """Examples augmented when they are asked for, always in the same way."""

    def __init__(self, examples: Tensors, augment: Augment, seed: int, copy: int) -> None:
        """copy: the number of this set of copies, each of which is another."""
        self._examples, self._augment = examples, augment
        self._seed, self._first = seed, copy * len(examples)

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, places: slice) -> NDArray[np.float32]:
        """Of a slice: (n, height, width, channels) of 0..255."""
        images = tf.constant(np.asarray(self._examples[places], np.float32))
        place = self._first + (places.start or 0)
        seed = tf.constant([self._seed, _DRAWS * place], tf.int32)
        found: NDArray[np.float32] = np.asarray(self._augment(images, seed))
        return found
