"""The architecture that reads photos of a user's own best: pretrained, or small and trained from
nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf

from edge_runtime import __version__

from ...backbones.registry import DEFAULT_BACKBONE
from ...data.dataset import Dataset
from ...training.history import Trained
from ...training.workspace import Workspace
from ..recipe import Recipe, Tell, Wanted
from ..training import train_network
from .backbone import train_on_backbone

SMALL = "grid"
"""The small network, which also reads all that is no photo."""
SHORT = 0.2
"""The share of its epochs that the small network is trained for to be compared."""
NEAR = 0.03
"""How far below the pretrained network's accuracy a short training may end for the small network
to be trained to its end before the choice."""
FAR, GIVEN = 0.25, 0.2
"""How far below it the short training may be after that share of it, for it to go on; from there
on evenly less, down to `NEAR` at its end."""
CERTAIN = 0.995
"""An accuracy of the pretrained network above which that would be in vain."""
_TIMED = 20


def train_best(
    recipe: Recipe, dataset: Dataset, wanted: Wanted, workspace: Workspace, tell: Tell
) -> Trained:
    """The network that reads more of the validation part rightly; of two that read as much, the
    small one.

    Both are trained for that, the small one shortly unless it comes near; what was chosen is kept
    in `workspace`. The user is told the figures.
    """

    def pretrained() -> Trained:
        return train_on_backbone(recipe, dataset, DEFAULT_BACKBONE, wanted, workspace, tell)

    def small(share: float = 1.0, rival: float = 0.0) -> Trained:
        callbacks = [*wanted.callbacks, GiveUp(rival)] if rival else wanted.callbacks
        asked = replace(wanted, callbacks=callbacks)
        return train_network(recipe, dataset, SMALL, asked, workspace, tell, share)

    if dataset.backbone_spec is None:
        return small()
    key = f"{__version__} {wanted.seed} {dataset.backbone_spec} {dataset.augmentation}"
    if workspace.keeps("choice", key):
        kept = workspace.arrays("choice")
        if kept is not None:
            return small() if str(kept["architecture"]) == SMALL else pretrained()
    tell.say("comparing a pretrained network with a small one ...")
    large = pretrained()
    tried, whole = small(SHORT, large.best.validation_accuracy), False
    if 0 < _ahead(large, tried) <= NEAR and large.best.validation_accuracy < CERTAIN:
        tell.say(f"{SMALL} comes near, and is trained to its end")
        tried, whole = small(), True
    better = _ahead(large, tried) > 0
    first, second = (large, tried) if better else (tried, large)
    for trained in (first, second):
        tell.say(_line(trained))
    tell.say(f"going on with the first; --architecture {second.architecture} builds the other")
    workspace.keep_arrays("choice", {"architecture": np.array(first.architecture)})
    return first if better or whole else small()


class GiveUp(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends a training whose best accuracy is too far below that of a rival; see `FAR`."""

    def __init__(self, rival: float) -> None:
        """rival: accuracy on the validation part, in [0, 1]."""
        super().__init__()
        self._rival, self._best = rival, 0.0

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        """End training if that is so."""
        self._best = max(self._best, logs["val_accuracy"])
        done = (epoch + 1) / self.params["epochs"]
        far = float(np.interp(done, [GIVEN, 1], [FAR, NEAR]))
        if done >= GIVEN and self._rival - self._best > far:
            self.model.stop_training = True


def _ahead(large: Trained, small: Trained) -> float:
    return large.best.validation_accuracy - small.best.validation_accuracy


def _line(trained: Trained) -> str:
    how = f"after {len(trained.history)} epochs" if trained.backbone is None else "pretrained"
    megabytes = 4 * trained.model.count_params() / 1e6
    return (
        f"  {trained.architecture:<20}{trained.best.validation_accuracy:>7.2%} on the validation"
        f" part {megabytes:>5.1f} MB {_milliseconds(trained.model):>6.1f} ms  {how}"
    )


def _milliseconds(model: keras.Model) -> float:
    """For a reading, one at a time, by TensorFlow on this machine: the quickest of `_TIMED`, since
    a busy machine only adds."""
    graph = tf.function(lambda pixels: model(pixels, training=False))
    pixels = tf.zeros((1, *model.input.shape[1:]))
    graph(pixels)
    times = []
    for _ in range(_TIMED):
        start = time.perf_counter()
        graph(pixels)
        times.append(time.perf_counter() - start)
    return min(times) * 1e3
