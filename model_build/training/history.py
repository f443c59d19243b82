"""What a training came to: its epochs, and the network of the best one."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundle.spec import InputSpec

from ..backbones.registry import Backbone
from .config import TrainConfig


@dataclass(frozen=True)
class Epoch:
    """How far training has come."""

    number: int
    """1 to the number of epochs."""
    loss: float
    """Mean training loss of the epoch (cross-entropy, in nats)."""
    validation_loss: float
    """Cross-entropy of the averaged weights on the validation examples, at the temperature that
    suits them best: the export is calibrated, so overconfidence alone is no loss."""
    validation_accuracy: float
    """Accuracy of the averaged weights on the same examples, in [0, 1]."""
    seconds: float
    """Seconds since training began."""


@dataclass(frozen=True)
class Trained:
    """A trained network and how it came about."""

    model: keras.Model
    """The averaged weights of the best epoch."""
    architecture: str
    input: InputSpec
    config: TrainConfig
    history: tuple[Epoch, ...]
    best: Epoch
    backbone: Backbone | None = None
    """What it was trained on, if not from nothing."""
    features: NDArray[np.float32] | None = None
    """(N, features): the network's of the training examples as they are, then of the validation
    part."""
    before: Trained | None = None
    """The same on the backbone as it was, where its last blocks were trained on."""
