"""A network's features, the values before its last dense layer, and what is computed for them."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from ..data.dataset import Dataset, Tensors
from ..data.split import Indices
from ..models import LOGITS
from .history import Trained
from .metrics import chunk_size, quick_forward

Computed = Callable[[int, int, float], object]
"""Called with how many are done, of how many, and the seconds left, about."""


def compute_outputs(
    network: keras.Model, examples: Sequence[Tensors], path: Path, progress: Computed
) -> NDArray[np.float32]:
    """The (N, ...) outputs of `network` for all examples of the sequence, in order.

    examples: (n, height, width, channels) values 0 to 255 each. path: a file that holds what was
    computed before, which is not computed again; progress: called after each step.
    """
    shape = network.output.shape[1:]
    width = math.prod(shape)
    total = sum(len(part) for part in examples)
    run = quick_forward(network, total)
    step = chunk_size(network.input.shape[1:])
    places = [
        (part, first, min(first + step, len(part)))
        for part in examples
        for first in range(0, len(part), step)
    ]
    done, begun, start = 0, 0, time.monotonic()
    path.touch(0o600)
    with open(path, "r+b") as file:
        kept = os.fstat(file.fileno()).st_size // (4 * width)
        for part, first, last in places:
            done += last - first
            if done <= kept:
                begun = done
                continue
            file.seek(4 * width * (done - last + first))
            file.write(run(part[first:last]).astype("<f4").tobytes())
            seconds = time.monotonic() - start
            progress(done, total, seconds / (done - begun) * (total - done))
        file.truncate(4 * width * total)
    return np.fromfile(path, "<f4").reshape(total, *shape)


def features_model(model: keras.Model) -> keras.Model:
    """The same network up to its features."""
    return keras.Model(model.input, model.get_layer(LOGITS).input)


def features_of(trained: Trained, dataset: Dataset, positions: Indices) -> NDArray[np.float32]:
    """(N, features) of the examples at those positions of the dataset that `trained` learnt from.

    Those that are known from its training are not computed again.
    """
    known, network = trained.features, features_model(trained.model)
    if known is None:
        run = quick_forward(network, len(positions))
        return run(dataset.tensors_later(positions, trained.input))
    rows = np.full(len(dataset.labels), -1)
    rows[np.concatenate([dataset.train, dataset.validation])] = np.arange(len(known))
    found: NDArray[np.float32] = known[rows[positions]]
    new = rows[positions] < 0
    if new.any():
        run = quick_forward(network, int(new.sum()))
        found[new] = run(dataset.tensors_later(positions[new], trained.input))
    return found
