"""How long and in what steps to train on data of a user's own."""

from __future__ import annotations

from edge_runtime.bundle.spec import InputSpec

from ...models import build_cnn, multiplications
from ...training.config import TrainConfig
from ...training.order import passes

_BATCH_SIZES = ((4096, 128), (1024, 64), (256, 32), (0, 16))
"""(examples to train on at least, examples of a step): smaller steps for little data."""
_AFFORDABLE = 9_000_000_000_000
"""Multiplications of the forward pass: about ten minutes of two present-day cores."""
_OVERHEAD = 5_000_000
"""What an example costs besides its multiplications, in multiplications."""
_STEPS = 3000
"""Steps after which more epochs of little data bring nothing; 60 epochs are tried in any case."""


def plan(count: int, spec: InputSpec, classes: int, architecture: str, seed: int) -> TrainConfig:
    """The settings for `count` examples: smaller batches and more epochs for little data.

    The number of epochs depends on the data and the network, not on the clock.
    """
    size = next(size for least, size in _BATCH_SIZES if count >= least)
    shown = count * passes(count)
    work = multiplications(build_cnn(spec, classes, architecture))
    affordable = _AFFORDABLE // max(1, shown * (work + _OVERHEAD))
    wanted = max(60, _STEPS * size // shown)
    epochs = max(10, min(affordable, wanted, 300))
    return TrainConfig(epochs, size, seed, patience=max(5, epochs // 3))
