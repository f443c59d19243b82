"""The one trainer: Keras's `fit`, with callbacks. It knows no data set."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from edge_runtime.bundle.spec import InputSpec

from ..data.dataset import Labelled
from ..models import build_cnn
from .averaging import AveragedWeights
from .callbacks import BestEpoch, Report, Resume, StopEarly
from .config import TrainConfig
from .history import Epoch, Trained
from .schedule import WarmCosine
from .stream import Stream
from .workspace import Workspace


def train(
    stream: Stream,
    checks: Labelled,
    spec: InputSpec,
    classes: int,
    architecture: str,
    config: TrainConfig,
    workspace: Workspace,
    progress: Callable[[Epoch], object] = lambda epoch: None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Trained:
    """Train a network on what `stream` shows; the same arguments give the same weights.

    The weights kept are the moving average with the least loss on `checks`. The state is kept in
    `workspace`, and taken up from there. callbacks: of the caller's own, with Keras's `loss` and
    the averaged weights' `val_loss` and `val_accuracy` among their logs.

    Raises BuildError for an architecture that is not known, and when training diverges.
    """
    model = new_network(spec, classes, architecture, config.seed)
    _, best = train_on(model, stream, checks, config, workspace, "state", progress, callbacks)
    assert best.best is not None
    history = tuple(best.history)
    return Trained(best.network(), architecture, spec, config, history, best.best)


def train_on(
    model: keras.Model,
    stream: Stream,
    checks: Labelled,
    config: TrainConfig,
    workspace: Workspace,
    state: str,
    progress: Callable[[Epoch], object],
    callbacks: Sequence[keras.callbacks.Callback],
) -> tuple[AveragedWeights, BestEpoch]:
    """Train a network from the weights that it has; see `train`.

    state: the name under which the workspace keeps how far training is. Returns the averaged
    weights of the last epoch, and the best epoch.
    """
    compile_network(model, stream, config)
    averages = AveragedWeights(model, stream, config)
    best = BestEpoch(averages, checks, config.learning_rate)
    resume = Resume(model, averages, best, workspace, state)
    done = resume.restore()
    if done:
        progress(best.history[-1])
    # A caller's callbacks see the averaged weights' figures; the state is kept when all is done.
    following = [*callbacks, Report(best, progress)]
    finished = done == config.epochs
    if config.patience is not None:
        stop = StopEarly(best, config.patience)
        following.append(stop)
        finished |= done > 0 and stop.due
    if not finished:
        fit(model, stream, config, [averages, best, *following, resume], done)
    return averages, best


def train_to_the_end(
    stream: Stream, spec: InputSpec, classes: int, architecture: str, config: TrainConfig
) -> keras.Model:
    """The averaged weights after the last epoch; nothing is measured, kept or taken up."""
    model = new_network(spec, classes, architecture, config.seed)
    compile_network(model, stream, config)
    averages = AveragedWeights(model, stream, config)
    fit(model, stream, config, [averages])
    return averages.write()


def new_network(spec: InputSpec, classes: int, architecture: str, seed: int) -> keras.Model:
    """An untrained network whose weights, and all that is random later, follow from the seed."""
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)
    return build_cnn(spec, classes, architecture)


def compile_network(model: keras.Model, stream: Stream, config: TrainConfig) -> None:
    """Compile the model: AdamW (Loshchilov & Hutter, 2019) on cross-entropy."""
    steps = config.epochs * stream.steps_per_epoch
    rate = WarmCosine(config.learning_rate, config.least_rate, steps)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=config.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    optimizer.build(model.trainable_variables)
    model.compile(optimizer, keras.losses.CategoricalCrossentropy())


def fit(
    model: keras.Model,
    stream: Stream,
    config: TrainConfig,
    callbacks: Sequence[keras.callbacks.Callback],
    done: int = 0,
) -> None:
    """Run Keras's `fit` over the epochs that are not done yet."""
    model.fit(
        stream.batches(done, config.epochs),
        epochs=config.epochs,
        initial_epoch=done,
        steps_per_epoch=stream.steps_per_epoch,
        callbacks=list(callbacks),
        shuffle=False,  # the stream has shuffled them
        verbose=0,
    )
