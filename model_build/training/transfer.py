"""Training on a pretrained backbone: its features once, then a head on them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edge_runtime.bundle.spec import InputSpec

from ..backbones.registry import Backbone
from ..data.dataset import Labelled, Tensors
from ..models import LOGITS, build_on
from .config import TrainConfig
from .features import Computed, compute_features
from .head import fit_head
from .history import Epoch, Trained
from .workspace import Workspace


@dataclass(frozen=True)
class TransferConfig(TrainConfig):
    """The settings of a training on a backbone, of which `seed` alone is of its choice."""

    epochs: int = 1
    batch_size: int = 32
    copies: int = 0
    """Augmented copies of each training example."""
    strength: float | None = None
    """The inverse strength of the head's regularisation, once it was chosen."""


def train_head(
    views: Sequence[Tensors],
    labels: NDArray[np.int64],
    weights: NDArray[np.float32],
    checks: Labelled,
    validated: int,
    backbone: Backbone,
    spec: InputSpec,
    config: TransferConfig,
    workspace: Workspace,
    progress: Computed = lambda done, total, seconds: None,
) -> Trained:
    """A classifier on the frozen backbone; the same arguments give the same weights.

    views: the N training examples as they are, then augmented copies of them all. labels: (N,).
    weights: (classes,), how much each class counts. checks: the validation part, `validated`
    examples as they are, then augmented copies; the regularisation is chosen on them. The features
    are kept in `workspace`, and taken up from there.
    Raises BuildError when the backbone's weights cannot be had.
    """
    start = time.monotonic()
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(config.seed)
    model = build_on(backbone, spec, len(weights))
    layer = model.get_layer(LOGITS)
    network = keras.Model(model.input, layer.input)
    path = workspace.folder / "features"
    found = compute_features(network, [*views, checks.tensors], path, progress)
    count = len(views) * len(labels)
    shown = np.tile(labels, len(views))
    # All copies of an example count as much as one: the strengths do not depend on how many.
    each = weights[shown] / len(views)
    head = fit_head(found[:count], shown, each, found[count:], checks.labels)
    layer.set_weights([head.kernel, head.bias])
    seconds = time.monotonic() - start
    epoch = Epoch(1, head.loss, head.validation_loss, head.validation_accuracy, seconds)
    config = replace(config, strength=head.strength)
    plain = np.concatenate([found[: len(labels)], found[count : count + validated]])
    return Trained(model, backbone.name, spec, config, (epoch,), epoch, backbone, plain)
