"""The features that `edge_runtime` takes from an ONNX file, beside Keras's."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from edge_runtime import Classifier
from edge_runtime.bundle.evidence import KEY
from edge_runtime.bundle.onnx_weights import metadata_of

from ..data.dataset import Tensors
from ..models import LOGITS

EXAMPLES = 4
"""Test examples that are compared: features are as near as probabilities, which all are."""


def features_difference(path: Path, model: keras.Model, tensors: Tensors) -> float | None:
    """The largest difference from Keras of a feature, and of what a map adds up to, in shares of
    the largest feature and logit; None for an ONNX file that does not name its features.
    """
    if KEY not in metadata_of(path.read_bytes()):
        return None
    last = model.get_layer(LOGITS)
    examples = tensors[:EXAMPLES]
    both = keras.Model(model.input, [last.input, last.output])(
        examples.astype(np.float32), training=False
    )
    features, logits = (np.asarray(values) for values in both)
    evidence = Classifier(path).evidence
    pairs = [(evidence.embeddings(examples), features)]
    if evidence.names.feature_map is not None:
        labels = logits.argmax(axis=1)
        maps = [evidence.contributions(*pair)[0] for pair in zip(examples, labels, strict=True)]
        sums = np.array([each.sum() for each in maps])
        pairs.append((sums, logits.max(axis=1) - logits.mean(axis=1)))
    return max(
        float(np.abs(found - expected).max()) / max(1.0, float(np.abs(expected).max()))
        for found, expected in pairs
    )
