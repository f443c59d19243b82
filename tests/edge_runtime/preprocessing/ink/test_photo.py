"""Which hypothesis of the background is chosen for a photo, and its ink levels."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.preprocessing.ink.photo import (
    Hypothesis,
    choose_hypothesis,
    otsu_hypothesis,
    photo_levels,
    smooth_hypothesis,
    top_hat_hypothesis,
)

Bytes = NDArray[np.uint8]
HEIGHT, WIDTH = 110, 90
Y, X = np.mgrid[:HEIGHT, :WIDTH]


def page(light: NDArray[np.float64], pen: float = 40, crop: bool = False) -> Bytes:
    """A seven of strokes 9 px broad; cropped tightly: of strokes 22 px broad, to its edges."""
    image = light + np.random.default_rng(0).normal(0, 3, (HEIGHT, WIDTH))
    broad = 22 if crop else 9
    ink = (np.abs(X - 60 + (Y - 25) // 2) < broad / 2) & (Y >= 25) & (Y < 90)
    ink |= (np.abs(Y - 25) < broad / 2) & (X >= 25) & (X < 66)
    image[ink] = pen
    if crop:
        rows, cols = np.nonzero(ink)
        image = image[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


EVEN = np.full((HEIGHT, WIDTH), 210.0)
UNEVEN = 220 - 0.5 * X - 0.3 * Y
SHADOW = 210 * np.where(X + 0.3 * Y < 60, 0.6, 1)


def hypotheses(image: Bytes) -> tuple[dict[str, Hypothesis], Hypothesis | None]:
    """All three, and the one that is chosen."""
    height, width = image.shape
    planes = image.reshape(1, -1).astype(np.float32)
    smooth = smooth_hypothesis(planes, height, width)
    tried = {
        "smooth": smooth,
        "otsu": otsu_hypothesis(planes, height, width),
        "top-hat": top_hat_hypothesis(smooth.signed, height, width),
    }
    return tried, choose_hypothesis(planes, height, width)


@pytest.mark.parametrize(
    ("image", "best"),
    [
        (page(EVEN), "smooth"),
        (page(UNEVEN), "smooth"),
        (page(EVEN, crop=True), "otsu"),
        (page(SHADOW), "top-hat"),
    ],
    ids=["even light", "uneven light", "tight crop", "edge of a shadow"],
)
def test_the_hypothesis_that_suits_the_photo_is_chosen(image: Bytes, best: str) -> None:
    tried, chosen = hypotheses(image)
    assert chosen is not None
    np.testing.assert_array_equal(chosen.signed, tried[best].signed)
    assert chosen.residual <= min(guess.residual for guess in tried.values()) + 0.02


@pytest.mark.parametrize("pen", [40.0, 250.0])
def test_ink_is_positive_whatever_its_polarity(pen: float) -> None:
    _, chosen = hypotheses(page(np.full((HEIGHT, WIDTH), 140.0), pen))
    assert chosen is not None
    assert chosen.signed.reshape(HEIGHT, WIDTH)[25, 30:60].min() > 50


def test_noise_is_pressed_to_zero_and_ink_is_full() -> None:
    image = page(EVEN)
    levels = photo_levels(image)
    assert levels is not None
    assert np.median(levels[image < 60]) > 240
    assert np.mean(levels[image > 150] == 0) > 0.95
