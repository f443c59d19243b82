"""A SavedModel as int8 TFLite: 8-bit weights by channel, 8-bit activations, bytes in and out."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from .artifacts import Pixels
from .quantization import EARLY
from .ranges import Percentiles

_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
_OTHERS = ("FULLY_CONNECTED", "ADD", "MEAN")
"""Kinds of operators that can be left in fp32 each by itself."""


class TFLiteQuantizer:
    """See Quantizer."""

    calibrations = ("plain", "percentile")

    def __init__(self, saved_model: str, samples: Pixels, input_name: str) -> None:
        """saved_model: a folder, whose endpoint takes floats: an int8 graph takes its bytes as they
        are, and a cast to float would stay in it. samples: (N, height, width, channels) training
        tensors, which set the ranges."""
        self._saved_model, self._input = saved_model, input_name
        # The two plain images pin the input's range to 0..255, so that a byte means itself.
        ends = np.stack([np.zeros_like(samples[0]), np.full_like(samples[0], 255)])
        self._samples = np.concatenate([ends, samples]).astype(np.float32)
        self._calibrated: dict[str, bytes] = {}

    def quantized(self, calibration: str, fp32: Collection[str] = ()) -> bytes:
        """See Quantizer."""
        if calibration == "plain" and not fp32:
            converted: bytes = self._converter().convert()
            return converted
        from tensorflow.lite.python.convert import mlir_quantize

        data: bytes = mlir_quantize(
            self._ranges(calibration),
            input_data_type=tf.uint8,
            output_data_type=tf.uint8,
            denylisted_nodes=list(fp32),
        )
        return data

    @property
    def operators(self) -> list[str]:
        """See Quantizer; an operator's name is that of the tensor that it gives."""
        kinds = _kinds(*_CONVOLUTIONS, *_OTHERS)
        return [name for kind, name in self._operators() if kind in kinds]

    @property
    def early(self) -> list[str]:
        """See Quantizer; with what stands before them."""
        found, kinds = self._operators(), _kinds(*_CONVOLUTIONS)
        convolutions = [place for place, (kind, _) in enumerate(found) if kind in kinds]
        return [name for _, name in found[: convolutions[:EARLY][-1] + 1]]

    def _operators(self) -> list[tuple[int, str]]:
        """The kind and the name of each operator, in order."""
        model = _parsed(self._ranges("plain"))
        graph = model.subgraphs[0]
        codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
        return [
            (codes[operator.opcodeIndex], graph.tensors[operator.outputs[0]].name.decode())
            for operator in graph.operators
        ]

    def _converter(self) -> Any:
        converter = tf.lite.TFLiteConverter.from_saved_model(self._saved_model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = self._representative
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.uint8
        return converter

    def _representative(self) -> Iterator[dict[str, NDArray[np.float32]]]:
        for sample in self._samples:
            yield {self._input: sample[None]}

    def _ranges(self, calibration: str) -> bytes:
        """The float model, with the range of each tensor written beside it."""
        if "plain" not in self._calibrated:
            converter = self._converter()
            converter._experimental_calibrate_only = True
            self._calibrated["plain"] = converter.convert()
        if calibration not in self._calibrated:
            self._calibrated[calibration] = _clipped(self._calibrated["plain"], self._samples[2:])
        return self._calibrated[calibration]


def _kinds(*names: str) -> set[int]:
    """The numbers of kinds of operators."""
    from tensorflow.lite.python.schema_py_generated import BuiltinOperator

    return {getattr(BuiltinOperator, name) for name in names}


def _parsed(data: bytes) -> Any:
    from tensorflow.lite.tools.flatbuffer_utils import convert_bytearray_to_object

    return convert_bytearray_to_object(bytearray(data))


def _clipped(calibrated: bytes, samples: NDArray[np.float32]) -> bytes:
    """The same with ranges that leave out the highest and the lowest of the activations."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
    from tensorflow.lite.tools.flatbuffer_utils import convert_object_to_bytearray

    model = _parsed(calibrated)
    interpreter = Interpreter(
        model_content=calibrated,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    graph = model.subgraphs[0]
    active = [
        index
        for operator in graph.operators
        for index in operator.outputs
        if getattr(graph.tensors[index].quantization, "max", None) is not None
    ]
    percentiles = Percentiles()
    for sample in samples:
        interpreter.set_tensor(given["index"], sample[None])
        interpreter.invoke()
        for index in active:
            percentiles.add(index, interpreter.get_tensor(index))
    for index, (low, high) in percentiles.ranges().items():
        graph.tensors[index].quantization.min = [low]
        graph.tensors[index].quantization.max = [high]
    return bytes(convert_object_to_bytearray(model))
