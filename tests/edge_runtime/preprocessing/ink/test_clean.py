"""Images without noise: which are, and their ink levels."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.preprocessing.ink.clean import clean_inks, clean_levels


@pytest.mark.parametrize(("background", "full"), [(0, 255), (255, 0), (30, 200), (200, 60)])
def test_levels_are_stretched_from_the_background_to_the_ink(background: int, full: int) -> None:
    image = np.full((28, 28), background, np.uint8)
    image[8:20, 10:14] = full
    image[8:20, 14] = (background + full) // 2
    levels = clean_levels(image)
    assert levels is not None
    assert (levels[0, 0], levels[10, 11]) == (0, 255)
    assert 125 <= levels[10, 14] <= 129


def test_a_small_crop_with_ink_along_its_border_is_clean_and_a_large_one_is_not() -> None:
    for side, clean in ((28, True), (100, False)):
        image = np.full((side, side), 255, np.uint8)
        image[:, side // 3 : side // 2] = 0
        assert (clean_levels(image) is not None) is clean


def test_noise_on_the_border_and_colours_are_not_clean() -> None:
    noisy = np.random.default_rng(0).integers(100, 104, (90, 90)).astype(np.uint8)
    noisy[20:60, 30:40] = 0
    assert clean_levels(noisy) is None
    colour = np.zeros((28, 28, 3), np.uint8)
    assert clean_levels(colour) is not None
    colour[4:20, 8:12] = (200, 40, 40)
    assert clean_levels(colour) is None


def test_contrast_too_faint_to_be_ink_is_blank() -> None:
    image = np.full((28, 28), 100, np.uint8)
    image[8:20, 10:14] = 107
    levels = clean_levels(image)
    assert levels is not None
    assert not levels.any()


def test_of_images_together_those_that_are_not_simple_are_left_to_be_looked_at() -> None:
    simple = np.zeros((28, 28), np.uint8)
    simple[8:20, 10:14] = 200
    apart = simple.copy()
    apart[8:20, 20:22] = 200
    found = list(clean_inks(np.stack([simple, apart])))
    assert found[0] is not None
    assert found[0].shape == (12, 4)
    assert found[0].min() == 255
    assert found[1] is None
