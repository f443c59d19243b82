"""Every artifact of a bundle, written into one folder."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf

from edge_runtime.bundle.spec import ModelSpec

from ..quiet import quiet
from .artifacts import ARTIFACTS, ORT_ARTIFACTS, Artifact, Pixels
from .onnx import write_onnx
from .onnx_int8 import OnnxQuantizer
from .ort import write_ort
from .quantization import Attempt, Judge, Quantizer, write_int8
from .saved_model import unscaled, write_saved_model
from .tflite import tflite_bytes
from .tflite_int8 import TFLiteQuantizer


@dataclass(frozen=True)
class Exported:
    """What was written."""

    artifacts: Sequence[Artifact]
    quantized: Mapping[str, Attempt]
    """By the path of an int8 file: how it was made."""


def export_all(
    model: keras.Model,
    spec: ModelSpec,
    samples: Pixels,
    judge: Judge,
    folder: Path,
    say: Callable[[str], object],
    *,
    ort: bool = False,
) -> Exported:
    """Write every artifact into `folder`; with `ort` the ORT files too.

    samples: (N, height, width, channels) uint8 training tensors, 300 or more, which set the
        ranges of the int8 files. judge: measures these. say: told when one of them needs more than
        the plain way.
    """
    with tempfile.TemporaryDirectory() as scratch:
        with quiet():
            model.save(folder / "model.keras")
            model = unscaled(model)
            write_saved_model(model, spec, tf.uint8, folder / "saved_model")
            saved = str(folder / "saved_model")
            (folder / "model.tflite").write_bytes(tflite_bytes(saved))
            (folder / "model.float16.tflite").write_bytes(tflite_bytes(saved, float16=True))
            write_onnx(model, spec, folder / "model.onnx")
            floats = Path(scratch) / "saved_model"
            write_saved_model(model, spec, tf.float32, floats)
            quantizers: dict[str, Quantizer] = {
                "tflite": TFLiteQuantizer(str(floats), samples, spec.input.name),
                "onnx": OnnxQuantizer(spec, samples, folder / "model.onnx", Path(scratch)),
            }
        quantized = {
            artifact.path: write_int8(quantizers[artifact.format], artifact, folder, judge, say)
            for artifact in ARTIFACTS
            if artifact.precision == "int8"
        }
        if ort:
            with quiet():
                write_ort(folder)
    return Exported(ARTIFACTS + ORT_ARTIFACTS if ort else ARTIFACTS, quantized)
