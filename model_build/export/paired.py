"""An export beside its Keras model, on the same examples: a paired comparison of what is right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Paired:
    """How many of the same examples each of two models reads rightly."""

    examples: int
    right: int
    """Examples that the export reads rightly."""
    lost: int
    """Examples that only Keras reads rightly."""
    won: int
    """Examples that only the export reads rightly."""
    changed: int
    """Examples that they read differently, right or wrong."""

    @property
    def accuracy(self) -> float:
        """The share of the examples that the export reads rightly."""
        return self.right / self.examples

    @property
    def loss(self) -> float:
        """How far the export's accuracy is below Keras's, as a share; negative if above."""
        return (self.lost - self.won) / self.examples

    @property
    def changed_share(self) -> float:
        """The share of the examples that they read differently."""
        return self.changed / self.examples

    @property
    def p_value(self) -> float:
        """The probability that as many or more are lost by chance alone, if those that are read
        differently are as likely won as lost: the one-sided exact test of McNemar (1947).
        """
        from scipy.stats import binomtest

        differ = self.lost + self.won
        return float(binomtest(self.lost, differ, 0.5, "greater").pvalue) if differ else 1.0


def paired(
    keras: NDArray[np.int64], export: NDArray[np.int64], labels: NDArray[np.int64]
) -> Paired:
    """Compare the readings of two models, (N,) positions of classes, with the labels, (N,)."""
    ours, theirs = keras == labels, export == labels
    lost, won = int((ours & ~theirs).sum()), int((~ours & theirs).sum())
    return Paired(len(labels), int(theirs.sum()), lost, won, int((keras != export).sum()))
