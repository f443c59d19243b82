"""The model beside a guess: always answering the commonest class of the test part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.05
"""The p-value from which a model counts as no better than guessing: the customary 5 %."""


@dataclass(frozen=True)
class Guessing:
    """How many of the test examples the model reads rightly, and how many a guess would."""

    right: int
    """Examples that the model reads rightly."""
    examples: int
    commonest: str
    """The name of the commonest class."""
    share: float
    """The share of the examples that are of it, in (0, 1]."""

    @property
    def p_value(self) -> float:
        """The probability that guesses are right as often: a one-sided exact binomial test."""
        from scipy.stats import binomtest

        return float(binomtest(self.right, self.examples, self.share, "greater").pvalue)

    @property
    def passed(self) -> bool:
        """True for a model that is better than guessing."""
        return self.p_value < LEVEL

    def line(self, things: str) -> str:
        """What is to be said of a model that is not; `things` are what it reads."""
        most = Guessing(self.examples, self.examples, self.commonest, self.share)
        few = "" if most.passed else f"; {self.examples} are too few to tell, add some"
        return (
            f"no better than guessing: {self.right} of {self.examples} test {things} are read"
            f" rightly ({self.right / self.examples:.2%}), and always answering"
            f" {self.commonest!r} is right for {self.share:.2%}"
            f" (p = {self.p_value:.2g}, one-sided binomial test){few}"
        )

    def to_json(self) -> Mapping[str, Any]:
        """The object that stands in the manifest."""
        return {
            "commonest_class": self.commonest,
            "accuracy": round(self.share, 6),
            "p_value": float(f"{self.p_value:.3g}"),
            "better_than_guessing": self.passed,
        }


def beside_guessing(
    accuracy: float, labels: NDArray[np.int64], class_names: Sequence[str]
) -> Guessing:
    """A model of that accuracy on test examples with these labels, (N,)."""
    counts = np.bincount(labels, minlength=len(class_names))
    commonest = int(counts.argmax())
    share = float(counts[commonest] / len(labels))
    return Guessing(round(accuracy * len(labels)), len(labels), class_names[commonest], share)
