"""The networks of `keras.applications` as backbones, by name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from ..errors import BuildError

SIDE = 224
"""Height and width, in pixels, that most of them were trained at."""
_SIDES = {
    "efficientnet_b1": 240,
    "efficientnet_b2": 260,
    "efficientnet_b3": 300,
    "efficientnet_b4": 380,
    "efficientnet_b5": 456,
    "efficientnet_b6": 528,
    "efficientnet_b7": 600,
    "efficientnet_v2_b1": 240,
    "efficientnet_v2_b2": 260,
    "efficientnet_v2_b3": 300,
    "efficientnet_v2_s": 384,
    "efficientnet_v2_m": 480,
    "efficientnet_v2_l": 480,
    "inception_resnet_v2": 299,
    "inception_v3": 299,
    "nasnet_large": 331,
    "xception": 299,
}
"""Of the others."""


def side(name: str) -> int:
    """Height and width, in pixels, that the network was trained at."""
    return _SIDES.get(name, SIDE)


def features(name: str, pixels: keras.KerasTensor, weights: Path | None) -> keras.KerasTensor:
    """The last feature map of the network `name`, with its weights for ImageNet.

    pixels: (batch, height, width, 3) of 0..255. weights: a file of the network without its top;
    None has Keras fetch it once. Raises BuildError when neither can be had.
    """
    if weights is not None and name.startswith("efficientnet_b"):
        # Keras scales the input of these networks otherwise when it fetches the weights itself.
        raise BuildError(
            f"--weights {weights}: not for {name}; leave it out, or choose efficientnet_v2_b0"
        )
    found = _constructor(name)
    scale, offset, mirrored = _scaling(found)
    x = pixels
    if not np.array_equal([scale, offset], [np.ones(3), np.zeros(3)]):
        x = layers.Rescaling(scale.tolist(), offset=offset.tolist(), name="scale")(pixels)
    try:
        network = found(
            include_top=False, weights="imagenet" if weights is None else None, input_tensor=x
        )
    except Exception as error:  # of any kind, from the network's fetching
        raise BuildError(
            f"--architecture {name}: Keras could not fetch its weights"
            f" ({str(error).splitlines()[0]}); give them with --weights FILE"
        ) from None
    if weights is not None:
        try:
            network.load_weights(weights)
        except Exception as error:  # of any kind, from any reader of such files
            raise BuildError(
                f"--weights {weights}: holds no weights of {name} without its top"
                f" ({str(error).splitlines()[0]})"
            ) from None
    if mirrored:
        first = next(layer for layer in network.layers if isinstance(layer, layers.Conv2D))
        kernel, *bias = first.get_weights()
        first.set_weights([kernel[:, :, ::-1], *bias])
    return network.output


def _constructor(name: str) -> Any:
    """The function of `keras.applications` that makes the network."""
    plain = name.replace("_", "")
    return next(
        getattr(keras.applications, found)
        for found in dir(keras.applications)
        if found.lower() == plain and not found.islower()
    )


def _scaling(network: Any) -> tuple[NDArray[np.float64], NDArray[np.float64], bool]:
    """(scale, offset, mirrored) of red, green and blue: what the network's own preprocessing does
    to a pixel. mirrored: the network takes blue first, so its first kernel is to be turned round.
    """
    prepare = sys.modules[network.__module__].preprocess_input
    levels = np.concatenate([np.zeros((1, 3)), np.eye(3)])[None].astype(np.float32)
    prepared = np.asarray(prepare(levels.copy()), np.float64)[0]
    offset, by_colour = prepared[0], prepared[1:] - prepared[0]
    mirrored = not by_colour[0, 0]
    if mirrored:
        offset, by_colour = offset[::-1], by_colour[:, ::-1]
    return np.diag(by_colour), offset, mirrored
