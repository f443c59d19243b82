"""Fonts for class names of any script, and names that fit a given width."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from matplotlib import font_manager
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font

_FIRST = "DejaVu Sans"  # comes with matplotlib


def choose_fonts(names: Iterable[str]) -> tuple[list[str], list[int]]:
    """Find fonts of this machine that have every character of the names.

    Returns the font families, in the order in which matplotlib is to try them, and the indices of
    the names of which no font has all characters.
    """
    names = list(names)
    families = [_FIRST]
    missing = {c for name in names for c in name if not c.isspace()}
    missing -= _characters(font_manager.findfont(_FIRST))
    for path in sorted(font_manager.findSystemFonts()) if missing else ():
        found = missing & _characters(path)
        if found:
            font_manager.fontManager.addfont(path)
            families.append(FT2Font(path).family_name)
            missing -= found
    return families, [i for i, name in enumerate(names) if missing & set(name)]


def without_font(names: Sequence[str]) -> str | None:
    """One line for the user where the pictures cannot show some names."""
    _, unnamed = choose_fonts(names)
    if not unnamed:
        return None
    return (
        f"no font of this machine has all characters of {len(unnamed)} class name(s), as of"
        f" {names[unnamed[0]]}: the pictures of the model card show their numbers; install one,"
        " such as Noto Sans CJK, and build again"
    )


def _characters(path: str) -> set[str]:
    """The characters that a font has; none where it has no outlines, as fonts of emoji."""
    try:
        font = FT2Font(path)
    except (OSError, RuntimeError):
        return set()
    return set(map(chr, font.get_charmap())) if font.scalable else set()


def fitted(text: str, size: float, width: float, lines: int = 1) -> str:
    """The text on so many lines of that width in points; what does not fit becomes an ellipsis."""
    found = []
    for _ in range(lines - 1):
        if text_width(text, size) <= width:
            break
        head = max(_beginnings(text, size, width), key=len, default=text[:1])
        words = head if text[len(head)] == " " else head.rpartition(" ")[0]
        head = words if len(words) > len(head) / 2 else head  # no line with a short word alone
        found.append(head.strip())
        text = text[len(head) :].strip()
    if text_width(text, size) > width:
        text = max(_beginnings(text, size, width, "…"), key=len, default="") + "…"
    return "\n".join([*found, text])


def _beginnings(text: str, size: float, width: float, end: str = "") -> Iterator[str]:
    for length in range(1, len(text)):
        if text_width(text[:length] + end, size) > width:
            return
        yield text[:length]


def widest(texts: Sequence[str], size: float) -> float:
    """The width of the widest line, in points."""
    return max(text_width(line, size) for text in texts for line in text.split("\n"))


def text_width(text: str, size: float) -> float:
    """The width of one line in the current font, in points."""
    measure: Any = _renderer()
    width, _, _ = measure.get_text_width_height_descent(text, FontProperties(size=size), False)
    return float(width)


@cache
def _renderer() -> RendererAgg:
    return RendererAgg(1, 1, 72)  # type: ignore[no-untyped-call]  # a point is a pixel
