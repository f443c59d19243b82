"""What is written into the digits' strokes, and the drawn set that it is measured on."""

import copy
import hashlib

import numpy as np
import pytest

from edge_runtime.bundle.spec import InputSpec
from edge_runtime.preprocessing.ink.find import find_ink
from model_build.recipes.digits.dataset import strokes_of
from model_build.recipes.digits.european import (
    FLAG_ANGLES,
    write_flagged_ones,
    write_sevens,
    write_top_of_fives,
)
from model_build.recipes.digits.strokes import PAD
from tests.support import european


@pytest.fixture(scope="module")
def digits(dataset):
    return strokes_of(dataset, dataset.validation, InputSpec(16, 16, 1))


@pytest.fixture
def written(digits):
    """Calls a style eight times on all validation digits of a class; returns their strokes."""

    def write(style, label, *arguments):
        some = np.tile(np.flatnonzero(digits.labels == label), 8)
        strokes = copy.deepcopy(digits.strokes.take(some))
        style(strokes, np.arange(len(some)), *arguments, np.random.default_rng(1))
        return strokes

    return write


def ends(ink):
    """The topmost and the leftmost place with ink, as (y, x)."""
    y, x = np.nonzero(ink)
    return np.array([[y.min(), x[y == y.min()].mean()], [y[x == x.min()].mean(), x.min()]])


def test_the_flag_of_a_one_slopes_as_no_top_of_a_seven_does(written):
    ones = written(write_flagged_ones, 1, 0.0)
    places = [ends(line) for line in ones.spine < 0.8]
    down, left = np.transpose([tip - top for top, tip in places]) * [[1], [-1]]
    angles = np.degrees(np.arctan2(down, left))[left > 6]
    assert len(angles) > 80
    assert np.quantile(angles, 0.02) > FLAG_ANGLES[0] - 8  # a bowed flag begins flatter
    assert np.quantile(angles, 0.98) < FLAG_ANGLES[1] + 8
    assert angles.std() > 6

    sevens = written(write_sevens, 7, 1.0)
    drops = []
    for ink in sevens.outline[:, : PAD + 10] > 0:
        columns = np.flatnonzero(ink.any(axis=0))
        first, last = ink[:, columns[[2, -3]]].argmax(axis=0)
        drops.append(abs(int(first) - int(last)))
    assert np.median(drops) < 4 < np.median(down)


def test_ones_have_a_foot_and_sevens_a_bar_where_asked(written):
    foot = slice(PAD + 28, PAD + 32)
    wide, narrow = (
        (written(write_flagged_ones, 1, share).outline[:, foot] > 0).any(axis=1).sum(axis=1)
        for share in (1.0, 0.0)
    )
    assert np.median(wide) > np.median(narrow) + 8

    barred, plain = (written(write_sevens, 7, share) for share in (1.0, 0.0))
    middle = slice(PAD + 8, PAD + 28)
    inked = [(s.outline[:, middle] > 0).sum(axis=(1, 2)) for s in (barred, plain)]
    assert (inked[0] > inked[1] + 10).mean() > 0.9


def test_a_five_keeps_its_bowl_below_a_new_top(written, digits):
    fives = written(write_top_of_fives, 5)
    before = digits.strokes.take(np.tile(np.flatnonzero(digits.labels == 5), 8))
    below = slice(PAD + 16, None)
    np.testing.assert_array_equal(fives.outline[:, below] > 0, before.outline[:, below] > 0)
    assert (fives.outline[:, : PAD + 10] > 0).any(axis=(1, 2)).all()


def test_drawn_european_digits_fill_their_image_and_their_ink_is_found_whole():
    for label in range(10):
        rng = np.random.default_rng([2, label])
        for _ in range(12):
            image = np.asarray(european.digit(label, rng))
            assert set(np.unique(image)) == {0, 255}
            for border in (image[0], image[-1], image[:, 0], image[:, -1]):
                assert (border == 0).any()
            ink = find_ink(image)
            assert ink is not None
            np.testing.assert_array_equal(ink > 127, image == 0)


def test_the_drawn_european_set_is_the_same_for_the_same_seed(tmp_path):
    def digest(folder, seed):
        european.folders(folder, 2, seed)
        files = sorted(folder.rglob("*.png"))
        assert len(files) == 20
        return [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]

    first = digest(tmp_path / "a", 3)
    assert first == digest(tmp_path / "b", 3)
    assert not set(first) & set(digest(tmp_path / "c", 4))
