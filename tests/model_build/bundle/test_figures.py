"""The pictures of the model card can be read, whatever the class names are."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager, rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from edge_runtime.bundle.manifest import Manifest
from model_build.bundle import figures
from model_build.bundle.fonts import choose_fonts, fitted, text_width, without_font
from model_build.training.history import Epoch

from ...support.small_bundles import images_bundle

LONG = (
    "a name of many words, as people give them to what they photograph",
    "Donaudampfschifffahrtsgesellschaftskapitän",
    "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWW",
    "$x^2$ and $",
)


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were drawn, instead of their files."""
    found = []
    monkeypatch.setattr(figures, "_save", lambda figure, path: found.append(figure))
    return found


def texts(figure):
    """The visible texts of a figure, with their boxes in pixels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    hidden = {id(part) for axes in figure.axes if not axes.axison for part in axis_texts(axes)}
    shown = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
    return [(text, text.get_window_extent()) for text in shown if id(text) not in hidden]


def axis_texts(axes):
    return [*axes.xaxis.findobj(Text), *axes.yaxis.findobj(Text)]


def assert_legible(figure):
    """Nothing is cut, and nothing overlaps."""
    found = texts(figure)
    assert found
    for text, box in found:
        assert min(box.x0, box.y0) >= -1, text  # pixels
        assert box.x1 <= figure.bbox.x1 + 1, text
        assert box.y1 <= figure.bbox.y1 + 1, text
    for (text, box), (other, others) in itertools.combinations(found, 2):
        apart = box.x1 <= others.x0 or others.x1 <= box.x0 or box.y1 <= others.y0
        assert apart or others.y1 <= box.y0, (text, other)


@pytest.mark.parametrize("names", ["0123456789", LONG])
def test_no_text_is_cut_or_lies_over_another(names, drawn, tmp_path):
    readings = [(names[i % len(names)], names[-i % len(names)], 0.5) for i in range(12)]
    rng = np.random.default_rng(0)
    figures.draw_readings(tmp_path, rng.integers(0, 256, (12, 40, 60, 3), np.uint8), readings)
    bundle = images_bundle(tmp_path / "bundle", names)
    spec = Manifest.load(bundle).spec
    figures.draw_golden(tmp_path, bundle / "golden", spec, names)
    for figure in drawn:
        assert_legible(figure)


@pytest.mark.parametrize("more", [0, 1, 30])
@pytest.mark.parametrize("names", ["0123456789", LONG], ids=["digits", "long"])
def test_a_confusion_matrix_of_any_names_is_legible(names, more, drawn, tmp_path):
    names = [*names, *(f"class {i}" for i in range(more))]
    labels = np.repeat(np.arange(len(names)), 1234)
    figures.draw_confusion(tmp_path, labels, labels, names)
    assert_legible(drawn[0])


def test_every_count_of_the_confusion_matrix_stands_out_from_its_cell(drawn, tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 8, 500)
    found = np.where(rng.random(500) < labels / 8, labels, rng.integers(0, 8, 500))
    figures.draw_confusion(tmp_path, labels, found, "abcdefgh")
    (axes,) = drawn[0].axes
    cells = axes.images[0].get_array()
    assert len(axes.texts) > 50
    for text in axes.texts:
        column, row = text.get_position()
        dark, light = sorted(map(luminance, (to_rgb(text.get_color()), cells[row, column, :3])))
        assert (light + 0.05) / (dark + 0.05) > 4.4


def luminance(colour):
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in colour]
    return np.dot(linear, (0.2126, 0.7152, 0.0722))


@pytest.mark.parametrize("losses", [(2.6, 0.15), (0.8, 0.6), (0.71, 0.69), (9e-3, 8e-6)], ids=str)
def test_the_losses_have_plain_numbers(losses, drawn, tmp_path):
    history = [Epoch(i + 1, loss, loss, 0.5, 1.0) for i, loss in enumerate(losses)]
    figures.draw_training(tmp_path, history, history[-1].number)
    FigureCanvasAgg(drawn[0]).draw()
    (axes,) = drawn[0].axes
    low, high = axes.get_ylim()
    ticks = [tick for tick in axes.get_yticks() if low <= tick <= high]
    assert len(ticks) >= 3
    numbers = [label.get_text().replace("\N{MINUS SIGN}", "-") for label in axes.get_yticklabels()]
    assert all(float(number) for number in numbers if number)
    assert not axes.get_yticklabels(minor=True)
    assert all(tick == round(tick) for tick in axes.get_xticks())


def test_names_are_fitted_to_lines():
    assert fitted("cat", 8, 100) == "cat"
    assert fitted("traffic sign ahead", 8, 60, 2) == "traffic sign\nahead"
    assert fitted("as " + "m" * 40, 8, 60, 3).count("\n") == 2
    for text in (*LONG, "", " ", "éà" * 30):
        for lines in (1, 2, 3):
            found = fitted(text, 8, 60, lines).split("\n")
            assert len(found) <= lines
            assert all(text_width(line, 8) <= 60 for line in found)


def small_font(path: Path, characters: str) -> str:
    """A font with a square for each character; its file."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 900), (900, 900), (900, 0)):
        pen.lineTo(corner)
    pen.closePath()
    names = [".notdef", *(f"uni{ord(c):04X}" for c in characters)]
    font = FontBuilder(1000)
    font.setupGlyphOrder(names)
    font.setupCharacterMap({ord(c): f"uni{ord(c):04X}" for c in characters})
    font.setupGlyf(dict.fromkeys(names, pen.glyph()))
    font.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
    font.setupHorizontalHeader(ascent=900, descent=-100)
    font.setupNameTable({"familyName": path.stem, "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.save(path)
    return str(path)


def test_a_font_that_has_the_characters_is_used(monkeypatch, drawn, tmp_path):
    paths = [
        small_font(tmp_path / "Chinese.ttf", "中文"),
        small_font(tmp_path / "Kana.ttf", "カナ"),
    ]
    (tmp_path / "broken.ttf").write_text("no font")
    paths.append(str(tmp_path / "broken.ttf"))
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: paths)
    assert choose_fonts(["cat", "é"]) == (["DejaVu Sans"], [])
    names = ["中文", "cat", "カナ"]
    families, unnamed = choose_fonts(names)
    assert (families, unnamed) == (["DejaVu Sans", "Chinese", "Kana"], [])
    assert without_font(names) is None
    with rc_context({"font.family": families}):  # a missing character would be a warning
        figures.draw_confusion(tmp_path, np.arange(3), np.arange(3), names)
        assert_legible(drawn[0])


def test_names_without_a_font_are_said_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(
        font_manager, "findSystemFonts", lambda: [small_font(tmp_path / "Chinese.ttf", "中文")]
    )
    assert choose_fonts(["中文", "cat", "日本", "中日"])[1] == [2, 3]
    line = without_font(["中文", "cat", "日本", "中日"])
    assert line
    assert "\n" not in line
    assert "2 class name(s), as of 日本:" in line
    assert "install one" in line
