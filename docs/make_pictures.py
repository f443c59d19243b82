"""Draw the pictures of docs/preprocessing.md again: `python -m docs.make_pictures`.

They show what the ink finder does with photos that are drawn here. Needs what `model_build` needs
(matplotlib, scikit-learn).
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image

from edge_runtime.bundle.preprocessing import Crop, Fit, Stretch
from edge_runtime.bundle.spec import InputSpec
from edge_runtime.preprocessing.ink import background, components, find, photo
from edge_runtime.preprocessing.ink.crop import fit_ink
from edge_runtime.preprocessing.readers import reader_of

from .drawn_photos import draw

FOLDER = Path(__file__).parent
RIGHT, GREY = "#1a7f37", "#777777"
SPREAD, REACH, MAX_STRETCH, SIDE = 0.6, 1.95, 2.0, 16
"""The digits' own parameters, as in the manifest of exported/digits."""


def panels(columns: int, rows: int = 1, size: float = 2.1) -> tuple[Figure, NDArray[np.object_]]:
    """A figure of square panels without axes: (rows, columns)."""
    figure, axes = plt.subplots(
        rows, columns, figsize=(size * columns, (size + 0.35) * rows), squeeze=False
    )
    for axis in axes.ravel():
        axis.set_xticks([])
        axis.set_yticks([])
    return figure, axes


def show(axis: Axes, image: NDArray[np.generic], title: str, colours: str = "gray") -> None:
    """Show grey levels, ink levels or a mask ("gray_r"), or signed differences ("RdGy_r")."""
    limits = (-120, 120) if colours == "RdGy_r" else (0, 1) if image.dtype == bool else (0, 255)
    axis.imshow(image, cmap=colours, vmin=limits[0], vmax=limits[1], interpolation="nearest")
    axis.set_title(title, fontsize=9)


def outline(axis: Axes, box: tuple[float, ...], colour: str = RIGHT, style: str = "-") -> None:
    """Draw a box: left, top, right, bottom in pixels."""
    left, top, right, bottom = box
    axis.add_patch(
        Rectangle(
            (left - 0.5, top - 0.5),
            right - left,
            bottom - top,
            fill=False,
            edgecolor=colour,
            linestyle=style,
            linewidth=1.6,
        )
    )


def save(figure: Figure, name: str) -> None:
    """Write docs/preprocessing-NAME.png."""
    figure.tight_layout(pad=0.6, h_pad=1.5)
    drawn = BytesIO()
    figure.savefig(drawn, dpi=80)
    plt.close(figure)
    image = Image.open(drawn).convert("RGB").quantize(128)
    image.save(FOLDER / f"preprocessing-{name}.png", optimize=True)


def planes_of(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], int, int]:
    """(C, H*W) grey levels as the hypotheses take them, with height and width."""
    height, width = pixels.shape[:2]
    planes = pixels.reshape(height * width, -1).T
    return np.ascontiguousarray(planes).astype(np.float32), height, width


def steps() -> None:
    """One photo from file to tensor."""
    drawn = draw("uneven light", digit=3, seed=6)
    reduced, _ = find._reduced(drawn.pixels)
    planes, height, width = planes_of(reduced)
    surface = background.fit_surface(planes, height, width, None)
    smooth = photo.smooth_hypothesis(planes, height, width)
    levels = photo.photo_levels(reduced)
    assert levels is not None
    part = components.digit_box(levels, clean=False)
    found = find.locate_ink(drawn.pixels)
    assert part is not None
    assert found is not None
    tensor = fit_ink([found.ink], SIDE, MAX_STRETCH, SPREAD, REACH)[0]
    figure, axes = panels(3, 2)
    high, wide = drawn.pixels.shape[:2]
    show(axes[0, 0], drawn.pixels, f"1. decoded, {wide} x {high} px")
    show(axes[0, 1], np.clip(surface.T.reshape(height, width, -1) / 255, 0, 1), "2. background")
    show(axes[0, 2], smooth.signed.reshape(height, width), "3. differences, ink red", "RdGy_r")
    show(axes[1, 0], levels, "4. ink levels, noise gone", "gray_r")
    show(axes[1, 1], levels > components.INK_THRESHOLD, "5. components and box", "gray_r")
    outline(axes[1, 1], part[1])
    show(axes[1, 2], tensor, f"6. tensor, {SIDE} x {SIDE}", "gray")
    save(figure, "steps")


def hypotheses() -> None:
    """Three photos, and what each hypothesis of the background leaves of them."""
    rows = (
        ("uneven light", draw("uneven light", digit=3, seed=6)),
        ("tight crop", draw("tight crop", digit=3, seed=3)),
        ("edge of a shadow", draw("edge of a shadow", digit=7, seed=7)),
    )
    figure, axes = panels(4, len(rows))
    for line, (name, drawn) in zip(axes, rows, strict=True):
        reduced, _ = find._reduced(drawn.pixels)
        planes, height, width = planes_of(reduced)
        smooth = photo.smooth_hypothesis(planes, height, width)
        tried = {
            "smooth": smooth,
            "Otsu": photo.otsu_hypothesis(planes, height, width),
            "top-hat": photo.top_hat_hypothesis(smooth.signed, height, width),
        }
        chosen = photo.choose_hypothesis(planes, height, width)
        show(line[0], reduced, name)
        for axis, (title, guess) in zip(line[1:], tried.items(), strict=True):
            show(axis, guess.signed.reshape(height, width), "", "RdGy_r")
            is_chosen = chosen is not None and np.array_equal(chosen.signed, guess.signed)
            axis.set_title(
                f"{title}: leaves {guess.residual:.3f}" + (", taken" if is_chosen else ""),
                fontsize=9,
                color=RIGHT if is_chosen else GREY,
                fontweight="bold" if is_chosen else "normal",
            )
            for spine in axis.spines.values():
                spine.set_edgecolor(RIGHT if is_chosen else GREY)
                spine.set_linewidth(2.5 if is_chosen else 0.8)
    save(figure, "hypotheses")


def weights_and_threshold() -> None:
    """The two curves: what a pixel weighs in the fit, and what the soft threshold makes of ink."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.6, 2.5))
    residual = np.linspace(0, 5, 200)
    left.plot(residual, 1 / (1 + residual**2) ** 2, color=RIGHT)
    left.set_xlabel("distance from the surface / scale", fontsize=8)
    left.set_ylabel("weight in the fit", fontsize=8)
    level, threshold = np.linspace(0, 1, 200), 0.2
    kept = level * np.clip((level - threshold / 2) / (threshold / 2), 0, 1)
    right.plot(level, level, color=GREY, linestyle=":", linewidth=1)
    right.plot(level, kept, color=RIGHT)
    right.axvline(threshold, color=GREY, linewidth=0.8)
    right.text(threshold + 0.02, 0.85, "3 deviations\nof the noise", fontsize=8, color=GREY)
    right.set_xlabel("difference / full ink", fontsize=8)
    right.set_ylabel("ink level", fontsize=8)
    for axis in (left, right):
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    save(figure, "curves")


def chosen_components() -> None:
    """A digit among a ruled line, a neighbour and dust."""
    levels = np.zeros((110, 120), np.uint8)
    ink = draw("even light", digit=15, seed=2)
    found = find.locate_ink(ink.pixels)
    assert found is not None
    digit = found.ink
    height, width = digit.shape
    levels[18 : 18 + height, 34 : 34 + width] = digit
    levels[12:17, 50:75] = 230  # a detached stroke, such as the bar of a five
    levels[100:103] = 200
    levels[30:75, :7] = 240
    for row, col in ((8, 100), (60, 105), (90, 20), (88, 108)):
        levels[row : row + 3, col : col + 3] = 220
    mask = levels > components.INK_THRESHOLD
    runs = components.label_runs(mask)
    labels = np.zeros(mask.shape, int)
    for row, start, stop, component in zip(*runs, strict=True):
        labels[row, start:stop] = component + 1
    part = components.digit_box(levels, clean=False)
    assert part is not None
    figure, axes = panels(3)
    show(axes[0, 0], levels, "ink levels", "gray_r")
    axes[0, 1].imshow(np.ma.masked_equal(labels, 0), cmap="tab10", interpolation="nearest")
    axes[0, 1].set_title(f"{labels.max()} connected components", fontsize=9)
    show(axes[0, 2], part[0], "the digit's box", "gray_r")
    outline(axes[0, 2], part[1])
    save(figure, "components")


def box_and_tensor() -> None:
    """The two boxes of an ink, their mean, and the tensor."""
    found = find.locate_ink(draw("even light", digit=2, seed=1).pixels)
    assert found is not None
    digit = found.ink[:: max(1, found.ink.shape[0] // 55), :: max(1, found.ink.shape[0] // 55)]
    height, width = digit.shape
    ink = np.zeros((height, width + 30), np.uint8)
    ink[:, :width] = digit
    ink[height - 6 : height - 3, width - 5 :] = 255  # a long tail
    rows, cols = np.mgrid[: ink.shape[0], : ink.shape[1]] + 0.5
    total = ink.sum()
    centre = [(ink * place).sum() / total for place in (cols, rows)]
    deviation = [
        ((ink * (place - mean) ** 2).sum() / total) ** 0.5
        for place, mean in zip((cols, rows), centre, strict=True)
    ]
    low = [mean - REACH * size for mean, size in zip(centre, deviation, strict=True)]
    high = [mean + REACH * size for mean, size in zip(centre, deviation, strict=True)]
    edges, spread = (0.0, 0.0, ink.shape[1], ink.shape[0]), (*low, *high)
    mean_box = tuple((1 - SPREAD) * a + SPREAD * b for a, b in zip(edges, spread, strict=True))
    figure, axes = panels(3)
    for axis, box, title in (
        (axes[0, 0], edges, "box of the edges"),
        (axes[0, 1], spread, f"box of {REACH} deviations"),
    ):
        show(axis, ink, title, "gray_r")
        outline(axis, box, GREY, "--")
        outline(axis, mean_box)
        axis.set_xlim(-8, ink.shape[1] + 8)
        axis.set_ylim(ink.shape[0] + 8, -8)
    tensor = fit_ink([ink], SIDE, MAX_STRETCH, SPREAD, REACH)[0]
    show(axes[0, 2], tensor, "tensor of their mean, green")
    save(figure, "box")


def other_kinds() -> None:
    """One photo placed by `fit`, `crop` and `stretch`."""
    drawn = draw("blue ink on cream", digit=4, seed=12)
    assert drawn.box is not None
    pixels = drawn.pixels[:, max(0, drawn.box[0] - 20) : drawn.box[2] + 20]
    figure, axes = panels(4)
    show(axes[0, 0], pixels, "image")
    spec = InputSpec(48, 48, 3)
    for axis, how in zip(
        axes[0, 1:],
        (Fit(fill=0), Crop(), Stretch()),
        strict=True,
    ):
        show(axis, reader_of(spec, how).tensor(pixels), how.kind)
    save(figure, "kinds")


if __name__ == "__main__":
    plt.switch_backend("Agg")
    for picture in (
        *(steps, hypotheses, weights_and_threshold),
        *(chosen_components, box_and_tensor, other_kinds),
    ):
        picture()
