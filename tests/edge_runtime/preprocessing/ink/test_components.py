"""The connected components of the ink, and which of them are the digit."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.preprocessing.ink.components import digit_box, label_runs

Bytes = NDArray[np.uint8]


def flood_filled(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Labels from 1 of 8-connected components, the slow way."""
    labels = np.zeros(mask.shape, np.intp)
    for seed in np.argwhere(mask).tolist():
        if labels[tuple(seed)]:
            continue
        label, left = labels.max() + 1, [seed]
        while left:
            y, x = left.pop()
            for row in range(max(0, y - 1), min(mask.shape[0], y + 2)):
                for col in range(max(0, x - 1), min(mask.shape[1], x + 2)):
                    if mask[row, col] and not labels[row, col]:
                        labels[row, col] = label
                        left.append([row, col])
    return labels


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.8])
def test_runs_are_joined_to_the_components_that_a_flood_fill_finds(share: float) -> None:
    mask = np.random.default_rng(3).random((40, 50)) < share
    labels = np.zeros(mask.shape, np.intp)
    for row, start, stop, component in zip(*label_runs(mask), strict=True):
        labels[row, start:stop] = component + 1
    expected = flood_filled(mask)
    np.testing.assert_array_equal(labels > 0, mask)
    pairs = set(zip(labels[mask].tolist(), expected[mask].tolist(), strict=True))
    assert len(pairs) == labels.max() == expected.max()


def page(**marks: tuple[int, int, int, int]) -> Bytes:
    """Ink levels with a stroke, 10 x 50 px, and the marks: left, top, right, bottom."""
    levels = np.zeros((100, 100), np.uint8)
    for left, top, right, bottom in ((45, 25, 55, 75), *marks.values()):
        levels[top:bottom, left:right] = 255
    return levels


STROKE = (45, 25, 55, 75)


@pytest.mark.parametrize(
    ("marks", "box"),
    [
        ({}, STROKE),
        ({"dust": (70, 40, 73, 43)}, STROKE),
        ({"bar": (58, 25, 75, 33)}, (45, 25, 75, 75)),
        ({"far": (88, 80, 97, 89)}, STROKE),
        ({"neighbour": (0, 20, 8, 70)}, STROKE),
        ({"ruled_line": (0, 82, 100, 85)}, STROKE),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_the_box_holds_the_strokes_of_the_digit_only(
    marks: dict[str, tuple[int, int, int, int]], box: tuple[int, int, int, int]
) -> None:
    part = digit_box(page(**marks), clean=False)
    assert part is not None
    assert part[1] == box


def test_a_neighbour_that_reaches_into_the_box_is_erased() -> None:
    levels = page(bar=(58, 25, 85, 33), neighbour=(70, 60, 100, 66))
    part = digit_box(levels, clean=False)
    assert part is not None
    assert part[1] == (45, 25, 85, 75)
    assert not part[0][60:66, 70:].any()
    assert part[0][25:33, 58:85].all()


def test_dust_and_grain_are_no_digit() -> None:
    speck = np.zeros((100, 100), np.uint8)
    speck[40:44, 40:44] = 255
    assert digit_box(speck, clean=False) is None
    grain = np.zeros((100, 100), np.uint8)
    grain[5:95:10, 5:95:10] = grain[6:95:10, 6:95:10] = 255
    grain[40:50, 40] = 255
    assert digit_box(grain, clean=False) is None
