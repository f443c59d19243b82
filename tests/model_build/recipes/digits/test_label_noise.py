"""Digits that could as well be another are found by readers that have not seen them."""

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from edge_runtime.bundle.spec import InputSpec
from model_build.recipes.digits.dataset import strokes_of
from model_build.recipes.digits.drawing import StrokeDigits
from model_build.recipes.digits.label_noise import doubtful


class Neighbours:
    """The nearest drawings as a network's answer: a reader that is trained in a moment."""

    layers = ()

    def __init__(self, digits: StrokeDigits, seed: int) -> None:
        rng = np.random.default_rng(seed)
        drawn = np.concatenate([digits.digits(rng) for _ in range(3)])
        self._reader = KNeighborsClassifier(15).fit(flat(drawn), np.tile(digits.labels, 3))

    def __call__(self, tensors, training):
        assert training is False
        return self._reader.predict_proba(flat(tensors))


def flat(tensors):
    return tensors.reshape(len(tensors), -1).astype(np.float32)


def test_mislabelled_digits_are_doubtful_and_most_others_are_not(dataset):
    chosen = dataset.train[:600]
    digits = strokes_of(dataset, chosen, InputSpec(16, 16, 1))
    zeros = np.flatnonzero(digits.labels == 0)[:6]
    digits.labels[zeros] = 4
    lines = []
    found = doubtful(digits, chosen, Neighbours, 0, lines.append)
    assert found[zeros].all()
    assert found.mean() < 0.4
    assert len(lines) == 3


def test_a_doubtful_digit_is_shown_as_it_is_only(dataset):
    digits = strokes_of(dataset, dataset.train[:40], InputSpec(16, 16, 1))
    plain = dataset.tensors(dataset.train[:40], InputSpec(16, 16, 1)).astype(int)
    rng = np.random.default_rng(0)

    def off() -> np.ndarray:
        return np.abs(digits.digits(rng) - plain).mean(axis=(1, 2, 3))

    before = np.mean([off() for _ in range(10)], axis=0)
    digits.doubtful[:20] = True
    after = np.mean([off() for _ in range(10)], axis=0)
    assert after[:20].max() < before.min()  # tone, blur and noise are what is left
    assert after[20:].min() > after[:20].max()
