"""Dividing examples into train, validation and test."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .. import seeds

Indices = NDArray[np.int64]

TEST_SHARE = 0.2
VALIDATION_SHARE = 0.1
FEW_VALIDATION_SHARE = 0.2
"""Of data with fewer than `FEW` examples, where a tenth says little."""
FEW = 1000


def stratified(indices: Indices, labels: Indices, share: float) -> tuple[Indices, Indices]:
    """Shuffle and divide; `share` of the indices of each class, one at least, go to the second."""
    rng = np.random.default_rng(seeds.SPLIT)
    first, second = [], []
    for label in np.unique(labels[indices]):
        members = rng.permutation(indices[labels[indices] == label])
        count = max(1, round(share * len(members)))
        second.append(members[:count])
        first.append(members[count:])
    return rng.permutation(np.concatenate(first)), rng.permutation(np.concatenate(second))


def shuffled(
    indices: Indices, share: float, stratify: Indices | None = None
) -> tuple[Indices, Indices]:
    """Shuffle and divide by scikit-learn; `share` of the indices go to the second part.

    stratify: a label for each index, whose shares are kept in both parts.
    """
    from sklearn.model_selection import train_test_split

    first, second = train_test_split(
        indices, test_size=share, random_state=seeds.SPLIT, stratify=stratify
    )
    return first, second
