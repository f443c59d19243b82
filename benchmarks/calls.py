"""One image in memory: calls.py ROUNDS SECONDS, Classifier's calls beside the bare session's.

Prints JSON: by name, the median time of a call in microseconds, for each round. Each round runs
every call for SECONDS, in turn.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from edge_runtime.bundle.manifest import BUILT_IN
from edge_runtime.deployment.benchmark import time_calls
from edge_runtime.inference.classifier import Classifier

RUN = "bare session.run and argmax, 1 thread"
RUN_DEFAULT = "bare session.run and argmax, default threads"
TENSORS = "Classifier.read_tensors, a ready tensor"
READY = "Classifier.predict, an array of the model's size"
PREPARED = "Classifier.predict, a 28x28 array"


def main() -> None:
    """Time every call."""
    rounds, seconds = int(sys.argv[1]), float(sys.argv[2])
    classifier = Classifier()
    with Image.open(BUILT_IN / "golden" / "0.png") as image:
        pixels = np.asarray(image.convert("L").resize((28, 28)))
    tensor = classifier.tensor(pixels)
    calls: dict[str, Callable[[], object]] = {
        RUN: _bare(tensor[None], threads=1),
        RUN_DEFAULT: _bare(tensor[None], threads=0),
        TENSORS: lambda: classifier.read_tensors(tensor[None]),
        READY: lambda: classifier.predict(tensor),
        PREPARED: lambda: classifier.predict(pixels),
    }
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            found[name].append(time_calls(call, seconds).median_ms * 1000)
    print(json.dumps(found))


def _bare(tensors: Any, threads: int) -> Callable[[], object]:
    import onnxruntime  # after Classifier, which turns its telemetry off

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(BUILT_IN / "model.onnx", options)
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: tensors})[0].argmax()


if __name__ == "__main__":
    main()
