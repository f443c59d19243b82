"""Estimates of a photo's background: ink does not move them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.preprocessing.ink.background import (
    closing,
    fit_surface,
    opening,
    otsu_background,
    subtract_local_mean,
    upper_median,
)

HEIGHT, WIDTH = 60, 90
Y, X = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
LIGHT = (180 + 30 * X - 20 * Y - 25 * X * X + 10 * X * Y).astype(np.float32)


def with_ink(paper: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """A dark block that covers a share of the image."""
    page = paper.copy()
    side = int(np.sqrt(share * page.size))
    page[5 : 5 + side, 20 : 20 + side] = 20
    return page


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25])
def test_the_surface_follows_uneven_light_and_not_the_ink(share: float) -> None:
    page = with_ink(LIGHT, share).reshape(1, -1)
    surface = fit_surface(page, HEIGHT, WIDTH, None).reshape(HEIGHT, WIDTH)
    np.testing.assert_allclose(surface, LIGHT, atol=4)


def test_the_background_of_a_small_image_is_one_value() -> None:
    page = np.tile(np.linspace(100, 200, 20, dtype=np.float32), 20)[None]
    assert np.ptp(fit_surface(page, 20, 20, None)) == 0


@pytest.mark.parametrize("ink", [20.0, 240.0])
def test_otsus_threshold_finds_the_background_of_either_polarity(ink: float) -> None:
    page = np.full((HEIGHT, WIDTH), 130, np.float32)
    page[10:50, 20:70] = ink
    background = otsu_background(page.reshape(1, -1), HEIGHT, WIDTH)
    if ink < 130:
        np.testing.assert_array_equal(background, page.ravel() == 130)
    else:
        np.testing.assert_array_equal(background.reshape(HEIGHT, WIDTH)[0], True)


def test_opening_and_closing_erase_what_is_narrower_than_the_window() -> None:
    image = np.zeros((40, 50), np.int16)
    image[10:30, 5:8] = 100  # 3 px broad
    image[10:30, 20:35] = 100  # 15 px broad
    broad = image.copy()
    broad[:, 5:8] = 0
    np.testing.assert_array_equal(opening(image, 7), broad)
    np.testing.assert_array_equal(closing(-image, 7), -broad)


def test_the_local_mean_takes_away_what_a_surface_left_but_no_ink() -> None:
    rest = (6 * np.sin(np.arange(96) / 15)).astype(np.float32)
    signed = np.tile(rest, (96, 1))
    signed[40:44, 20:60] += 100
    level = subtract_local_mean(signed.ravel(), 40, 96, 96).reshape(96, 96)
    assert np.abs(level[:36]).mean() < 0.4 * np.abs(rest).mean()
    assert level[40:44, 20:60].min() > 80


def test_the_median_of_an_even_number_is_the_larger_of_two() -> None:
    values = np.array([4, 1, 3, 2], np.float32)
    assert (upper_median(values), upper_median(values[:0])) == (3, 0)
