"""An ONNX file as int8: static QDQ, weights by channel, 8-bit activations."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.bundle.spec import ModelSpec

from .artifacts import Pixels
from .onnx import checked
from .quantization import EARLY
from .ranges import Percentiles

_OPERATORS = {"Conv", "Gemm", "MatMul", "GlobalAveragePool"}
"""Kinds that can be left in fp32 each by itself; the others go with what they stand beside."""
_BATCH = 32
_FEW = 4
"""Examples of a batch of which all activations are held at one time."""


def _groups(convolution: Any) -> int:
    return next((int(a.i) for a in convolution.attribute if a.name == "group"), 1)


class OnnxQuantizer:
    """See Quantizer."""

    calibrations = ("plain", "percentile")

    def __init__(self, spec: ModelSpec, samples: Pixels, source: Path, scratch: Path) -> None:
        """samples: (N, height, width, channels) training tensors, which set the ranges; source: the
        fp32 file; scratch: a folder for files in between."""
        from onnxruntime.quantization.quant_utils import load_model_with_shape_infer
        from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry
        from onnxruntime.quantization.shape_inference import quant_pre_process

        self._spec, self._samples, self._scratch = spec, samples, scratch
        self._prepared = scratch / "prepared.onnx"
        quant_pre_process(str(source), str(self._prepared), skip_symbolic_shape=True)
        self._model = load_model_with_shape_infer(self._prepared)
        self._types = sorted({*QLinearOpsRegistry, *QDQRegistry})
        self._ranges: dict[str, Any] = {}
        nodes = self._model.graph.node
        # The first convolution, of one channel or three, is as int8 slower than as fp32, and a
        # depthwise one behind it no quicker; their errors pass through all that follows. Sums are
        # as quick, and onnxruntime's int8 ones on x86 less exact than their rounding alone. Gated
        # logits, rounded twice, would be equal where they are not.
        first, *others = (node for node in nodes if node.op_type == "Conv")
        second = [node for node in others[:1] if _groups(node) > 1]
        ends = [node for node in nodes if node.op_type in ("Add", "Mul", "Softmax")]
        self._fp32 = [node.name for node in (first, *second, *ends)]
        self.operators = [
            node.name
            for node in nodes
            if node.op_type in _OPERATORS and node.name not in self._fp32
        ]
        early = [node.name for node in (first, *others)[:EARLY]]
        self.early = [name for name in early if name not in self._fp32]

    def quantized(self, calibration: str, fp32: Collection[str] = ()) -> bytes:
        """See Quantizer."""
        import onnx
        from onnxruntime.quantization import QuantType
        from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

        if calibration not in self._ranges:
            self._ranges[calibration] = self._calibrated(calibration)
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        quantizer = QDQQuantizer(
            model,
            per_channel=True,
            # To 7 bits: x86 without VNNI adds pairs of products in 16 bits, which 8 overflow.
            reduce_range=True,
            weight_qType=QuantType.QInt8,
            # As int8, what two operators read would be computed in fp32 on x86.
            activation_qType=QuantType.QUInt8,
            tensors_range=self._ranges[calibration],
            nodes_to_quantize=[],
            nodes_to_exclude=[*self._fp32, *fp32],
            op_types_to_quantize=self._types,
            extra_options={},
        )
        quantizer.quantize_model()
        path = self._scratch / "quantized.onnx"
        quantizer.model.save_model_to_file(str(path))
        return checked(onnx.load(path), self._spec)

    def _calibrated(self, calibration: str) -> Any:
        """The ranges of all tensors."""
        from onnxruntime.quantization.calibrate import (
            CalibrationMethod,
            TensorsData,
            create_calibrator,
        )

        plain = calibration == "plain"
        calibrator = create_calibrator(
            self._prepared,
            self._types,
            str(self._scratch / "augmented.onnx"),
            CalibrationMethod.MinMax if plain else CalibrationMethod.Percentile,
        )
        if plain:
            calibrator.collect_data(self._reader())
            return calibrator.compute_data()
        # Its session gives all tensors; its own histograms fail where one has hardly any range.
        names = [output.name for output in calibrator.infer_session.get_outputs()]
        percentiles = Percentiles()
        for batch in self._batches(_FEW):
            found = calibrator.infer_session.run(None, {self._spec.input.name: batch})
            for name, values in zip(names, found, strict=True):
                if name in calibrator.tensors_to_calibrate:
                    percentiles.add(name, values)
        ranges = percentiles.ranges().items()
        return TensorsData(
            CalibrationMethod.MinMax,
            {name: (np.float32(low), np.float32(high)) for name, (low, high) in ranges},
        )

    def _batches(self, size: int) -> list[Pixels]:
        return np.array_split(self._samples, max(1, len(self._samples) // size))

    def _reader(self) -> Any:
        from onnxruntime.quantization import CalibrationDataReader

        feeds = iter([{self._spec.input.name: batch} for batch in self._batches(_BATCH)])

        class Reader(CalibrationDataReader):  # type: ignore[misc]
            def get_next(self) -> dict[str, Pixels] | None:
                return next(feeds, None)

        return Reader()
