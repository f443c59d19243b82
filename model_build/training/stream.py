"""What training shows, batch by batch."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Stream(Protocol):
    """The batches of a whole training: the number of an epoch tells what is in it, so that a
    training that was interrupted goes on with the same ones."""

    steps_per_epoch: int

    def batches(self, first: int, last: int) -> Any:
        """A tf.data.Dataset of the batches of epochs first to last - 1, counted from 0:
        ((size, height, width, channels) float32 of 0..255, (size, classes) float32 targets).
        """


def one_hot(labels: NDArray[np.int64], classes: int, smoothing: float) -> NDArray[np.float32]:
    """(N, classes) targets of (N,) labels; `smoothing` is the share spread over all classes."""
    named = np.eye(classes)[labels] * (1 - smoothing) + smoothing / classes
    return named.astype(np.float32)


def weighted_targets(
    labels: NDArray[np.int64], weights: NDArray[np.float32], smoothing: float
) -> NDArray[np.float32]:
    """`one_hot`, times how much the class of each label counts. weights: (classes,)."""
    targets: NDArray[np.float32] = one_hot(labels, len(weights), smoothing)
    return targets * weights[labels][:, None]
