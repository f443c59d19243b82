"""Run an exported classifier anywhere: onnxruntime, and no TensorFlow.

    from edge_runtime import Classifier

    classifier = Classifier()                  # or Classifier("exported/digits")
    classifier.predict("photo.jpg")            # Prediction(label='7', score=0.98, ...)

A host that runs the model by other means gets the input tensors without onnxruntime:

    from edge_runtime import Manifest, reader_of

    spec = Manifest.load("exported/digits").spec
    reader_of(spec.input, spec.preprocessing).tensor("photo.jpg")     # (16, 16, 1) uint8

Importing this package imports nothing heavy; the names below are loaded on first use.
"""

from __future__ import annotations

from .errors import BundleError, EdgeRuntimeError, ImageError, InputError

TYPE_CHECKING = False  # importing typing for it would take most of the time that this takes
if TYPE_CHECKING:
    from typing import Any

    from .bundle.manifest import Manifest as Manifest
    from .inference.classifier import Classifier as Classifier
    from .inference.evidence import Explanation as Explanation
    from .inference.results import Prediction as Prediction
    from .inference.results import Result as Result
    from .inference.results import Score as Score
    from .preprocessing.readers import reader_of as reader_of

__version__ = "0.1.0"
__all__ = [
    "BundleError",
    "Classifier",
    "EdgeRuntimeError",
    "Explanation",
    "ImageError",
    "InputError",
    "Manifest",
    "Prediction",
    "Result",
    "Score",
    "reader_of",
]

_HOMES = {
    "Manifest": "bundle.manifest",
    "Classifier": "inference.classifier",
    "Explanation": "inference.evidence",
    "Prediction": "inference.results",
    "Result": "inference.results",
    "Score": "inference.results",
    "reader_of": "preprocessing.readers",
}


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
