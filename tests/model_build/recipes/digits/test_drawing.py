from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits as load

from edge_runtime.bundle.spec import InputSpec
from model_build.recipes.digits.dataset import strokes_of
from model_build.recipes.digits.drawing import CANVAS, Settings, draw, footed
from model_build.recipes.digits.outliers import draw_outliers
from model_build.recipes.digits.strokes import BLOCK, bitmaps_from_counts
from model_build.recipes.digits.styles import Styles

SPEC = InputSpec(16, 16, 1)


@pytest.fixture(scope="module")
def digits(dataset):
    return strokes_of(dataset, dataset.validation, SPEC)


def test_a_bitmap_has_exactly_the_counts_it_was_made_from():
    counts = load().images[:50]
    bitmaps = bitmaps_from_counts(counts)
    blocks = bitmaps.reshape(-1, 8, BLOCK, 8, BLOCK).sum(axis=(2, 4))
    np.testing.assert_array_equal(blocks, counts)


def test_the_same_seed_draws_the_same_digits_and_no_epoch_is_like_another(digits):
    rng = np.random.default_rng(1)
    first, second = digits.digits(rng), digits.digits(rng)
    np.testing.assert_array_equal(first, digits.digits(np.random.default_rng(1)))
    assert first.shape == (len(digits.labels), 16, 16, 1)
    assert first.dtype == np.uint8
    assert (first != second).any(axis=(1, 2, 3)).all()


def test_drawn_digits_are_still_the_digits_that_they_were(digits):
    from edge_runtime import Classifier

    drawn = digits.digits(np.random.default_rng(2))
    found = Classifier().probabilities(drawn).argmax(axis=1)
    assert (found == digits.labels).mean() > 0.8


def test_level_lines_slope_at_the_top_and_at_the_foot_each_in_its_own_way():
    still = Settings(
        rotation=0,
        slant=0,
        lean=0,
        curl=0,
        elastic=0,
        balance=0,
        taper=0,
        vigour=(1, 1),
    )
    rows = np.arange(44)
    bars = 2 - np.minimum(abs(rows - 10), abs(rows - 34)).astype(np.float32)
    levels = np.tile(bars[:, None], (30, 1, 44))
    tilting = np.arange(30) >= 10
    canvases = draw(levels, np.ones(30), still, np.random.default_rng(5), 0.0, tilting)

    def slopes(half):
        place = np.arange(half.shape[1])[:, None]
        left, right = (
            (half[..., column] * place[:, 0]).sum(1) / half[..., column].sum(1)
            for column in (CANVAS // 2 - 6, CANVAS // 2 + 6)
        )
        return (right - left) / 12

    top, foot = slopes(canvases[:, : CANVAS // 2]), slopes(canvases[:, CANVAS // 2 :])
    for found in (top, foot):
        assert abs(found[~tilting]).max() < 1e-3
        assert found[tilting].std() > 0.1
    assert abs(np.corrcoef(top[tilting], foot[tilting])[0, 1]) < 0.6


def test_ones_with_a_foot_are_not_squeezed_to_a_plain_stroke(dataset):
    digits = strokes_of(dataset, dataset.train[dataset.labels[dataset.train] == 1], SPEC)
    digits.settings = Settings(styles=Styles(flagged=0))
    ones, foot = digits.labels == 1, footed(digits.strokes)
    assert 15 < (ones & foot).sum() < 30  # counted by eye: about 20 of 139
    rng = np.random.default_rng(6)
    inked = [(digits.digits(rng)[..., 0] > 128).any(axis=1).sum(axis=1) for _ in range(10)]
    wide, narrow = (np.concatenate([w[ones & some] for w in inked]) for some in (foot, ~foot))
    least, squeezed = (np.quantile(widths, 0.25) for widths in (wide, narrow))
    assert least > 12
    assert squeezed < 9
    digits.settings = replace(digits.settings, styles=Styles(flagged=1, feet=0))
    flagged = [(digits.digits(rng)[..., 0] > 128).any(axis=1).sum(axis=1) for _ in range(3)]
    assert np.quantile(np.concatenate([w[ones] for w in flagged]), 0.25) > 10


def test_non_digits_are_drawn_in_the_number_asked_for_and_are_doubted(digits):
    from edge_runtime import Classifier

    classifier = Classifier()
    drawn = draw_outliers(digits, 203, np.random.default_rng(3))
    assert drawn.shape == (203, 16, 16, 1)
    shown = drawn, digits.digits(np.random.default_rng(2))
    scores = [classifier.probabilities(tensors).max(axis=1) for tensors in shown]
    none, right = [(found < classifier.spec.min_score).mean() for found in scores]
    assert none > right + 0.05


def test_drawing_leaves_the_strokes_as_they_were(digits):
    before = digits.strokes.outline.copy(), digits.strokes.spine.copy()
    digits.digits(np.random.default_rng(4))
    np.testing.assert_array_equal(digits.strokes.outline, before[0])
    np.testing.assert_array_equal(digits.strokes.spine, before[1])
