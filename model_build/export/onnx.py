"""A trained Keras model as ONNX, fp32 and int8."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edge_runtime.bundle.spec import ModelSpec

from .artifacts import Pixels
from .saved_model import endpoint, input_signature

OPSET = 17
"""The newest that the oldest supported onnxruntime runs, and that keeps pooling one operator."""


def write_onnx(model: keras.Model, spec: ModelSpec, path: Path) -> None:
    """Write the fp32 ONNX file: free batch axis, labels and preprocessing in its metadata."""
    import tf2onnx

    signature = [input_signature(spec.input, tf.uint8)]
    function = tf.function(endpoint(model, spec), input_signature=signature)
    proto, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=OPSET)
    proto.graph.name = spec.name
    proto.graph.doc_string = ""  # would hold the number that a function has in this process
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    # Shapes inferred under the converter's own name for the batch axis say nothing any more.
    del proto.graph.value_info[:]
    _renumber(proto.graph)
    save_checked(proto, spec, path)


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


def write_int8_onnx(spec: ModelSpec, calibration: Pixels, source: Path, path: Path) -> None:
    """Write the int8 file of the fp32 one: static QDQ, ranges set by `calibration` tensors."""
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
    save_checked(onnx.load(path), spec, path)


def save_checked(proto: Any, spec: ModelSpec, path: Path) -> None:
    """Write a checked ONNX file that carries the model's description."""
    import onnx

    onnx.helper.set_model_props(proto, spec.to_metadata())
    onnx.checker.check_model(proto, full_check=True)
    path.write_bytes(proto.SerializeToString(deterministic=True))
