"""Training on a pretrained backbone: what its first blocks give once, then all that follows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
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
from .features import Computed, compute_outputs
from .fine_tuning import find_last_blocks, tune
from .head import fit_head
from .history import Epoch, Trained
from .metrics import forward
from .workspace import Workspace


@dataclass(frozen=True)
class TransferConfig(TrainConfig):
    """The settings of a training on a backbone: of its last blocks, with a rate of which a third
    read two points less of 600 photos of scenes, and no smoothing, which costs a point there."""

    epochs: int = 10
    batch_size: int = 32
    learning_rate: float = 3e-4
    label_smoothing: float = 0.0
    copies: int = 0
    """Augmented copies of each training example."""
    strength: float | None = None
    """The inverse strength of the head's regularisation, once it was chosen."""
    tuned: float | None = None
    """How far the last blocks went from the published weights to those after training them on,
    once that was chosen; None where no last blocks were found."""


def train_transfer(
    views: Sequence[Tensors],
    labels: NDArray[np.int64],
    weights: NDArray[np.float32],
    checks: Labelled,
    validated: int,
    backbone: Backbone,
    spec: InputSpec,
    config: TransferConfig,
    workspace: Workspace,
    computed: Computed = lambda done, total, seconds: None,
    progress: Callable[[Epoch], object] = lambda epoch: None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Trained:
    """A classifier on the backbone; the same arguments give the same weights.

    A head is fitted on the backbone's features, and from there its last blocks are trained on as
    well. Of the weights before, after and between (Wortsman et al., 2022) those are kept that read
    the validation part best.

    views: the N training examples as they are, then augmented copies of them all. labels: (N,).
    weights: (classes,), how much each counts. checks: the validation part, `validated` examples as
    they are, then augmented copies; every choice is made on them. What the backbone's first blocks
    give is kept in `workspace`, and taken up from there. progress, callbacks: see `train`, for the
    last blocks.
    Raises BuildError when the backbone's weights cannot be had.
    """
    start = time.monotonic()
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(config.seed)
    model = build_on(backbone, spec, len(weights))
    layer = model.get_layer(LOGITS)
    cut = find_last_blocks(model)
    between = layer.input if cut is None else model.get_layer(cut).output
    path = workspace.folder / "features"
    first = keras.Model(model.input, between)
    given = compute_outputs(first, [*views, checks.tensors], path, computed)
    found = given if cut is None else forward(_up_to_features(model, cut), given)
    count = len(views) * len(labels)
    shown = np.tile(labels, len(views))
    # All copies of an example count as much as one: the strengths do not depend on how many.
    each = weights[shown] / len(views)
    head = fit_head(found[:count], shown, each, found[count:], checks.labels)
    layer.set_weights([head.kernel, head.bias])
    seconds = time.monotonic() - start
    epoch = Epoch(1, head.loss, head.validation_loss, head.validation_accuracy, seconds)
    config = replace(config, strength=head.strength)
    plain = np.concatenate([np.arange(len(labels)), np.arange(count, count + validated)])
    frozen = Trained(model, backbone.name, spec, config, (epoch,), epoch, backbone, found[plain])
    if cut is None:
        return frozen

    tuned = tune(
        model,
        cut,
        given[:count].reshape(len(views), len(labels), *given.shape[1:]),
        labels,
        weights,
        Labelled(given[count:], checks.labels),
        config,
        workspace,
        progress,
        callbacks,
    )
    if tuned is None:
        return replace(frozen, config=replace(config, tuned=0.0))
    return replace(
        frozen,
        model=tuned.model,
        config=replace(config, tuned=tuned.step),
        history=tuned.history,
        best=tuned.best,
        features=forward(_up_to_features(tuned.model, cut), given[plain]),
        before=frozen,
    )


def _up_to_features(model: keras.Model, cut: str) -> keras.Model:
    """The last blocks: from the output of the layer before them to the features."""
    return keras.Model(model.get_layer(cut).output, model.get_layer(LOGITS).input)
