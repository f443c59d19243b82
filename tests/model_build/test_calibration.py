import numpy as np
import pytest

from edge_runtime.bundle.spec import InputSpec
from model_build.calibration import fold_temperature
from model_build.models import build_cnn
from model_build.training.metrics import calibration_error, fit_temperature, logits_of, softmax


def drawn_readings(count=20_000):
    """Logits whose probabilities are true, and labels drawn from them."""
    rng = np.random.default_rng(0)
    values = rng.normal(0, 2, (count, 5))
    chances = softmax(values).cumsum(axis=1)
    return values, (rng.random((count, 1)) > chances).sum(axis=1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_was_put_on_is_found(temperature):
    values, labels = drawn_readings()
    assert fit_temperature(values * temperature, labels) == pytest.approx(temperature, rel=0.06)


def test_the_error_is_small_for_true_probabilities_and_large_for_boasting_ones():
    values, labels = drawn_readings()
    assert calibration_error(softmax(values), labels) < 0.02
    assert calibration_error(softmax(values * 5), labels) > 0.15


def test_a_folded_temperature_changes_the_scores_and_no_label():
    model = build_cnn(InputSpec(16, 16, 1), 10)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 1)).astype(np.uint8)
    before = logits_of(model)(pixels)
    fold_temperature(model, 2.5)
    np.testing.assert_allclose(logits_of(model)(pixels), before / 2.5, rtol=1e-4, atol=1e-5)
