"""A SavedModel as TFLite: fp32, float16 and int8."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from .artifacts import Pixels


def tflite_bytes(
    saved_model: str,
    *,
    float16: bool = False,
    calibration: Pixels | None = None,
    input_name: str = "",
) -> bytes:
    """A SavedModel as TFLite; int8 with `calibration`, (N, height, width, channels) uint8."""
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
