"""Letters in print, drawn with pens as digits are, from fonts that matplotlib and Pillow bring."""

from __future__ import annotations

import string
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from .drawing import StrokeDigits, draw, spoil
from .strokes import Floats, Strokes, pen_levels, strokes_from_bitmaps

LETTERS = string.ascii_letters
UNLIKE_DIGITS = "".join(letter for letter in LETTERS if letter not in "BIOSZbgiloqsz")
"""Those that nobody writes for a digit."""
FONTS = (
    *("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta"),
    *("cmr10", "cmb10", "cmti10", "cmmi10", "cmss10", "cmtt10"),
)
"""Of matplotlib; Pillow's own is the other."""
OTHER_FONTS = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif", "DejaVuSerif-Italic")
"""Of matplotlib, for measuring: nothing is trained on them."""
_SIDE = 32
_DRAWN = 96  # font size, before a letter is reduced to 32 pixels


def learnt_letters() -> Strokes:
    """The letters that are unlike digits, in each of FONTS and in Pillow's own font."""
    own = ImageFont.load_default(_DRAWN)
    assert isinstance(own, ImageFont.FreeTypeFont)  # as every wheel of Pillow has it
    return _strokes([own, *_fonts(FONTS)], UNLIKE_DIGITS)


def other_letters() -> Strokes:
    """All letters in each of OTHER_FONTS."""
    return _strokes(_fonts(OTHER_FONTS), LETTERS)


def draw_letters(
    letters: Strokes, count: int, source: StrokeDigits, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """(count, side, side, 1) uint8 tensors of letters picked at random, each drawn anew, with the
    settings of `source` and half of them with about their own pen.
    """
    settings = source.settings
    picked = letters.take(rng.integers(0, len(letters.radius), count))
    own = picked.radius + rng.normal(0, 0.3, count)
    half = np.where(rng.random(count) < 0.5, own, rng.uniform(*settings.pen, count))
    widths: Floats = np.exp(rng.normal(0, settings.stretch, count))
    canvases = draw(pen_levels(picked, half.astype(np.float32), rng), widths, settings, rng)
    return spoil(source.fit(canvases, rng), settings, rng)


def _fonts(names: Sequence[str]) -> list[ImageFont.FreeTypeFont]:
    from matplotlib import get_data_path

    folder = Path(get_data_path()) / "fonts" / "ttf"
    return [ImageFont.truetype(folder / f"{name}.ttf", _DRAWN) for name in names]


def _strokes(fonts: Sequence[ImageFont.FreeTypeFont], letters: str) -> Strokes:
    bitmaps = [_bitmap(font, letter) for font in fonts for letter in letters]
    return strokes_from_bitmaps(np.stack(bitmaps))


def _bitmap(font: ImageFont.FreeTypeFont, letter: str) -> NDArray[np.bool_]:
    """The letter as a (32, 32) bitmap, its longer side filled."""
    left, top, right, bottom = font.getbbox(letter)
    image = Image.new("L", (round(right - left), round(bottom - top)))
    ImageDraw.Draw(image).text((-left, -top), letter, fill=255, font=font)
    scale = _SIDE / max(image.size)
    width, height = (max(2, round(side * scale)) for side in image.size)
    canvas = Image.new("L", (_SIDE, _SIDE))
    small = image.resize((width, height), Image.Resampling.BOX)
    canvas.paste(small, ((_SIDE - width) // 2, (_SIDE - height) // 2))
    return np.asarray(canvas) > 127
