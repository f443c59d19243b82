"""Train a small Keras CNN, export it to SavedModel, TFLite and ONNX, and prove them equal."""

import os

from edge_runtime import __version__

# Read by libraries when they are imported: no telemetry, no start-up chatter.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

__all__ = ["__version__"]
