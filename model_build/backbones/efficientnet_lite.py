"""EfficientNet-Lite: networks for phones, trained on ImageNet, with nothing that int8 minds.

After EfficientNet (Tan & Le, 2019): ReLU6 for swish, no squeeze-and-excitation; the first and the
last stage and the ends keep their size in the larger ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
from keras import layers
from numpy.typing import NDArray

from ..arguments import weights_package
from .torch_file import read_weights


@dataclass(frozen=True)
class Variant:
    """One of the networks, and where its weights are."""

    file: str
    """In the package, a file of PyTorch."""
    sha256: str
    """Of the file."""
    side: int
    """Height and width, in pixels, that it was trained at."""
    width: float
    """How many times the channels of the smallest."""
    depth: float
    """How many times its blocks."""


VARIANTS = {
    "efficientnet-lite0": Variant(
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        side=224,
        width=1.0,
        depth=1.0,
    ),
    "efficientnet-lite1": Variant(
        "models/efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        side=240,
        width=1.0,
        depth=1.1,
    ),
    "efficientnet-lite2": Variant(
        "models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        side=260,
        width=1.1,
        depth=1.2,
    ),
}
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
_EIGHT = 8
"""Widened channels are a multiple of it."""
_EPSILON = 1e-3


def features(name: str, pixels: keras.KerasTensor) -> keras.KerasTensor:
    """The last feature map, (batch, height / 32, width / 32, 1280), with the pretrained weights.

    name: one of `VARIANTS`, whose package is installed. pixels: (batch, height, width, 3) of
    0..255. Raises BuildError for a damaged file.
    """
    return _Graph(_weights(name), _stages(VARIANTS[name])).features(pixels)


def _weights(name: str) -> dict[str, NDArray[Any]]:
    variant, module = VARIANTS[name], find_spec(weights_package(name).replace("-", "_"))
    assert module is not None
    assert module.submodule_search_locations
    return read_weights(Path(module.submodule_search_locations[0]) / variant.file, variant.sha256)


def _stages(variant: Variant) -> list[tuple[int, int, int, int, int]]:
    """`_STAGES` widened and deepened."""
    ends = (0, len(_STAGES) - 1)
    return [
        (
            blocks if place in ends else math.ceil(variant.depth * blocks),
            kernel,
            stride,
            expansion,
            _widened(channels, variant.width),
        )
        for place, (blocks, kernel, stride, expansion, channels) in enumerate(_STAGES)
    ]


def _widened(channels: int, factor: float) -> int:
    """The nearest multiple of `_EIGHT`; the next one where that is a tenth too few."""
    wanted = channels * factor
    nearest = max(_EIGHT, int(wanted + _EIGHT / 2) // _EIGHT * _EIGHT)
    return nearest + _EIGHT if nearest < 0.9 * wanted else nearest


class _Graph:
    """Layers that are given their weights by the names that those have in the file."""

    def __init__(
        self, weights: dict[str, NDArray[Any]], stages: Sequence[tuple[int, int, int, int, int]]
    ) -> None:
        self._weights, self._stages = weights, stages

    def features(self, pixels: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.Rescaling(1 / 128, offset=-127 / 128, name="scale")(pixels)
        x = self._convolution(x, "_conv_stem", _STEM, 3, 2)
        x = self._relu6(self._normalised(x, "_bn0"))
        number = 0
        for blocks, kernel, stride, expansion, width in self._stages:
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
