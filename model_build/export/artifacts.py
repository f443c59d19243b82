"""A trained Keras model as SavedModel, TFLite and ONNX: one signature, raw bytes in.

Every artifact takes `pixels`, (batch, height, width, channels) uint8, and gives
`probabilities`, (batch, classes).
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edge_runtime.bundle.manifest import InputSpec, ModelSpec

from ..quiet import quiet

OPSET = 17
"""The newest that the oldest supported onnxruntime runs, and that keeps pooling one operator."""

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
OPERATORS_NAME = "required_operators.config"
"""What a reduced onnxruntime build must hold to run the ORT files."""


def export_all(
    model: keras.Model, spec: ModelSpec, calibration: Pixels, folder: Path, *, ort: bool = False
) -> Sequence[Artifact]:
    """Write every artifact into `folder` and return them; with `ort` the ORT files too.

    calibration: (N, height, width, channels) uint8 training tensors, 300 or more, which set
        the ranges of the int8 variants.
    """
    with quiet():
        model.save(folder / "model.keras")
        model = _unscaled(model)
        _write_saved_model(model, spec, tf.uint8, folder / "saved_model")
        saved = str(folder / "saved_model")
        (folder / "model.tflite").write_bytes(_tflite(saved))
        (folder / "model.float16.tflite").write_bytes(_tflite(saved, float16=True))
        with tempfile.TemporaryDirectory() as scratch:
            # An int8 graph takes its bytes as they are; a cast to float would stay in it.
            _write_saved_model(model, spec, tf.float32, Path(scratch))
            int8 = _tflite(scratch, calibration=calibration, input_name=spec.input.name)
        (folder / "model.int8.tflite").write_bytes(int8)
        _write_onnx(model, spec, folder / "model.onnx")
        _write_int8_onnx(spec, calibration, folder / "model.onnx", folder / "model.int8.onnx")
        if ort:
            write_ort(folder)
    return ARTIFACTS + ORT_ARTIFACTS if ort else ARTIFACTS


def _unscaled(model: keras.Model) -> keras.Model:
    """The same answers without the scaling layer: its factor is in the weights of the convolution
    that follows. That saves a pass over the pixels.
    """

    def copied(layer: keras.Layer) -> keras.Layer:
        if isinstance(layer, keras.layers.Rescaling):
            return keras.layers.Identity(name=layer.name)
        return layer.__class__.from_config(layer.get_config())

    scaling = next(layer for layer in model.layers if isinstance(layer, keras.layers.Rescaling))
    kernel, *others = model.get_weights()
    unscaled = keras.models.clone_model(model, clone_function=copied)
    unscaled.set_weights([kernel * scaling.scale, *others])
    return unscaled


def _write_saved_model(model: keras.Model, spec: ModelSpec, dtype: tf.DType, folder: Path) -> None:
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        "serve", _endpoint(model, spec), input_signature=[_signature(spec.input, dtype)]
    )
    archive.write_out(folder, verbose=False)


def _endpoint(model: keras.Model, spec: ModelSpec) -> Any:
    def serve(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        return {spec.output: model(tf.cast(pixels, tf.float32), training=False)}

    return serve


def _signature(spec: InputSpec, dtype: tf.DType) -> tf.TensorSpec:
    return tf.TensorSpec((None, *spec.shape), dtype, name=spec.name)


def _tflite(
    saved_model: str,
    *,
    float16: bool = False,
    calibration: Pixels | None = None,
    input_name: str = "",
) -> bytes:
    converter = tf.lite.TFLiteConverter.from_saved_model(saved_model)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if float16:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    if calibration is not None:
        # The two plain images pin the input's range to 0..255, so that a byte means itself.
        ends = np.stack([np.zeros_like(calibration[0]), np.full_like(calibration[0], 255)])
        samples = np.concatenate([ends, calibration]).astype(np.float32)

        def representative() -> Iterator[dict[str, NDArray[np.float32]]]:
            for sample in samples:
                yield {input_name: sample[None]}

        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = representative
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.uint8
    converted: bytes = converter.convert()
    return converted


def _write_onnx(model: keras.Model, spec: ModelSpec, path: Path) -> None:
    import tf2onnx

    signature = [_signature(spec.input, tf.uint8)]
    function = tf.function(_endpoint(model, spec), input_signature=signature)
    proto, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=OPSET)
    proto.graph.name = spec.name
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    # Shapes inferred under the converter's own name for the batch axis say nothing any more.
    del proto.graph.value_info[:]
    _renumber(proto.graph)
    _save_checked(proto, spec, path)


def _renumber(graph: Any) -> None:
    """Number what the converter made, `..__7`, in order of use: its own numbers are those of sets
    of strings, whose order is another in every process.
    """
    numbers: dict[str, str] = {}

    def renumbered(name: str) -> str:
        return re.sub(
            r"(?<=__)\d+", lambda found: numbers.setdefault(found[0], str(len(numbers))), name
        )

    for node in graph.node:
        node.name = renumbered(node.name)
        node.input[:] = map(renumbered, node.input)
        node.output[:] = map(renumbered, node.output)
    for value in graph.initializer:
        value.name = renumbered(value.name)
    graph.initializer.sort(key=lambda value: value.name)


def _write_int8_onnx(spec: ModelSpec, calibration: Pixels, source: Path, path: Path) -> None:
    import onnx
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._batches = iter(np.array_split(calibration, max(1, len(calibration) // 32)))

        def get_next(self) -> dict[str, Pixels] | None:
            batch = next(self._batches, None)
            return None if batch is None else {spec.input.name: batch}

    with tempfile.TemporaryDirectory() as scratch:
        prepared = Path(scratch) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        nodes = onnx.load(prepared).graph.node
        # The first convolution, of one channel or three, is as int8 slower than as fp32; gated
        # logits, rounded twice, would be equal where they are not.
        first = next(node for node in nodes if node.op_type == "Conv")
        ends = [node for node in nodes if node.op_type in ("Mul", "Softmax")]
        quantize_static(
            str(prepared),
            str(path),
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            # As int8, what two operators read would be computed in fp32 on x86.
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[node.name for node in (first, *ends)],
        )
    _save_checked(onnx.load(path), spec, path)


def _save_checked(proto: Any, spec: ModelSpec, path: Path) -> None:
    import onnx

    onnx.helper.set_model_props(proto, spec.to_metadata())
    onnx.checker.check_model(proto, full_check=True)
    path.write_bytes(proto.SerializeToString(deterministic=True))


def write_ort(folder: Path) -> None:
    """The ONNX files of `folder` in onnxruntime's own format, and the operators that they need."""
    import onnxruntime
    from onnxruntime.tools.ort_format_model import create_config_from_models

    paths = [folder / artifact.path for artifact in ORT_ARTIFACTS]
    for path in paths:
        options = onnxruntime.SessionOptions()
        # Beyond EXTENDED the layout of this processor would be baked in.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(path)
        options.add_session_config_entry("session.save_model_format", "ORT")
        onnxruntime.InferenceSession(
            path.with_suffix(".onnx"), options, providers=["CPUExecutionProvider"]
        )
    create_config_from_models(paths, folder / OPERATORS_NAME, False)
    config = folder / OPERATORS_NAME
    lines = config.read_text("utf-8").splitlines(keepends=True)
    # Its comments name the folder of this build.
    config.write_text("".join(line for line in lines if line[0] != "#"), encoding="utf-8")


def ort_session(path: Path) -> Any:
    """An onnxruntime session of an ORT file."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.load_model_format", "ORT")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
