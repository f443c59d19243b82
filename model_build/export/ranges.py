"""Ranges of activations by percentile: without the few that lie far outside."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

PERCENTILE = 99.99
"""Of the activations, what is kept; with less, networks of images lose (Wu et al., 2020)."""
_VALUES = 4096
"""Values of each tensor that an example adds, at most: evenly spaced ones."""


class Percentiles:
    """Collects the values of tensors, example by example."""

    def __init__(self) -> None:
        self._values: dict[Any, list[NDArray[np.float32]]] = {}

    def add(self, tensor: Any, values: NDArray[np.float32]) -> None:
        """Note values of a tensor, (n, ...), of n examples."""
        flat = values.reshape(len(values), -1)
        some = flat[:, :: 1 + flat.shape[1] // _VALUES]
        self._values.setdefault(tensor, []).append(some.ravel().copy())

    def ranges(self) -> dict[Any, tuple[float, float]]:
        """(low, high) of each tensor; as wide as its values where these are few."""
        outside = (100 - PERCENTILE) / 200
        return {
            tensor: tuple(np.quantile(np.concatenate(values), [outside, 1 - outside]).tolist())
            for tensor, values in self._values.items()
        }
