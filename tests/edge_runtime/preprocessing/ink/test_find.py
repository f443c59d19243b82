"""Finding the ink: the same digit, however it was put on paper, is found and read alike."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from edge_runtime import Classifier
from edge_runtime.preprocessing.ink.find import find_ink, find_inks, locate_ink

from ....support.helpers import DIGITS, GOLDEN

Floats = NDArray[np.float64]
SIDE = 96
MARGIN = 30


def strokes() -> Floats:
    """A digit as ink from 0 to 1, SIDE pixels tall, without a margin."""
    vector = next(v for v in DIGITS if v["label"] == "2")
    ink = find_ink(np.asarray(Image.open(GOLDEN / vector["image"]).convert("RGB")))
    assert ink is not None
    large = Image.fromarray(ink).resize((SIDE * 2 // 3, SIDE), Image.Resampling.BICUBIC)
    return np.clip((np.asarray(large, dtype=float) / 255 - 0.3) / 0.4, 0, 1)


INK = strokes()
RNG = np.random.default_rng(5)


def on_paper(paper: Floats | float = 225.0, pen: float = 50.0, margin: int = MARGIN) -> Floats:
    level = np.pad(INK, margin)
    return paper * (1 - level) + pen * level


def shape(margin: int = MARGIN) -> tuple[int, int]:
    return INK.shape[0] + 2 * margin, INK.shape[1] + 2 * margin


def slope(low: float, high: float) -> Floats:
    height, width = shape()
    return low + (high - low) * (np.linspace(0, 1, width) + np.linspace(0, 1, height)[:, None]) / 2


def coloured(paper: tuple[int, int, int], pen: tuple[int, int, int]) -> Floats:
    level = np.pad(INK, MARGIN)[..., None]
    return np.array(paper) * (1 - level) + np.array(pen) * level


def speckled() -> Floats:
    page = on_paper()
    for y, x in RNG.integers(3, 120, (6, 2)):
        if not np.pad(INK, MARGIN)[y - 3 : y + 5, x - 3 : x + 5].any():
            page[y : y + 2, x : x + 2] = 60
    return page


def with_a_neighbour() -> Floats:
    page = on_paper()
    page[20:120, :5] = 50
    return page


CONDITIONS: dict[str, Callable[[], Floats]] = {
    "dark on light": on_paper,
    "light on dark": lambda: on_paper(25, 230),
    "a wide margin": lambda: on_paper(margin=150),
    "no margin": lambda: on_paper(margin=0),
    "faint pencil": lambda: on_paper(225, 180),
    "uneven light": lambda: on_paper(slope(120, 240), 40),
    "blue on cream": lambda: coloured((245, 236, 208), (30, 50, 140)),
    "red on white": lambda: coloured((250, 250, 250), (220, 40, 40)),
    "white chalk on green": lambda: coloured((40, 90, 60), (235, 235, 230)),
    "noise": lambda: on_paper() + RNG.normal(0, 8, shape()),
    "specks": speckled,
    "a neighbour's fragment at the edge": with_a_neighbour,
}


def pixels(page: Floats) -> NDArray[np.uint8]:
    return np.clip(np.rint(page), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_the_prediction_does_not_depend_on_how_the_digit_was_put_on_paper(condition: str) -> None:
    prediction = Classifier().predict(pixels(CONDITIONS[condition]()))
    assert prediction.label == "2"


@pytest.mark.parametrize("condition", [c for c in CONDITIONS if c not in ("no margin",)])
def test_the_box_fits_the_ink_within_5_percent(condition: str) -> None:
    margin = 150 if condition == "a wide margin" else MARGIN
    found = locate_ink(pixels(CONDITIONS[condition]()))
    assert found is not None
    inked = np.argwhere(INK > 0.35)
    (top, left), (bottom, right) = inked.min(axis=0), inked.max(axis=0) + 1
    expected = np.array([left, top, right, bottom]) + margin
    np.testing.assert_allclose(found.box, expected, atol=0.05 * SIDE)


def smooth_grain(sigma: float) -> Floats:
    noise = Image.fromarray(RNG.integers(0, 256, (120, 120)).astype(np.uint8))
    grain = np.asarray(noise.filter(ImageFilter.GaussianBlur(sigma)), dtype=float)
    return 200 + (grain - grain.mean()) / grain.std() * 6


BLANKS: dict[str, Callable[[], Floats]] = {
    "white": lambda: np.full((60, 80), 255.0),
    "black": lambda: np.zeros((28, 28)),
    "one pixel": lambda: np.full((1, 1), 9.0),
    "a slope of light": lambda: slope(90, 240),
    "sensor noise": lambda: 180 + RNG.normal(0, 5, (100, 140)),
    "paper grain": lambda: smooth_grain(1.0),
}


@pytest.mark.parametrize("blank", BLANKS)
def test_a_page_without_writing_is_blank(blank: str) -> None:
    page = pixels(BLANKS[blank]())
    assert find_ink(page) is None
    prediction = Classifier().predict(page)
    assert (prediction.label, prediction.score, prediction.index) == ("unknown", 0.0, -1)


def test_a_clean_image_keeps_its_grey_levels() -> None:
    image = np.zeros((16, 16), np.uint8)
    image[3:13, 5:9] = np.arange(4, dtype=np.uint8) * 40 + 135
    ink = find_ink(image)
    assert ink is not None
    np.testing.assert_array_equal(ink, image[3:13, 5:9])


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (2, 3), (7, 300), (1500, 1100)])
@pytest.mark.parametrize("channels", [0, 3])
def test_any_size_is_read_or_blank(size: tuple[int, int], channels: int) -> None:
    page = RNG.integers(0, 256, (*size, channels) if channels else size).astype(np.uint8)
    ink = find_ink(page)
    assert ink is None or (ink.dtype == np.uint8 and ink.ndim == 2 and ink.size > 0)


def small_scans() -> list[NDArray[np.uint8]]:
    """28x28 grey images as they come: on dark and light paper, tight, in pieces, empty, noisy."""
    rng = np.random.default_rng(8)
    digit = np.asarray(Image.fromarray((INK * 255).astype(np.uint8)).resize((18, 18)))
    images = []
    for top, left in rng.integers(0, 11, (120, 2)):
        images.append(np.zeros((28, 28), np.uint8))
        images[-1][top : top + 18, left : left + 18] = digit
    dust_below, dust_beside = np.pad(digit, ((2, 8), (5, 5))), np.pad(digit, ((5, 5), (2, 8)))
    dust_below[25, 14] = dust_beside[14, 25] = 255
    speck = np.zeros((28, 28), np.uint8)
    speck[4, 5] = 255
    faint = images[1] // 51 + 100
    grey = (images[2] // 2 + 60).astype(np.uint8)
    between = np.full((28, 28), 128, np.uint8)
    between[4:20, 6:12], between[4:20, 14:20] = 160, 0
    noise = rng.integers(0, 255, (28, 28), dtype=np.uint8)
    images += [
        dust_below,
        dust_beside,
        speck,
        faint,
        grey,
        between,
        noise,
        np.full((28, 28), 9, np.uint8),
    ]
    images += [255 - image for image in images]
    return images


def test_many_small_images_together_are_what_each_is_alone() -> None:
    others = [np.stack([image] * 3, axis=2) for image in small_scans()[:8]] + [pixels(on_paper())]
    images = small_scans() + others
    for image, together in zip(images, find_inks(images), strict=True):
        alone = find_ink(image)
        assert (alone is None) == (together is None)
        if alone is not None and together is not None:
            np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("margin", [0, 25, 200, 600])
def test_a_pillow_image_is_what_its_pixels_are(mode: str, margin: int) -> None:
    page = on_paper(margin=margin) + RNG.normal(0, 3, shape(margin))
    image = Image.fromarray(pixels(page)).convert(mode)
    of_image, of_pixels = locate_ink(image), locate_ink(np.asarray(image))
    assert of_image is not None
    assert of_pixels is not None
    assert of_image.box == of_pixels.box
    np.testing.assert_array_equal(of_image.ink, of_pixels.ink)
