"""The networks, by name: Keras functional API, raw 8-bit values in, probabilities out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import keras
from keras import layers

from edge_runtime.bundle.spec import InputSpec

from .arguments import check_training
from .backbones.registry import Backbone
from .backbones.rounding import round_weights

LOGITS = "logits"
"""The name of the last dense layer, which calibration rescales."""
PROBABILITIES = "probabilities"
"""The name of the softmax, the output."""


@dataclass(frozen=True)
class Architecture:
    """A network by name and the size it wants its images in."""

    about: str
    side: int
    """Height and width of the digits, in pixels; other data comes in a size of its own."""
    layers: Callable[[keras.KerasTensor], keras.KerasTensor]
    """From scaled values in [0, 1] to the features that the classes are read from."""


def build_cnn(spec: InputSpec, n_classes: int, architecture: str = "compact") -> keras.Model:
    """Build a network for (batch, height, width, channels) values 0..255.

    The first layer scales to [0, 1]; the output `probabilities` is (batch, n_classes) float32.
    Raises BuildError for an architecture that is not known.
    """
    pixels = keras.Input(spec.shape, name=spec.name)
    x = layers.Rescaling(1 / 255, name="scale")(pixels)
    x = find_architecture(architecture).layers(x)
    x = layers.Dense(n_classes, name=LOGITS)(x)
    return keras.Model(pixels, layers.Softmax(name=PROBABILITIES)(x), name=architecture)


def build_on(backbone: Backbone, spec: InputSpec, n_classes: int) -> keras.Model:
    """Build a classifier on a pretrained backbone, for (batch, height, width, 3) values 0..255.

    The logits are a dense layer of the means over the backbone's last feature map, whose weights
    are rounded to float16. Raises BuildError when they cannot be had.
    """
    pixels = keras.Input(spec.shape, name=spec.name)
    feature_map = backbone.features(pixels)
    round_weights(keras.Model(pixels, feature_map))
    x = layers.GlobalAveragePooling2D()(feature_map)
    x = layers.Dense(n_classes, name=LOGITS)(x)
    return keras.Model(pixels, layers.Softmax(name=PROBABILITIES)(x), name=backbone.name)


def find_architecture(name: str) -> Architecture:
    """Raises BuildError for a name that is not known."""
    check_training(architecture=name)
    return ARCHITECTURES[name]


def _compact(x: keras.KerasTensor) -> keras.KerasTensor:
    """Five 3x3 convolutions, the second and fourth strided, then the mean over the map.

    The widths are multiples of 16, in which onnxruntime's kernels compute: with 24, 40, 56, 72
    and 80 it took half as long again for the same accuracy.
    """
    widths = (16, 32, 64, 64, 80)
    strides = (1, 2, 1, 2, 1)
    paddings = ("same", "same", "same", "same", "valid")
    for width, stride, padding in zip(widths, strides, paddings, strict=True):
        x = layers.Conv2D(width, 3, strides=stride, padding=padding, use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.95)(x)
        x = layers.ReLU()(x)
    x = layers.GlobalAveragePooling2D()(x)
    return layers.Dropout(0.3)(x)


def _lenet(x: keras.KerasTensor) -> keras.KerasTensor:
    """Two 5x5 convolutions to 10 and 20 maps, each max-pooled, then 50 dense units.

    After LeNet-5 (LeCun et al., 1998), with ReLU.
    """
    for maps in (10, 20):
        x = layers.Conv2D(maps, 5, activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(50, activation="relu")(x)
    return layers.Dropout(0.3)(x)


def _grid(x: keras.KerasTensor) -> keras.KerasTensor:
    """As deep as the input is large: each stage halves the sides and ends in a residual.

    An axis is halved until 8 or fewer values are left, and kernels do not reach along an axis
    of one value, so that a series, a grid of one row, gets one-dimensional kernels.
    """
    x = _convolve(x, 16, [2 if side > 40 else 1 for side in x.shape[1:3]])
    width, widest = 32, 128 if min(x.shape[1:3]) > 1 else 64
    while True:
        x = _convolve(x, width, [2 if side > 8 else 1 for side in x.shape[1:3]])
        inner = _convolve(x, width, [1, 1], relu=False)
        x = layers.ReLU()(layers.Add()([x, inner]))
        if max(x.shape[1:3]) <= 8:
            break
        width = min(2 * width, widest)
    x = layers.GlobalAveragePooling2D()(x)
    return layers.Dropout(0.3)(x)


def _convolve(
    x: keras.KerasTensor, width: int, strides: list[int], relu: bool = True
) -> keras.KerasTensor:
    kernel = [1 if side == 1 else 3 if min(x.shape[1:3]) > 1 else 7 for side in x.shape[1:3]]
    x = layers.Conv2D(width, kernel, strides=strides, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.95)(x)
    return layers.ReLU()(x) if relu else x


def multiplications(model: keras.Model) -> int:
    """How many a reading takes, about: those of its convolutions."""
    kinds = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
    return sum(
        math.prod(layer.output.shape[1:3]) * math.prod(weight.shape)
        for layer in model.layers
        if isinstance(layer, kinds)
        for weight in layer.weights
        if len(weight.shape) == 4  # a kernel
    )


ARCHITECTURES = {
    "compact": Architecture("five small convolutions, for the digits", 16, _compact),
    "lenet": Architecture("two 5x5 convolutions and 320 features", 28, _lenet),
    "grid": Architecture("as deep as the input is large, for other data", 28, _grid),
}
