"""Small, faint, noisy photos: a digit is found where the pen was, and nothing on blank paper."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.preprocessing.ink.faint import faint_levels, is_faint, noise_deviation
from edge_runtime.preprocessing.ink.find import find_ink, locate_ink

from ....support.webcam import Frame, box_of, frames

FRAMES = list(frames(200))


def box_error(frame: Frame) -> float:
    """How far an edge of the box is from the ink's, at most, in pixels."""
    found = locate_ink(frame.pixels)
    return (
        np.inf if found is None else float(np.abs(np.subtract(found.box, box_of(frame.ink))).max())
    )


def test_digits_in_frames_of_a_webcam_are_found_where_they_are() -> None:
    errors = np.array([box_error(frame) for frame in FRAMES])
    assert np.mean(errors <= 2) >= 0.9
    assert np.mean(errors[[frame.strip for frame in FRAMES]] <= 3) >= 0.85


def test_what_is_found_is_what_the_pen_has_covered() -> None:
    """The ink in the crop lies on the pen's strokes, and the strokes have ink."""
    overlaps = []
    for frame in FRAMES:
        found = locate_ink(frame.pixels)
        if found is None:
            overlaps.append(0.0)
            continue
        left, top, right, bottom = map(int, found.box)
        seen = np.zeros(frame.ink.shape)
        seen[top:bottom, left:right] = found.ink / 255
        overlaps.append(np.minimum(seen, frame.ink).sum() / np.minimum(seen.sum(), frame.ink.sum()))
    assert np.mean(np.array(overlaps) > 0.5) >= 0.9


def test_blank_frames_of_a_webcam_are_blank() -> None:
    found = [find_ink(frame.pixels) is not None for frame in frames(200, seed=1, blank=True)]
    assert np.mean(found) <= 0.03


@pytest.mark.parametrize("deviation", [1.0, 3.0, 8.0])
def test_noise_is_measured_whatever_is_drawn_and_however_the_light_falls(deviation: float) -> None:
    rng = np.random.default_rng(0)
    page = np.add.outer(np.arange(48.0), np.arange(64.0)) + rng.normal(0, deviation, (48, 64))
    page[10:40, 20:23] -= 90
    assert noise_deviation(page.astype(np.float32)) == pytest.approx(deviation, rel=0.2)


def test_a_broken_stroke_is_joined_and_noise_around_it_erased() -> None:
    rng = np.random.default_rng(0)
    page = 150 + rng.normal(0, 3, (40, 40))
    page[8:30, 20] -= 30
    page[[13, 20, 25], 20] += 30
    pixels = page.round().astype(np.uint8)
    assert is_faint(pixels)
    levels = faint_levels(pixels)
    assert levels is not None
    assert levels[9:29, 20].min() > 0
    assert not levels[:, :17].any()
    assert not levels[:, 24:].any()


def test_clear_ink_and_crops_are_not_faint() -> None:
    page = np.full((40, 40), 200, np.uint8)
    page[8:30, 20] = 60
    assert not is_faint(page)
    assert not is_faint(FRAMES[0].pixels[:20])
