"""The rejection head: it scales the logits of what is no digit, so that scores change but no
prediction does.

A network that learns to doubt letters while it learns the digits reads these worse. The head learns
afterwards, from the feature maps of the finished network, which stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from ... import seeds
from ...data.dataset import Dataset
from ...models import LOGITS, PROBABILITIES
from ...training.history import Trained
from ...training.metrics import forward
from .dataset import strokes_of
from .letters import draw_letters, learnt_letters

UNITS = 32
DRAWINGS = 60
"""How often each digit is drawn again, at most once for each epoch that the network was trained; of
letters as many are drawn as of training digits."""
EPOCHS = 12
BATCH_SIZE = 512
OPEN, SHARE = 0.9, 0.997
"""The least scale of the logits, and the share of the validation digits drawn again that get it.
Chosen so that the recommended minimum score keeps 97 % of the right predictions on Semeion and
USPS."""

Floats = NDArray[np.float32]


def add_rejection_head(trained: Trained, dataset: Dataset) -> Trained:
    """The same network with a rejection head between its logits and its softmax.

    The head gives a value in (0, 1) for each image, by which all its logits are multiplied. It
    learns to give 1 for drawings of the training digits and 0 for letters in print; then it is
    shifted by drawings of the validation digits, so that few predictions of digits lose by it.
    """
    seed = trained.config.seed + seeds.REJECTION
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    model = trained.model
    maps = [layer.output for layer in model.layers if len(layer.output.shape) == 4][-1]
    # Two dense layers over the whole map; written so, ONNX needs no dozen operators to flatten it.
    hidden = layers.Conv2D(UNITS, maps.shape[1:3], activation="relu", name="rejection_features")
    last = layers.Conv2D(1, 1, activation="sigmoid", name="rejection")

    def scale_of(x: keras.KerasTensor) -> keras.KerasTensor:
        return layers.GlobalAveragePooling2D()(last(hidden(x)))

    features = keras.Model(model.input, maps)
    inputs = keras.Input(maps.shape[1:])
    head = keras.Model(inputs, scale_of(inputs))

    digits = strokes_of(dataset, dataset.train, trained.input)
    letters, count = learnt_letters(), len(dataset.train)
    times = min(DRAWINGS, trained.config.epochs)
    kept = _features(features, times, lambda: digits.digits(rng))
    refused = _features(features, times, lambda: draw_letters(letters, count, digits, rng))
    _fit(head, kept, refused)
    checked = strokes_of(dataset, dataset.validation, trained.input)
    _shift(head, last, _features(features, DRAWINGS, lambda: checked.digits(rng)))

    scaled = layers.Multiply(name="scaled_logits")([model.get_layer(LOGITS).output, scale_of(maps)])
    whole = keras.Model(model.input, layers.Softmax(name=PROBABILITIES)(scaled), name=model.name)
    return replace(trained, model=whole)


def _features(model: keras.Model, times: int, draw: Callable[[], NDArray[np.uint8]]) -> Floats:
    """The feature maps of what is drawn, so many times."""
    return np.concatenate([forward(model, draw()) for _ in range(times)])


def _fit(head: keras.Model, kept: Floats, refused: Floats) -> None:
    features = np.concatenate([kept, refused])
    targets = np.repeat(np.array([1, 0], np.float32), [len(kept), len(refused)])
    steps = EPOCHS * len(features) // BATCH_SIZE
    head.compile(
        keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(3e-3, steps)),
        keras.losses.BinaryCrossentropy(),
    )
    head.fit(features, targets, batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0)


def _shift(head: keras.Model, last: keras.Layer, features: Floats) -> None:
    """Shift the head so that it gives OPEN or more for the SHARE of the digits that get most."""
    least = np.clip(np.quantile(np.asarray(head(features)), 1 - SHARE), 1e-6, 1 - 1e-6)
    weights, bias = last.get_weights()
    last.set_weights([weights, bias + np.log(OPEN / (1 - OPEN)) - np.log(least / (1 - least))])
