"""Probabilities that mean what they say: temperature scaling, and the recommended minimum score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from .backbones.rounding import round_kernel
from .data.dataset import Labelled
from .models import LOGITS
from .training.history import Trained
from .training.metrics import Floats, fit_temperature, logits_from, logits_of, softmax


@dataclass(frozen=True)
class CalibrationSet:
    """Examples of the validation part that the temperature and the minimum score are set on."""

    scored: Labelled
    """Examples that count for both."""
    kept: float
    """The share of their right predictions that the minimum score is to keep."""
    plain: Labelled | None = None
    """Further examples, for the temperature only; all of them weigh as much as all of `scored`."""
    smoothing: float = 0.0
    """See `fit_temperature`."""
    features: NDArray[np.float32] | None = None
    """(N, features) of `scored`, the values before the last dense layer, where they are known."""
    refused: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """By a name for the manifest: tensors of things that belong to no class, or their features
    where those of `scored` are known; the share of them below the minimum score is measured. Unless
    one is named `refused`, that is the share of the wrong predictions."""


@dataclass(frozen=True)
class Calibration:
    """What was set on the validation part."""

    temperature: float
    """The logits were divided by it, in the graph."""
    images: int
    """How many examples it was fitted on."""
    min_score: float
    """Recommended minimum score, a probability in [0, 1]."""
    kept: float
    """Share of the right predictions that are at or above `min_score`."""
    refused: Mapping[str, float]
    """By name, the share of what belongs to no class, or of wrong predictions, below it."""
    probabilities: Floats
    """(N, classes) of the examples that it was set on, after that."""

    def to_json(self) -> Mapping[str, Any]:
        """The object that stands in the manifest."""
        return {
            "method": "temperature scaling",
            "temperature": round(self.temperature, 4),
            "images": self.images,
            "min_score_kept": round(self.kept, 4),
            **{f"min_score_{name}": round(share, 4) for name, share in self.refused.items()},
        }


def fold_temperature(model: keras.Model, temperature: float) -> None:
    """Divide the logits by the temperature, inside the last dense layer."""
    layer = model.get_layer(LOGITS)
    layer.set_weights([weights / temperature for weights in layer.get_weights()])


def calibrate(trained: Trained, examples: CalibrationSet) -> Calibration:
    """Fit the temperature, fold it into the model, and choose a minimum score."""
    model, scored, plain = trained.model, examples.scored, examples.plain
    known, labels, weights = examples.features, scored.labels, None
    read = logits_of(model) if known is None else partial(logits_from, model)
    values = read(scored.tensors if known is None else known)
    count = len(labels)
    if plain is not None:
        values = np.concatenate([values, logits_of(model)(plain.tensors)])
        labels = np.concatenate([labels, plain.labels])
        copies = count / len(plain.labels)
        weights = np.repeat([1.0, copies], [count, len(plain.labels)])
    temperature = fit_temperature(values, labels, examples.smoothing, weights)
    fold_temperature(model, temperature)
    if trained.backbone is not None:
        round_kernel(model.get_layer(LOGITS))
    probabilities = softmax(values[:count] / temperature)
    scores, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == scored.labels
    min_score = _keeping(examples.kept, scores[right])

    def below(things: NDArray[Any]) -> float:
        return float((softmax(read(things)).max(axis=1) < min_score).mean())

    wrong = scores[~right]
    refused = {"refused": float((wrong < min_score).mean()) if len(wrong) else 1.0}
    refused |= {name: below(things) for name, things in examples.refused.items()}
    return Calibration(
        temperature=temperature,
        images=count if plain is None else 2 * count,
        min_score=min_score,
        kept=float((scores[right] >= min_score).mean()),
        refused=refused,
        probabilities=probabilities,
    )


def _keeping(share: float, scores: Floats) -> float:
    """The highest two-figure minimum score that keeps the share of the scores, 0 without any."""
    if not len(scores):
        return 0.0
    return float(np.floor(np.quantile(scores, 1 - share) * 100) / 100)
