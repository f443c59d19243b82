"""A SavedModel as TFLite: fp32 and float16."""

from __future__ import annotations

import tensorflow as tf


def tflite_bytes(saved_model: str, *, float16: bool = False) -> bytes:
    """A SavedModel as TFLite."""
    converter = tf.lite.TFLiteConverter.from_saved_model(saved_model)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if float16:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    converted: bytes = converter.convert()
    return converted
