"""The settings of a training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from ..arguments import check_training

SETTLED_AVERAGING = 0.11
"""Share of the steps that the average spans where the rate falls to zero: the last ninth."""


@dataclass(frozen=True)
class TrainConfig:
    """All that a training depends on besides the data and the architecture.

    Raises BuildError for fewer than one epoch or example, and for a rate that is no number above 0.
    """

    epochs: int
    """Passes over the training part."""
    batch_size: int
    """Examples of a step."""
    seed: int = 0
    learning_rate: float = 3e-3
    """The highest; it rises over the first 5 % of the steps, then falls as half a cosine."""
    least_rate: float = 0.0
    """Share of `learning_rate` below which it does not fall."""
    weight_decay: float = 0.02
    label_smoothing: float = 0.05
    """Share of each target that is spread over all classes (Szegedy et al., 2016)."""
    averaging: float = SETTLED_AVERAGING
    """Share of the steps so far that the moving average of the weights spans."""
    patience: int | None = None
    """Epochs without a better one after which training stops; None never stops early."""

    def __post_init__(self) -> None:
        check_training(None, self.epochs, self.batch_size, self.learning_rate)

    def settling(self) -> Self:
        """The same settings with a rate that falls to zero and an average of the end alone."""
        return replace(self, least_rate=0.0, averaging=SETTLED_AVERAGING)

    def to_json(self) -> Mapping[str, Any]:
        """The object that stands in the manifest."""
        return asdict(self)
