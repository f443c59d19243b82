"""Train a small Keras CNN, export it to SavedModel, TFLite and ONNX, and prove them equal.

    from model_build import build, verify, evaluate

    built = build("photos/", output="exported")    # what `model-build build --data photos/` does
    print(built.parity.table())

Importing this package imports nothing heavy; TensorFlow is loaded by the first call.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from edge_runtime import __version__

if TYPE_CHECKING:
    from .evaluation import evaluate as evaluate
    from .pipeline import build as build
    from .pipeline import verify as verify

# Read by libraries when they are imported: no telemetry, no start-up chatter.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

__all__ = ["__version__", "build", "evaluate", "verify"]


def __getattr__(name: str) -> Any:
    if name in ("build", "verify"):
        from . import pipeline

        return getattr(pipeline, name)
    if name == "evaluate":
        from .evaluation import evaluate

        return evaluate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
