"""Placing ink in the tensor."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.preprocessing.ink.crop import fit_ink

SQUARE = {"max_stretch": 2.0, "spread": 0.0, "reach": 1.95}


def test_ink_of_the_tensors_size_is_left_as_it_is() -> None:
    ink = np.random.default_rng(0).integers(0, 256, (16, 16)).astype(np.uint8)
    ink[3, 4] = 255
    np.testing.assert_array_equal(fit_ink([ink], 16, **SQUARE)[0], ink)


def test_a_block_of_pixels_becomes_their_mean() -> None:
    ink = np.random.default_rng(0).integers(0, 256, (32, 32)).astype(np.uint8)
    means = ink.reshape(16, 2, 16, 2).mean(axis=(1, 3))
    expected = means * 255 / means.max()
    np.testing.assert_allclose(fit_ink([ink], 16, **SQUARE)[0], expected, atol=0.51)


@pytest.mark.parametrize(("width", "columns"), [(10, 16), (5, 16), (4, 13), (2, 7)])
def test_narrow_ink_is_stretched_but_not_beyond_the_limit(width: int, columns: int) -> None:
    tensor = fit_ink([np.full((10, width), 200, np.uint8)], 16, **SQUARE)[0]
    assert tensor.max() == 255
    assert abs(int((tensor.max(axis=0) > 127).sum()) - columns) <= 1
    np.testing.assert_allclose(tensor, tensor[:, ::-1], atol=1)


def test_a_thin_tail_moves_the_box_less_when_the_spread_counts() -> None:
    ink = np.zeros((20, 40), np.uint8)
    ink[:, :20] = 255
    ink[10, 20:] = 255
    by_edges = fit_ink([ink], 16, 2.0, 0.0, 1.95)[0]
    by_spread = fit_ink([ink], 16, 2.0, 0.6, 1.95)[0]
    assert (by_spread > 127).sum() > (by_edges > 127).sum()


def test_faint_ink_is_brought_to_full_strength() -> None:
    faint, strong = np.full((12, 9), 40, np.uint8), np.full((12, 9), 255, np.uint8)
    tensors = fit_ink([faint, strong], 16, **SQUARE)
    np.testing.assert_array_equal(*tensors)


def test_what_an_ink_becomes_does_not_depend_on_those_beside_it() -> None:
    rng = np.random.default_rng(0)
    inks = [rng.integers(0, 256, rng.integers(1, 140, 2)).astype(np.uint8) for _ in range(200)]
    together = fit_ink(inks, 16, 2.0, 0.6, 1.95)
    alone = [fit_ink([ink], 16, 2.0, 0.6, 1.95)[0] for ink in inks]
    np.testing.assert_array_equal(together, alone)
