"""Training a network of a recipe from nothing, with what the user asked for."""

from __future__ import annotations

from dataclasses import replace

from edge_runtime import __version__

from ..data.dataset import Dataset
from ..training.config import TrainConfig
from ..training.history import Trained
from ..training.trainer import train
from ..training.workspace import Workspace
from .recipe import Recipe, Tell, Wanted


def train_network(
    recipe: Recipe,
    dataset: Dataset,
    architecture: str,
    wanted: Wanted,
    workspace: Workspace,
    tell: Tell,
    share: float = 1.0,
) -> Trained:
    """The trained network, whose training `workspace` keeps.

    share: of the epochs that suit the data, those that are trained. Raises BuildError when the
    training diverges.
    """
    say = tell.say
    config = recipe.settings(dataset, architecture, wanted.seed, wanted.epochs)
    if share < 1:
        config = replace(config, epochs=max(1, round(share * config.epochs)))
    config = _with(config, wanted)
    spec = recipe.input_spec(dataset, architecture)
    key = f"{__version__} {architecture} {spec} {config} {dataset.augmentation}"
    if workspace.keeps("training", key):
        if workspace.arrays("state") is not None:
            say(f"going on with the training that {workspace.folder} holds")
        else:
            say("going on with the build before, of which no epoch was kept yet")
    trained = train(
        recipe.stream(dataset, spec, architecture, config, workspace, say),
        recipe.checks(dataset, spec, wanted.seed),
        spec,
        len(dataset.class_names),
        architecture,
        config,
        workspace,
        lambda epoch: tell.epoch(epoch, config.epochs),
        wanted.callbacks,
    )
    if len(trained.history) < config.epochs:
        say(
            f"stopped after epoch {len(trained.history)}: the readings of the validation part show"
            " no gain in going on"
        )
    say(f"kept epoch {trained.best.number}, the best on the validation part")
    return trained


def _with(config: TrainConfig, wanted: Wanted) -> TrainConfig:
    return replace(
        config,
        batch_size=wanted.batch_size or config.batch_size,
        learning_rate=wanted.learning_rate or config.learning_rate,
    )
