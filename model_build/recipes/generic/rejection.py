"""The rejection head: it scales the logits of what is unlike the training examples, so that scores
change but no prediction does.

The features of a class, whatever network made them, point in about one direction. The scale falls
where an example's point in none of these directions. On photos this told more strangers than the
distance of Lee et al. (2018), which is as good only in as many dimensions as there are features.
"""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from ...backbones.rounding import round_kernel
from ...data.dataset import Dataset, Labelled
from ...data.split import Indices
from ...models import LOGITS, PROBABILITIES
from ...training.features import features_of
from ...training.history import Trained
from ...training.metrics import fit_temperature, forward, softmax

SHOWN = 500
"""Training examples whose features are looked at, about; of each class as many."""
FEWEST = 20
"""Examples of a class at least, as far as it has them: of fewer a mean is hardly one."""
OPEN, SHARE = 0.9, 0.98
"""The least scale of the logits, and the share of the right validation readings that get it."""
STEEP = 16.0
"""How fast the logarithm of the odds of the scale falls, by the distance from that share to the
middle of the validation readings. Between 8 and 40 hardly a figure changes, on photos."""
STEEPEST = 100.0
"""The weight of the cosine at most: at 270, on scenes, kernels of several libraries gave
probabilities 5e-6 apart, half of what the gate of fp32 files allows."""
MOST_APART, ROUNDED = 2.5e-3, 128
"""The most that a probability may change when kernels are rounded to float16, on as many examples
or fewer: half of what the gate of such files allows. A steeper scale is made flatter."""
LEAST = 0.1
"""The scale of what is not alike at all: at 0 an int8 file would find all classes equal."""

Floats = NDArray[np.float32]
Floats64 = NDArray[np.float64]


def add_rejection_head(
    trained: Trained, dataset: Dataset, checks: Labelled, features: Floats
) -> Trained:
    """The same network with a rejection head between its logits and its softmax.

    checks: N examples of the validation part, by which the scale is set; features: (N, features)
    of them.
    """
    model = trained.model
    logits = model.get_layer(LOGITS)
    shown = _some_of_each(dataset)
    means = _directions(features_of(trained, dataset, shown), dataset.labels[shown])

    likeness = layers.Dense(means.shape[1], use_bias=False, name="likeness")
    scale = layers.Dense(1, activation="sigmoid", name="rejection")
    above = layers.Dense(1, name="rejection_least")
    x = likeness(layers.UnitNormalization(name="direction")(logits.input))
    x = ops.max(x, axis=1, keepdims=True)
    scaled = layers.Multiply(name="scaled_logits")([logits.output, above(scale(x))])
    likeness.set_weights([means])
    round_kernel(likeness)
    above.set_weights([np.array([[1 - LEAST]]), np.array([LEAST])])

    alike_and_logits = layers.Concatenate()([x, logits.output])
    found = forward(keras.Model(logits.input, alike_and_logits), features).astype(np.float64)
    weight, bias = _opening(keras.Model(model.input, alike_and_logits), checks, found)
    scale.set_weights([np.array([[weight]]), np.array([bias])])
    whole = keras.Model(model.input, layers.Softmax(name=PROBABILITIES)(scaled), name=model.name)
    return replace(trained, model=whole)


def _some_of_each(dataset: Dataset) -> Indices:
    """Training examples, of each class as many where there are."""
    classes = len(dataset.class_names)
    labels = dataset.labels[dataset.train]
    each = max(FEWEST, SHOWN // classes)
    return np.concatenate([dataset.train[labels == k][:each] for k in range(classes)])


def _directions(features: Floats, labels: NDArray[np.int64]) -> Floats:
    """(features, classes): the mean direction of each class, of length 1."""
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-6)
    means = np.stack([unit[labels == k].mean(axis=0) for k in range(labels.max() + 1)], axis=1)
    directions: Floats = means / np.maximum(np.linalg.norm(means, axis=0), 1e-6)
    return directions


def _opening(both: keras.Model, checks: Labelled, found: Floats64) -> tuple[float, float]:
    """(weight, bias) of the sigmoid, by the right readings of the checks.

    both: gives how much an example is alike, -1 to 1, and its logits; found: that of the checks.
    The weight is as large as the rounding of a float16 file allows.
    """
    right = found[:, 1:].argmax(axis=1) == checks.labels
    alike = found[right, 0] if right.any() else found[:, 0]
    least, middle = np.quantile(alike, [1 - SHARE, 0.5])
    some = np.arange(0, len(found), -(-len(found) // ROUNDED))
    rounded = _rounded(both, checks.tensors[some]).astype(np.float64)
    bias = np.log(OPEN / (1 - OPEN))
    for steep in STEEP * 0.8 ** np.arange(12):
        weight = min(STEEPEST, steep / max(middle - least, 1e-3))

        def scaled(values: Floats64, weight: float = weight) -> Floats64:
            opening = 1 / (1 + np.exp(-bias - weight * (values[:, :1] - least)))
            logits: Floats64 = values[:, 1:] * (LEAST + (1 - LEAST) * opening)
            return logits

        logits = scaled(found)
        temperature = fit_temperature(logits, checks.labels)
        apart = softmax(scaled(rounded) / temperature) - softmax(logits[some] / temperature)
        if np.abs(apart).max() <= MOST_APART:
            break
    return float(weight), float(bias - weight * least)


def _rounded(model: keras.Model, tensors: NDArray[np.uint8]) -> Floats:
    """What the model gives with its kernels in float16."""
    weights = model.get_weights()
    model.set_weights([w.astype(np.float16).astype(w.dtype) if w.ndim > 1 else w for w in weights])
    found = forward(model, tensors)
    model.set_weights(weights)
    return found
