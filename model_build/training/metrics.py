"""What a network answers, and what its probabilities are worth."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ..data.dataset import Tensors
from ..models import LOGITS, PROBABILITIES, multiplications
from ..onnx_graph import onnx_forward

Floats = NDArray[np.float64]

_CHUNK = 512
_CHUNK_PIXELS = 8 * 224 * 224
"""Examples of one forward pass, and their pixels: of photos, more at a time are slower."""
_LARGE = 15_000_000
"""Multiplications of a reading from which a graph is built: that takes 0.2 s, as long as a direct
pass of some hundred smaller ones."""
_MANY = 200
"""Examples from which onnxruntime's graph, made in three seconds, saves time."""


def forward(model: keras.Model, tensors: Tensors) -> NDArray[np.float32]:
    """What `model` gives for (N, height, width, channels) values 0 to 255, in inference mode."""
    return forward_of(model)(tensors)


def forward_of(model: keras.Model) -> Callable[[Tensors], NDArray[np.float32]]:
    """`forward` for a model that is asked more than once. For a large one it is a graph, which is
    built at the first time: a second for a pretrained network."""
    large = multiplications(model) > _LARGE

    def infer(examples: Any) -> Any:
        return model(examples, training=False)

    @functools.cache
    def graph(shape: tuple[int, ...]) -> Callable[[Any], Any]:
        pixels = tf.TensorSpec((None, *shape), tf.float32)
        return tf.function(infer, input_signature=[pixels])  # type: ignore[no-any-return]

    def run(tensors: Tensors) -> NDArray[np.float32]:
        return _in_chunks(graph(tensors[:1].shape[1:]) if large else infer, tensors)

    return run


def quick_forward(model: keras.Model, count: int) -> Callable[[Tensors], NDArray[np.float32]]:
    """`forward_of` with the weights that the model has now; a large one through onnxruntime, unless
    TensorFlow has a GPU for it.

    count: the examples that it will be given, about: for few, its graph takes longer than they do.
    """
    small = count < _MANY or multiplications(model) <= _LARGE
    if small or tf.config.list_physical_devices("GPU"):
        return forward_of(model)
    return functools.partial(_in_chunks, onnx_forward(model))


def _in_chunks(call: Callable[[Any], Any], tensors: Tensors) -> NDArray[np.float32]:
    step = chunk_size(tensors[:1].shape[1:])
    return np.concatenate(
        [
            np.asarray(call(np.asarray(tensors[i : i + step], np.float32)))
            for i in range(0, len(tensors), step)
        ]
    )


def chunk_size(shape: Sequence[int]) -> int:
    """How many examples of that (height, width, channels) go through a network at a time."""
    return max(1, min(_CHUNK, _CHUNK_PIXELS // math.prod(shape[:2])))


def logits_model(model: keras.Model) -> keras.Model:
    """The same network without its softmax."""
    return keras.Model(model.input, model.get_layer(PROBABILITIES).input)


def logits_of(model: keras.Model) -> Callable[[Tensors], Floats]:
    """A function that gives the values before the softmax, (N, classes), for (N, height, width,
    channels) values 0 to 255."""
    run = forward_of(logits_model(model))
    return lambda tensors: run(tensors).astype(np.float64)


def logits_from(model: keras.Model, features: NDArray[np.float32]) -> Floats:
    """The values before the softmax, (N, classes), for (N, features) values before the last dense
    layer."""
    end = keras.Model(model.get_layer(LOGITS).input, model.get_layer(PROBABILITIES).input)
    return forward(end, features).astype(np.float64)


def softmax(values: Floats) -> Floats:
    """Probabilities of (N, classes) logits."""
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    normalised: Floats = powers / powers.sum(axis=1, keepdims=True)
    return normalised


def fit_temperature(
    values: Floats,
    labels: NDArray[np.int64],
    smoothing: float = 0.0,
    weights: Floats | None = None,
) -> float:
    """The temperature with the least negative log-likelihood (Guo et al., 2017).

    values: (N, classes) logits; labels: (N,). smoothing: the share of each label that is spread
    over all classes, so that a few predictions that are all right do not claim certainty (Platt,
    1999). weights: (N,), how much each counts; None for all alike.
    """
    candidates = np.geomspace(0.1, 10, 100)
    rows = np.arange(len(labels))
    losses = []
    for temperature in candidates:
        logs = np.log(softmax(values / temperature) + 1e-12)
        right = np.average(logs[rows, labels], weights=weights)
        every = np.average(logs.mean(axis=1), weights=weights)
        losses.append(-(1 - smoothing) * right - smoothing * every)
    return float(candidates[int(np.argmin(losses))])


def calibrated_loss(values: Floats, labels: NDArray[np.int64]) -> tuple[float, float]:
    """(cross-entropy in nats, accuracy) of (N, classes) logits at their best temperature."""
    probabilities = softmax(values / fit_temperature(values, labels))
    right = probabilities[np.arange(len(labels)), labels]
    loss = max(0.0, float(-np.log(right + 1e-12).mean()))
    return loss, float((probabilities.argmax(axis=1) == labels).mean())


def calibration_error(
    probabilities: NDArray[np.floating[Any]], labels: NDArray[np.int64], bins: int = 15
) -> float:
    """Expected calibration error over equal-width bins of the best score (Naeini et al., 2015).

    Returns a share in [0, 1].
    """
    error = 0.0
    for _, count, confidence, accuracy in reliability(probabilities, labels, bins):
        error += count / len(labels) * abs(confidence - accuracy)
    return error


def reliability(
    probabilities: NDArray[np.floating[Any]], labels: NDArray[np.int64], bins: int = 15
) -> list[tuple[float, int, float, float]]:
    """(lower edge, count, mean confidence, accuracy) of each bin that holds anything."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    return [
        (b / bins, int(mine.sum()), float(confidence[mine].mean()), float(right[mine].mean()))
        for b in range(bins)
        if (mine := place == b).any()
    ]
