"""Every artifact of a bundle, written into one folder."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import keras
import tensorflow as tf

from edge_runtime.bundle.spec import ModelSpec

from ..quiet import quiet
from .artifacts import ARTIFACTS, ORT_ARTIFACTS, Artifact, Pixels
from .onnx import write_int8_onnx, write_onnx
from .ort import write_ort
from .saved_model import unscaled, write_saved_model
from .tflite import tflite_bytes


def export_all(
    model: keras.Model, spec: ModelSpec, calibration: Pixels, folder: Path, *, ort: bool = False
) -> Sequence[Artifact]:
    """Write every artifact into `folder` and return them; with `ort` the ORT files too.

    calibration: (N, height, width, channels) uint8 training tensors, 300 or more, which set
        the ranges of the int8 variants.
    """
    with quiet():
        model.save(folder / "model.keras")
        model = unscaled(model)
        write_saved_model(model, spec, tf.uint8, folder / "saved_model")
        saved = str(folder / "saved_model")
        (folder / "model.tflite").write_bytes(tflite_bytes(saved))
        (folder / "model.float16.tflite").write_bytes(tflite_bytes(saved, float16=True))
        with tempfile.TemporaryDirectory() as scratch:
            # An int8 graph takes its bytes as they are; a cast to float would stay in it.
            write_saved_model(model, spec, tf.float32, Path(scratch))
            int8 = tflite_bytes(scratch, calibration=calibration, input_name=spec.input.name)
        (folder / "model.int8.tflite").write_bytes(int8)
        write_onnx(model, spec, folder / "model.onnx")
        write_int8_onnx(spec, calibration, folder / "model.onnx", folder / "model.int8.onnx")
        if ort:
            write_ort(folder)
    return ARTIFACTS + ORT_ARTIFACTS if ort else ARTIFACTS
