"""A network through onnxruntime gives what Keras gives, with the weights that it has."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from model_build.models import LOGITS
from model_build.onnx_graph import onnx_forward
from model_build.training import metrics
from model_build.training.metrics import forward, quick_forward

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 32, 24, 3)).astype(np.float32)


def _network() -> keras.Model:
    keras.utils.set_random_seed(1)
    pixels = keras.Input((32, 24, 3))
    x = layers.Normalization(mean=[120.0, 110.0, 100.0], variance=[50.0, 60.0, 70.0])(pixels)
    x = layers.Conv2D(8, 3, strides=2, activation="relu")(x)
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.BatchNormalization()(x)
    return keras.Model(pixels, layers.Dense(5, name=LOGITS)(layers.GlobalAveragePooling2D()(x)))


def test_it_gives_what_keras_gives() -> None:
    network = _network()
    np.testing.assert_allclose(
        onnx_forward(network)(PIXELS), forward(network, PIXELS), rtol=1e-4, atol=1e-5
    )


def test_it_keeps_the_weights_of_the_moment() -> None:
    network = _network()
    run = onnx_forward(network)
    before = run(PIXELS)
    network.set_weights([2 * weights for weights in network.get_weights()])
    np.testing.assert_array_equal(run(PIXELS), before)
    assert np.abs(onnx_forward(network)(PIXELS) - before).max() > 1e-3


def test_a_large_network_goes_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    network = _network()
    np.testing.assert_array_equal(quick_forward(network, 3)(PIXELS), forward(network, PIXELS))
    monkeypatch.setattr(metrics, "_LARGE", 0)
    monkeypatch.setattr(metrics, "_MANY", 3)
    monkeypatch.setattr(metrics, "chunk_size", lambda shape: 2)
    run = onnx_forward(network)
    expected = np.concatenate([run(PIXELS[:2]), run(PIXELS[2:])])
    np.testing.assert_array_equal(quick_forward(network, 3)(PIXELS), expected)
