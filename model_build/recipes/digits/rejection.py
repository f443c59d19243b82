"""A gate that closes on letters: it scales the logits, so that scores change but no reading does.

A network that learns to doubt letters while it learns the digits reads these worse. The gate learns
afterwards, from the feature maps of the finished network, which stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from ...data.dataset import Dataset
from ...models import LOGITS, PROBABILITIES
from ...training.trainer import Trained
from .letters import draw_letters, learnt_letters

UNITS = 32
DRAWINGS = 60
"""How often each digit is drawn again, at most once for each epoch that the network was trained; of
letters as many are drawn as of training digits."""
EPOCHS = 12
BATCH_SIZE = 512
OPEN, SHARE = 0.9, 0.997
"""How far the gate is open at least, and for which share of the validation digits drawn again."""

Floats = NDArray[np.float32]


def add_gate(trained: Trained, dataset: Dataset) -> Trained:
    """The same network with a gate between its logits and its softmax.

    The gate is a value in (0, 1) for each image, by which all its logits are multiplied. It learns
    to be open for drawings of the training digits and closed for letters in print; then it is set
    by drawings of the validation digits, so that few readings of digits lose by it.
    """
    seed = trained.config.seed + 4
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    model = trained.model
    maps = [layer.output for layer in model.layers if len(layer.output.shape) == 4][-1]
    # Two dense layers over the whole map; written so, ONNX needs no dozen operators to flatten it.
    hidden = layers.Conv2D(UNITS, maps.shape[1:3], activation="relu", name="gate_features")
    last = layers.Conv2D(1, 1, activation="sigmoid", name="gate")

    def gate_of(x: keras.KerasTensor) -> keras.KerasTensor:
        return layers.GlobalAveragePooling2D()(last(hidden(x)))

    features = keras.Model(model.input, maps)
    inputs = keras.Input(maps.shape[1:])
    gate = keras.Model(inputs, gate_of(inputs))

    digits = dataset.strokes(dataset.train, trained.input)
    letters, count = learnt_letters(), len(dataset.train)
    times = min(DRAWINGS, trained.config.epochs)
    opening = _features(features, times, lambda: digits.digits(rng))
    closing = _features(features, times, lambda: draw_letters(letters, count, digits, rng))
    _fit(gate, opening, closing)
    checked = dataset.strokes(dataset.validation, trained.input)
    _set(gate, last, _features(features, DRAWINGS, lambda: checked.digits(rng)))

    scaled = layers.Multiply(name="gated_logits")([model.get_layer(LOGITS).output, gate_of(maps)])
    gated = keras.Model(model.input, layers.Softmax(name=PROBABILITIES)(scaled), name=model.name)
    return replace(trained, model=gated)


def _features(model: keras.Model, times: int, draw: Callable[[], NDArray[np.uint8]]) -> Floats:
    """What the model makes of what is drawn, so many times."""
    return np.concatenate(
        [np.asarray(model(draw().astype(np.float32), training=False)) for _ in range(times)]
    )


def _fit(gate: keras.Model, opening: Floats, closing: Floats) -> None:
    features = np.concatenate([opening, closing])
    targets = np.repeat(np.array([1, 0], np.float32), [len(opening), len(closing)])
    steps = EPOCHS * len(features) // BATCH_SIZE
    gate.compile(
        keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(3e-3, steps)),
        keras.losses.BinaryCrossentropy(),
    )
    gate.fit(features, targets, batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0)


def _set(gate: keras.Model, last: keras.Layer, features: Floats) -> None:
    """Shift the gate so that it is OPEN for the SHARE of the digits that open it most."""
    least = np.clip(np.quantile(np.asarray(gate(features)), 1 - SHARE), 1e-6, 1 - 1e-6)
    weights, bias = last.get_weights()
    last.set_weights([weights, bias + np.log(OPEN / (1 - OPEN)) - np.log(least / (1 - least))])
