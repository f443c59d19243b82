import numpy as np
import pytest

from edge_runtime import Classifier
from model_build.models import LOGITS
from model_build.recipes.digits import letters
from model_build.recipes.digits.dataset import strokes_of
from model_build.training.metrics import logits_of, softmax


@pytest.fixture(scope="module")
def digits(dataset, spec):
    return strokes_of(dataset, dataset.validation, spec.input)


@pytest.fixture(scope="module")
def shown(digits):
    """Digits of the validation part, and letters of fonts not trained on, drawn."""
    rng = np.random.default_rng(0)
    drawn = [digits.digits(rng) for _ in range(5)]
    print_letters = letters.draw_letters(letters.other_letters(), 600, digits, rng)
    return np.concatenate(drawn), print_letters


def ungated(model, tensors):
    """Logits as they are before the gate."""
    import keras

    head = keras.Model(model.input, model.get_layer(LOGITS).output)
    return np.asarray(head(tensors.astype(np.float32), training=False))


def test_the_gate_changes_no_reading(model, shown):
    for tensors in shown:
        before, after = ungated(model, tensors), logits_of(model)(tensors)
        np.testing.assert_array_equal(before.argmax(axis=1), after.argmax(axis=1))
        assert (np.abs(after) <= np.abs(before) + 1e-5).all()


def test_the_gate_closes_on_letters_and_leaves_digits_open(model, shown):
    def scores(values):
        return softmax(values).max(axis=1)

    drawn, print_letters = shown
    least = np.quantile(scores(ungated(model, drawn)), 0.02)
    assert (scores(logits_of(model)(drawn)) < least).mean() < 0.04
    before = (scores(ungated(model, print_letters)) < least).mean()
    after = (scores(logits_of(model)(print_letters)) < least).mean()
    assert after > before + 0.1


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_shipped_model_refuses_letters_and_keeps_digits_in_either_precision(shown, precision):
    classifier = Classifier(precision=precision)
    drawn, print_letters = shown
    refused = classifier.probabilities(print_letters).max(axis=1) < classifier.spec.min_score
    kept = classifier.probabilities(drawn).max(axis=1) >= classifier.spec.min_score
    assert kept.mean() > 0.95
    assert refused.mean() > 1 - kept.mean() + 0.05


def test_letters_that_are_written_for_digits_are_not_learnt():
    assert set("OIlSZBbgq").isdisjoint(letters.UNLIKE_DIGITS)
    assert set("AEFHKMNRWXcdefhkmntuvwxy") <= set(letters.UNLIKE_DIGITS)
    count = len(letters.UNLIKE_DIGITS) * (len(letters.FONTS) + 1)
    assert len(letters.learnt_letters().radius) == count


def test_each_letter_of_each_font_is_drawn_and_none_twice(digits):
    strokes = letters.other_letters()
    inked = strokes.outline > 0
    assert inked.any(axis=(1, 2)).all()
    assert len({bitmap.tobytes() for bitmap in inked}) > 0.95 * len(inked)
    drawn = letters.draw_letters(strokes, 50, digits, np.random.default_rng(1))
    assert drawn.shape == (50, 16, 16, 1)
    assert drawn.dtype == np.uint8
    assert (drawn.max(axis=(1, 2, 3)) > 127).all()
