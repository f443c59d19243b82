"""Label noise: digits that networks which have not seen their writers take for another class.

The 1,797 digits are by 13 writers. A four without a tail is a four beside its writer's others;
drawn again in many hands it teaches that sixes are fours. After confident learning (Northcutt et
al., 2021): what networks trained on the rest take for another class is not to be believed.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from numpy.typing import NDArray

from ... import seeds
from ...training.metrics import forward
from .drawing import StrokeDigits

FOLDS = 3
"""Folds of the digits, each judged by networks that were trained on the others."""
JUDGES = 2
"""Networks for each fold: of the digits that matter most, one alone believes some by chance."""
DRAWINGS = 20
"""How often each digit is drawn again to be judged."""
RIVAL = 0.4
"""The probability of another class, over that of its own, from which a digit is doubtful. The four
that stands behind most sixes read as 4 (876 in scikit-learn's order) had 0.44 and 0.46 in two
trainings of the judges: at 0.45 chance decided on half a point of other people's digits."""


def doubtful(
    digits: StrokeDigits,
    positions: NDArray[np.int64],
    fit: Callable[[StrokeDigits, int], keras.Model],
    seed: int,
    say: Callable[[str], object],
) -> NDArray[np.bool_]:
    """(N,) mask of the digits that could as well be another.

    positions: (N,) where they stand among all, in the order of their writers, so that a fold has
    writers of its own. fit: trains a network on some of them from a seed. say: told of each fold.
    """
    order = np.argsort(positions)
    classes = int(digits.labels.max()) + 1
    found = np.zeros((len(order), classes))
    rng = np.random.default_rng(seed + seeds.LABEL_NOISE)
    for number, members in enumerate(np.array_split(order, FOLDS), 1):
        say(f"looking for doubtful digits: part {number} of {FOLDS}")
        others, part = digits.take(np.setdiff1d(order, members)), digits.take(members)
        judges = [
            fit(others, seeds.judge(seed, network, number)) for network in range(1, JUDGES + 1)
        ]
        for _ in range(DRAWINGS):
            drawn = part.digits(rng)
            for judge in judges:
                found[members] += forward(judge, drawn)
    rows = np.arange(len(found))
    own = found[rows, digits.labels]
    found[rows, digits.labels] = 0
    doubted: NDArray[np.bool_] = found.max(axis=1) > RIVAL * own
    return doubted
