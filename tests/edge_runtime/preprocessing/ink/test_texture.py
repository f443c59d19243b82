"""Photos of things are blank, and no digit on a ground is taken for one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from edge_runtime.preprocessing.ink.find import find_ink
from edge_runtime.preprocessing.ink.texture import is_textured

from ....support.page import photos, scenery

Bytes = NDArray[np.uint8]
DIGITS = [image for number, image in enumerate(photos(120, seed=2)) if number % 20 != 19]


def reduced(pixels: Bytes) -> Bytes:
    image = Image.fromarray(pixels)
    return np.asarray(image.reduce(-(-max(image.size) // 128)))


@pytest.mark.parametrize("size", [(320, 240), (96, 128), (1600, 1200)])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_photo_of_things_is_blank(size: tuple[int, int], mode: str) -> None:
    for number in range(4):
        image = Image.fromarray(scenery(*size, seed=number)).convert(mode)
        assert is_textured(reduced(np.asarray(image)))
        assert find_ink(np.asarray(image)) is None


def test_no_digit_on_paper_is_a_photo_of_things() -> None:
    assert not any(is_textured(reduced(pixels)) for pixels in DIGITS)


def test_neither_noise_nor_a_lens_out_of_focus_makes_one_of_a_digit() -> None:
    rng = np.random.default_rng(0)
    for pixels in DIGITS:
        noisy = np.clip(pixels + rng.normal(0, 12, pixels.shape), 0, 255).astype(np.uint8)
        blur = ImageFilter.GaussianBlur(max(pixels.shape[:2]) / 80)
        blurred = np.asarray(Image.fromarray(pixels).filter(blur))
        assert not is_textured(reduced(noisy))
        assert not is_textured(reduced(blurred))


def test_a_crop_too_narrow_to_judge_is_searched() -> None:
    assert not is_textured(scenery(31, 128, seed=0))
