"""What a network answers, and what its probabilities are worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ..data.dataset import Tensors
from ..models import PROBABILITIES

Floats = NDArray[np.float64]

_CHUNK = 512
_CHUNK_PIXELS = 1_600_000
"""Examples of one forward pass, and their pixels, so that memory stays bounded: 32 photos of
224 x 224."""


def forward(model: keras.Model, tensors: Tensors) -> NDArray[np.float32]:
    """What `model` gives for (N, height, width, channels) values 0 to 255, in inference mode."""
    step = chunk_size(tensors[:1].shape[1:])
    chunks = [
        np.asarray(model(tensors[i : i + step].astype(np.float32), training=False))
        for i in range(0, len(tensors), step)
    ]
    return np.concatenate(chunks)


def chunk_size(shape: Sequence[int]) -> int:
    """How many examples of that (height, width, channels) go through a network at a time."""
    return max(1, min(_CHUNK, _CHUNK_PIXELS // math.prod(shape[:2])))


def logits_model(model: keras.Model) -> keras.Model:
    """The same network without its softmax."""
    return keras.Model(model.input, model.get_layer(PROBABILITIES).input)


def logits(model: keras.Model, tensors: Tensors) -> Floats:
    """The values before the softmax, (N, classes), for (N, height, width, channels) uint8."""
    return forward(logits_model(model), tensors).astype(np.float64)


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
