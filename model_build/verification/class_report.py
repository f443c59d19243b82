"""How well each class is read: precision, recall, F1 and support."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ClassFigures:
    """Figures of one class on labelled examples; shares in [0, 1]."""

    label: str
    precision: float
    """Share of the readings as this class that are right; 0 where nothing is read as it."""
    recall: float
    """Share of its examples that are read as it."""
    f1: float
    """Harmonic mean of both."""
    support: int
    """How many examples it has."""

    def to_json(self) -> dict[str, Any]:
        """The figures as a JSON object."""
        return {
            name: round(value, 6) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }


def class_report(
    labels: NDArray[np.int64], found: NDArray[np.int64], names: Sequence[str]
) -> tuple[ClassFigures, ...]:
    """The figures of all classes; labels, found: (N,) positions in `names`."""
    from sklearn.metrics import precision_recall_fscore_support

    figures = precision_recall_fscore_support(
        labels, found, labels=range(len(names)), zero_division=0
    )
    return tuple(
        ClassFigures(name, float(precision), float(recall), float(f1), int(support))
        for name, precision, recall, f1, support in zip(names, *figures, strict=True)
    )
