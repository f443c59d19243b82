"""A trained Keras model as a SavedModel: one signature, raw bytes in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edge_runtime.bundle.spec import InputSpec, ModelSpec


def unscaled(model: keras.Model) -> keras.Model:
    """The same answers without the scaling layer, if it scales by a factor alone, which is then in
    the weights of the convolution that follows. That saves a pass over the pixels.
    """
    scaling, following = model.layers[1:3]
    scales = isinstance(scaling, keras.layers.Rescaling) and not np.any(scaling.offset)
    if not (scales and isinstance(following, keras.layers.Conv2D)):
        return model

    def copied(layer: keras.Layer) -> keras.Layer:
        if isinstance(layer, keras.layers.Rescaling):
            return keras.layers.Identity(name=layer.name)
        return layer.__class__.from_config(layer.get_config())

    kernel, *others = model.get_weights()
    unscaled = keras.models.clone_model(model, clone_function=copied)
    unscaled.set_weights([kernel * scaling.scale, *others])
    return unscaled


def write_saved_model(model: keras.Model, spec: ModelSpec, dtype: tf.DType, folder: Path) -> None:
    """Write a SavedModel with one endpoint, `serve`, that takes raw values of `dtype`."""
    # Not `track(model)`: the endpoint's variables are tracked, and would be written twice.
    archive = keras.export.ExportArchive()
    archive.add_endpoint(
        "serve", endpoint(model, spec), input_signature=[input_signature(spec.input, dtype)]
    )
    archive.write_out(folder, verbose=False)


def endpoint(model: keras.Model, spec: ModelSpec) -> Any:
    """The function that is exported: raw values in, probabilities out, in inference mode."""

    def serve(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        return {spec.output: model(tf.cast(pixels, tf.float32), training=False)}

    return serve


def input_signature(spec: InputSpec, dtype: tf.DType) -> tf.TensorSpec:
    """The one input: (batch, height, width, channels), the batch axis free."""
    return tf.TensorSpec((None, *spec.shape), dtype, name=spec.name)
