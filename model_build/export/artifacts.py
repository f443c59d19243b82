"""A trained Keras model as SavedModel, TFLite and ONNX: one signature, raw bytes in.

Every artifact takes `pixels`, (batch, height, width, channels) uint8, and gives
`probabilities`, (batch, classes).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Artifact:
    """One exported file (or folder) of a bundle."""

    path: str
    format: str
    precision: str


ARTIFACTS = (
    Artifact("model.keras", "keras", "fp32"),
    Artifact("saved_model", "saved_model", "fp32"),
    Artifact("model.tflite", "tflite", "fp32"),
    Artifact("model.float16.tflite", "tflite", "float16"),
    Artifact("model.int8.tflite", "tflite", "int8"),
    Artifact("model.onnx", "onnx", "fp32"),
    Artifact("model.int8.onnx", "onnx", "int8"),
)
ORT_ARTIFACTS = (
    Artifact("model.ort", "ort", "fp32"),
    Artifact("model.int8.ort", "ort", "int8"),
)
