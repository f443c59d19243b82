"""Probabilities that mean what they say: temperature scaling, and where to stop believing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from numpy.typing import NDArray

from .data.dataset import Dataset, Tensors
from .data.store import checks
from .models import LOGITS, PROBABILITIES
from .recipes.digits.letters import draw_letters, other_letters
from .recipes.digits.outliers import draw_outliers

if TYPE_CHECKING:
    from .training.trainer import Trained

Floats = NDArray[np.float64]

DRAWN_COPIES = 50
KEPT, KEPT_OWN = 0.999, 0.998
"""The share of right readings, of the digits and of other data, that the recommended minimum score
keeps."""
OUTLIERS = 2000


@dataclass(frozen=True)
class Calibration:
    """What was fitted on the validation part."""

    temperature: float
    """The logits were divided by it, in the graph."""
    images: int
    """How many readings of the validation part it was fitted on."""
    min_score: float
    """Recommended minimum score, a probability in [0, 1]."""
    kept: float
    """Share of the right readings, of digits drawn again, that are at or above `min_score`."""
    refused: float
    """Share of generated non-digits below `min_score`; of other data, of the wrong readings."""
    letters_refused: float | None = None
    """Of the digits: share of letters in print, in fonts not trained on, below `min_score`."""

    def to_json(self) -> Mapping[str, Any]:
        """The object that stands in the manifest."""
        found = {
            "method": "temperature scaling",
            "temperature": round(self.temperature, 4),
            "images": self.images,
            "min_score_kept": round(self.kept, 4),
            "min_score_refused": round(self.refused, 4),
        }
        if self.letters_refused is not None:
            found["min_score_letters_refused"] = round(self.letters_refused, 4)
        return found


def logits(model: keras.Model, tensors: Tensors) -> Floats:
    """The values before the softmax, (N, classes), for (N, height, width, channels) uint8."""
    head = keras.Model(model.input, model.get_layer(PROBABILITIES).input)
    batches = [
        np.asarray(head(tensors[i : i + 512].astype(np.float32), training=False))
        for i in range(0, len(tensors), 512)
    ]
    return np.concatenate(batches).astype(np.float64)


def softmax(values: Floats) -> Floats:
    """Probabilities of (N, classes) logits."""
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    normalised: Floats = powers / powers.sum(axis=1, keepdims=True)
    return normalised


def fit_temperature(values: Floats, labels: NDArray[np.int64], doubt: float = 0.0) -> float:
    """The temperature with the least negative log-likelihood (Guo et al., 2017).

    values: (N, classes) logits; labels: (N,). doubt: the share of each label that is spread over
    all classes, so that a few readings that are all right do not claim certainty (Platt, 1999).
    """
    candidates = np.geomspace(0.1, 10, 100)
    rows = np.arange(len(labels))
    losses = []
    for temperature in candidates:
        logs = np.log(softmax(values / temperature) + 1e-12)
        losses.append(-(1 - doubt) * logs[rows, labels].mean() - doubt * logs.mean())
    return float(candidates[int(np.argmin(losses))])


def fold_temperature(model: keras.Model, temperature: float) -> None:
    """Divide the logits by the temperature, inside the last dense layer."""
    layer = model.get_layer(LOGITS)
    layer.set_weights([weights / temperature for weights in layer.get_weights()])


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


def calibrate(trained: Trained, dataset: Dataset) -> Calibration:
    """Fit the temperature on the validation part, fold it into the model, choose a minimum score.

    The validation digits are few and nearly all read right, so they are also drawn again, as
    training draws; both kinds weigh the same. Other data is taken as `pipeline.checks` gives it.
    """
    spec = trained.input
    if dataset.store is not None:
        return _calibrate_own(trained, dataset)
    source = dataset.strokes(dataset.validation, spec)
    rng = np.random.default_rng(trained.config.seed + 2)
    drawn = [source.digits(rng) for _ in range(DRAWN_COPIES)]
    plain = dataset.tensors(dataset.validation, spec)
    values = np.concatenate(
        [
            np.tile(logits(trained.model, plain), (DRAWN_COPIES, 1)),
            logits(trained.model, np.concatenate(drawn)),
        ]
    )
    labels = np.tile(dataset.labels[dataset.validation], 2 * DRAWN_COPIES)
    temperature = fit_temperature(values, labels)
    fold_temperature(trained.model, temperature)
    half = len(values) // 2
    readings, labels = softmax(values[half:] / temperature), labels[half:]
    right = readings.max(axis=1)[readings.argmax(axis=1) == labels]
    min_score = _keeping(KEPT, right)

    def refused(tensors: NDArray[np.uint8]) -> float:
        return float((softmax(logits(trained.model, tensors)).max(axis=1) < min_score).mean())

    return Calibration(
        temperature=temperature,
        images=len(values),
        min_score=min_score,
        kept=float((right >= min_score).mean()),
        refused=refused(draw_outliers(source, OUTLIERS, rng)),
        letters_refused=refused(draw_letters(other_letters(), OUTLIERS, source, rng)),
    )


def _calibrate_own(trained: Trained, dataset: Dataset) -> Calibration:
    tensors, labels = checks(dataset, trained.input, trained.config.seed + 2)
    values = logits(trained.model, tensors)
    temperature = fit_temperature(values, labels, 1 / (len(dataset.validation) + 2))
    fold_temperature(trained.model, temperature)
    readings = softmax(values / temperature)
    right = readings.argmax(axis=1) == labels
    scores = readings.max(axis=1)
    min_score = _keeping(KEPT_OWN, scores[right])
    return Calibration(
        temperature=temperature,
        images=len(values),
        min_score=min_score,
        kept=float((scores[right] >= min_score).mean()),
        refused=float((scores[~right] < min_score).mean()) if not right.all() else 1.0,
    )


def _keeping(share: float, scores: Floats) -> float:
    """The highest two-figure minimum score that keeps the share of the scores."""
    return float(np.floor(np.quantile(scores, 1 - share) * 100) / 100)
