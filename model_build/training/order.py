"""The order in which a training shows its examples."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..data.split import Indices
from .config import TrainConfig

SHOWN = 256
"""Examples that an epoch shows at least: less data is shown several times, so that a few epochs of
it are not a few steps."""


class Order:
    """Another order each epoch, told by its number; of few examples each comes several times."""

    def __init__(self, count: int, config: TrainConfig) -> None:
        """count: of the examples."""
        self._count, self._seed, self._passes = count, config.seed, passes(count)
        self.size = min(config.batch_size, count)
        """Examples of a step."""
        self.steps_per_epoch = self._passes * count // self.size
        self._epoch = lru_cache(2)(self._shuffled)

    def step(self, number: int) -> Indices:
        """The (size,) examples of a step, which is counted from 0 over all epochs."""
        epoch, place = divmod(number, self.steps_per_epoch)
        chosen: Indices = self._epoch(epoch)[place * self.size : (place + 1) * self.size]
        return chosen

    def _shuffled(self, epoch: int) -> Indices:
        rng = np.random.default_rng([self._seed, epoch])
        return np.concatenate([rng.permutation(self._count) for _ in range(self._passes)])


def passes(count: int) -> int:
    """How often an epoch shows each of `count` examples."""
    return max(1, round(SHOWN / count))
