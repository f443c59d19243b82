"""Read an image with the TFLite file of a bundle, where there is no onnxruntime.

    python litert.py BUNDLE IMAGE...
    python litert.py BUNDLE --golden

The package ai-edge-litert (or tflite-runtime) runs the model, edge_runtime prepares the image.
Without onnxruntime: pip install ai-edge-litert pillow; pip install --no-deps edge-runtime
With --golden the tensors of golden/golden.json are passed, which needs ai-edge-litert alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError:
    from tflite_runtime.interpreter import Interpreter

TOLERANCES = {"model.tflite": 1e-3, "model.float16.tflite": 5e-3, "model.int8.tflite": 5e-2}


class TFLiteModel:
    """A TFLite file that takes the pixels as they are."""

    def __init__(self, path: Path) -> None:
        self._interpreter = Interpreter(model_path=str(path), num_threads=1)
        self._interpreter.allocate_tensors()
        (self._given,) = self._interpreter.get_input_details()
        (self._answer,) = self._interpreter.get_output_details()

    def probabilities(self, tensor: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Of one (height, width, channels) uint8 tensor: (labels,)."""
        self._interpreter.set_tensor(self._given["index"], tensor[None])
        self._interpreter.invoke()
        raw: NDArray[Any] = self._interpreter.get_tensor(self._answer["index"])[0]
        scale, zero = self._answer["quantization"]
        return ((raw.astype(np.float32) - zero) * scale if scale else raw).astype(np.float32)


def main() -> int:
    """Print the label and probability of each image, or how the golden tensors came out."""
    parser = argparse.ArgumentParser()
    parser.add_argument("bundle", type=Path)
    parser.add_argument("images", nargs="*", type=Path)
    parser.add_argument("--golden", action="store_true")
    parser.add_argument("--file", choices=TOLERANCES, default="model.tflite")
    options = parser.parse_args()
    manifest = json.loads((options.bundle / "manifest.json").read_text("utf-8"))
    labels, given = manifest["labels"], manifest["input"]
    shape = (given["height"], given["width"], given["channels"])
    model = TFLiteModel(options.bundle / options.file)
    failed = 0
    if options.golden:
        for vector in json.loads((options.bundle / "golden" / "golden.json").read_text("utf-8")):
            found = model.probabilities(np.array(vector["tensor"], np.uint8).reshape(shape))
            difference = float(np.abs(found - np.array(vector["probabilities"])).max())
            passed = difference <= TOLERANCES[options.file]
            failed += not passed
            print(f"{vector['image']:<12}{difference:>9.1e}  {'ok' if passed else 'FAILED'}")
        return 3 if failed else 0
    from edge_runtime import InputError, Manifest, reader_of

    spec = Manifest.load(options.bundle).spec
    reader = reader_of(spec.input, spec.preprocessing)
    for path in options.images:
        try:
            tensor = reader.tensor(path)
        except InputError as error:
            print(f"{error} ({error.status})", file=sys.stderr)
            failed += 1
            continue
        found = model.probabilities(tensor)
        print(f"{path}  {labels[found.argmax()]}  {found.max():.4f}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
