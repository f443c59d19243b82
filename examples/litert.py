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
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

TOLERANCES = {"model.tflite": 1e-3, "model.float16.tflite": 5e-3, "model.int8.tflite": 5e-2}


class TFLiteModel:
    """A TFLite file that takes the pixels as they are."""

    def __init__(self, path: Path) -> None:
        """Load it. Raises ImportError without the library, ValueError for another file."""
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError:
            from tflite_runtime.interpreter import Interpreter
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


class Parser(argparse.ArgumentParser):
    """Says a mistake in one line."""

    def error(self, message: str) -> NoReturn:
        """End with that line."""
        stop(f"{message} (--help says more)", 2)


def main() -> int:
    """Print the label and probability of each image, or how the golden tensors came out."""
    about, _, more = (__doc__ or "").partition("\n\n")
    parser = Parser(
        description=about, epilog=more, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path, help="the folder that model-build wrote")
    parser.add_argument("images", nargs="*", type=Path, help="files to read")
    parser.add_argument("--golden", action="store_true", help="check the golden vectors")
    parser.add_argument("--file", choices=TOLERANCES, default="model.tflite", help="which to run")
    options = parser.parse_args()
    if not options.images and not options.golden:
        parser.error("give an image, or --golden")
    try:
        manifest = read_json(options.bundle / "manifest.json")
        if options.golden:
            return check_golden(TFLiteModel(options.bundle / options.file), manifest, options)
        return read_images(TFLiteModel(options.bundle / options.file), manifest, options)
    except ImportError as error:
        stop(f"{error.name} is not installed (--help says what to install)", 2)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        stop(f"{options.bundle}: not a bundle with a {options.file} that can be run ({reason})", 3)


def check_golden(model: TFLiteModel, manifest: Any, options: argparse.Namespace) -> int:
    """Print how each golden vector came out; the exit status."""
    given, failed = manifest["input"], 0
    shape = (given["height"], given["width"], given["channels"])
    for vector in read_json(options.bundle / "golden" / "golden.json"):
        found = model.probabilities(np.array(vector["tensor"], np.uint8).reshape(shape))
        difference = float(np.abs(found - np.array(vector["probabilities"])).max())
        passed = difference <= TOLERANCES[options.file]
        failed += not passed
        print(f"{vector['image']:<12}{difference:>9.1e}  {'ok' if passed else 'FAILED'}")
    return 3 if failed else 0


def read_images(model: TFLiteModel, manifest: Any, options: argparse.Namespace) -> int:
    """Print the label and probability of each image; the exit status."""
    from edge_runtime import EdgeRuntimeError, InputError, Manifest, reader_of

    try:
        spec = Manifest.load(options.bundle).spec
    except EdgeRuntimeError as error:
        stop(str(error), 3)
    reader = reader_of(spec.input, spec.preprocessing)
    failed = 0
    for path in options.images:
        try:
            tensor = reader.tensor(path)
        except InputError as error:
            print(f"{error} ({error.status})", file=sys.stderr)
            failed += 1
            continue
        found = model.probabilities(tensor)
        print(f"{path}  {manifest['labels'][found.argmax()]}  {found.max():.4f}")
    return 1 if failed else 0


def read_json(path: Path) -> Any:
    """What a JSON file of the bundle holds. Raises OSError and ValueError."""
    return json.loads(path.read_text("utf-8"))


def stop(message: str, status: int) -> NoReturn:
    """End with one line and an exit status: 2 usage, 3 a bad bundle."""
    print(f"litert.py: {message}", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    sys.exit(main())
