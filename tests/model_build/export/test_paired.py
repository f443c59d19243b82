"""The paired comparison of two models."""

import numpy as np
import pytest

from model_build.export.paired import paired


@pytest.mark.parametrize(
    ("lost", "won", "p"),
    [
        (0, 0, 1.0),
        (4, 0, 1 / 16),
        (5, 0, 1 / 32),
        (3, 1, 5 / 16),
        (7, 1, 9 / 256),
        (1, 3, 15 / 16),
    ],
)
def test_losses_are_judged_by_the_exact_test_of_mcnemar(lost, won, p):
    labels = np.zeros(40, np.int64)
    keras, export = labels.copy(), labels.copy()
    export[:lost] = 1
    keras[10 : 10 + won] = 1
    keras[20:24] = export[20:24] = 2  # wrong in both: says nothing
    beside = paired(keras, export, labels)
    assert (beside.lost, beside.won, beside.loss) == (lost, won, (lost - won) / 40)
    assert beside.changed == lost + won
    assert beside.accuracy == (36 - lost) / 40
    assert beside.p_value == pytest.approx(p)
