"""A map drawn over an image: where it is, and where it is not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.preprocessing.heat_map import LEAST_SIDE, MOST_SIDE, Box, overlay

WHOLE = (0.0, 0.0, 400.0, 200.0)
GREY = np.full((200, 400), 128, np.uint8)


def changed(map: list[list[float]], map_box: Box, seen: Box = WHOLE) -> NDArray[np.bool_]:
    """Where the picture of a grey image is not grey."""
    picture = np.asarray(overlay(GREY, np.array(map, np.float32), map_box, seen))
    coloured: NDArray[np.bool_] = np.abs(picture.astype(int) - 128).max(axis=2) > 8
    return coloured


def test_only_what_speaks_for_the_label_is_coloured() -> None:
    found = changed([[1, -1, -1, -1]], WHOLE)
    assert found[:, :80].all()
    assert not found[:, 120:].any()
    assert not changed([[-1, 0], [-2, -1]], WHOLE).any()


def test_the_strongest_place_is_the_lightest() -> None:
    picture = overlay(GREY, np.array([[1, 0.5, 0]], np.float32), WHOLE, WHOLE)
    light = np.asarray(picture.convert("L")).mean(axis=0)
    assert light[20] > light[200]
    assert abs(light[399] - 128) <= 1


def test_the_map_lies_in_its_box_and_what_was_not_seen_stays_as_it_is() -> None:
    found = changed([[0, 1], [0, 0]], (100, 50, 300, 150), seen=(100, 50, 300, 150))
    assert found[60:90, 220:290].all()
    assert not found[:, :120].any()
    assert not found[:, 301:].any()
    assert not found[:49].any()


@pytest.mark.parametrize(
    ("shape", "size"),
    [((8, 8), (LEAST_SIDE, LEAST_SIDE)), ((3000, 1500), (512, MOST_SIDE)), ((1, 9000), (1024, 1))],
)
def test_small_images_are_enlarged_and_large_ones_reduced(
    shape: tuple[int, int], size: tuple[int, int]
) -> None:
    pixels = np.zeros((*shape, 3), np.uint8)
    box = (0.0, 0.0, float(shape[1]), float(shape[0]))
    assert overlay(pixels, np.ones((2, 2), np.float32), box, box).size == size
