"""Strips along the border are told from strokes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.preprocessing.ink.find import find_ink, locate_ink
from edge_runtime.preprocessing.ink.strips import inside_strips

Bytes = NDArray[np.uint8]


def page(side: int = 40) -> NDArray[np.float64]:
    """Paper under uneven light, with noise."""
    light = np.add.outer(np.linspace(-8, 8, side), np.linspace(150, 165, side))
    return light + np.random.default_rng(0).normal(0, 1.5, (side, side))


def as_pixels(image: NDArray[np.float64]) -> Bytes:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def seven(image: NDArray[np.float64], pen: float = 60) -> NDArray[np.float64]:
    image[10:12, 12:26] -= pen
    for row in range(12, 30):
        image[row, 25 - (row - 12) // 2 : 27 - (row - 12) // 2] -= pen
    return image


@pytest.mark.parametrize("turns", range(4))
def test_a_strip_along_any_side_is_left_out(turns: int) -> None:
    image = page()
    image[:4] -= 110
    pixels = np.rot90(as_pixels(image), turns)
    assert (
        np.ptp(pixels[slice(*inside_strips(pixels)[1::2]), slice(*inside_strips(pixels)[::2])]) < 40
    )
    assert find_ink(pixels) is None


def test_a_leaning_strip_is_left_out_whole() -> None:
    image = page()
    for column in range(40):
        image[: 2 + column // 12, column] -= 100
    assert inside_strips(as_pixels(image)) == (0, 5, 40, 40)


@pytest.mark.parametrize("change", [-110, -40, 70])
def test_a_digit_beside_a_strip_is_found_as_without(change: float) -> None:
    image = seven(page())
    alone = locate_ink(as_pixels(image))
    image[:, 36:] += change
    beside = locate_ink(as_pixels(image))
    assert alone is not None
    assert beside is not None
    np.testing.assert_allclose(beside.box, alone.box, atol=1)


def test_paper_under_uneven_light_has_no_strip() -> None:
    assert inside_strips(as_pixels(page())) == (0, 0, 40, 40)
    steep = page() - np.linspace(0, 90, 40)
    assert inside_strips(as_pixels(steep)) == (0, 0, 40, 40)


def test_the_bar_of_a_seven_that_fills_its_side_is_ink() -> None:
    crop = as_pixels(seven(page(), pen=100))[10:30, 12:27]
    found = locate_ink(np.kron(crop, np.ones((2, 2), np.uint8)))
    assert found is not None
    assert found.box[1] <= 1
