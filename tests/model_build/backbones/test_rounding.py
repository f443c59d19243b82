"""Weights that float16 holds exactly, with the features of before."""

import keras
import numpy as np
import pytest
from keras import layers

from model_build.backbones.rounding import round_weights

SHAPE = (12, 12, 3)


def network(bias, scale):
    """Convolutions with all that may follow them; normalisations that do something."""
    pixels = keras.Input(SHAPE)
    x = layers.Conv2D(8, 3, use_bias=bias)(pixels)
    x = layers.BatchNormalization(scale=scale)(x)
    x = layers.ReLU(6)(x)
    x = layers.DepthwiseConv2D(3, use_bias=bias)(x)
    x = layers.BatchNormalization(scale=scale, epsilon=0.01)(x)
    y = layers.Conv2D(8, 1, use_bias=bias)(x)
    x = layers.Add()([layers.BatchNormalization()(y), layers.ReLU()(y)])  # two read y
    x = layers.BatchNormalization()(layers.ReLU()(x))  # no convolution before it
    model = keras.Model(pixels, layers.Conv2D(4, 1, activation="relu")(x))
    rng = np.random.default_rng(0)
    for layer in model.layers:
        layer.set_weights([rng.uniform(0.3, 1.2, w.shape) for w in layer.get_weights()])
    return model


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("scale", [True, False])
def test_the_features_stay_and_convolutions_are_of_float16(bias, scale):
    model = network(bias, scale)
    images = np.random.default_rng(1).uniform(-1, 1, (4, *SHAPE)).astype(np.float32)
    before = np.asarray(model(images, training=False))
    assert np.ptp(before) > 0.1
    round_weights(model)
    np.testing.assert_allclose(np.asarray(model(images, training=False)), before, rtol=5e-3)
    kinds = (layers.Conv2D, layers.DepthwiseConv2D)
    for layer in model.layers:
        if isinstance(layer, kinds):
            for values in layer.get_weights():
                np.testing.assert_array_equal(values, values.astype(np.float16))
    first, second = [la for la in model.layers if isinstance(la, layers.BatchNormalization)][:2]
    for layer in (first, second):
        *_, offset, mean, variance = layer.get_weights()
        np.testing.assert_array_equal(offset, offset.astype(np.float16))
        np.testing.assert_array_equal(mean, 0)
        np.testing.assert_array_equal(variance + np.float32(layer.epsilon), 1)
