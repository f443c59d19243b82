"""Run an exported classifier anywhere: onnxruntime, and no TensorFlow.

    from edge_runtime import Classifier

    classifier = Classifier()                  # or Classifier("exported/digits")
    classifier.predict("photo.jpg")            # Prediction(label='7', score=0.98, ...)

Importing this package imports nothing heavy; the names below are loaded on first use.
"""

from __future__ import annotations

from .errors import BundleError, EdgeRuntimeError, ImageError, InputError

TYPE_CHECKING = False  # importing typing for it would take most of the time that this takes
if TYPE_CHECKING:
    from typing import Any

    from .inference.classifier import Classifier as Classifier
    from .inference.results import Prediction as Prediction
    from .inference.results import Result as Result
    from .inference.results import Score as Score

__version__ = "0.1.0"
__all__ = [
    "BundleError",
    "Classifier",
    "EdgeRuntimeError",
    "ImageError",
    "InputError",
    "Prediction",
    "Result",
    "Score",
]

_HOMES = {
    "Classifier": "inference.classifier",
    "Prediction": "inference.results",
    "Result": "inference.results",
    "Score": "inference.results",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
