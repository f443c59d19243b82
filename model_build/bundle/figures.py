"""The pictures of the model card."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from edge_runtime.bundle.spec import ModelSpec
from edge_runtime.inputs.files import MAX_PIXELS
from edge_runtime.preprocessing.readers import decoder

from ..training.history import Epoch
from ..training.metrics import reliability
from .fonts import fitted, text_width, widest

_NAMED_CLASSES = 40
"""More classes than this have no names and no counts in the confusion matrix."""

_SHEET = 9.2  # inches, the width of the contact sheet
_SMALL = 8  # points
_CELL = 0.39  # inches, of the confusion matrix
_NAME = 10  # points, the size of names and counts there
_LONGEST_NAME = 130  # points, about 20 letters
_LUMINANCE = (0.2126, 0.7152, 0.0722)  # of red, green and blue, Rec. 709
_AS_DARK_AS_LIGHT = 0.179  # luminance with the same contrast to black as to white, WCAG 2


def draw_training(path: Path, history: Sequence[Epoch], kept: int | None) -> None:
    """Loss of training and validation over the epochs. kept: the number of the one whose weights
    were kept, None where they are those of no epoch."""
    figure, axes = _figure(7, 3.2)
    numbers = [epoch.number for epoch in history]
    losses = [epoch.loss for epoch in history]
    validation = [epoch.validation_loss for epoch in history]
    axes.plot(numbers, losses, label="training, augmented")
    axes.plot(numbers, validation, label="validation")
    if kept is not None:
        axes.axvline(kept, color="0.6", linestyle=":", label=f"kept: epoch {kept}")
    axes.set(xlabel="epoch", ylabel="cross-entropy", yscale="log")
    values = [value for value in (*losses, *validation) if value > 0]
    wide = bool(values) and max(values) > 10 * min(values)
    axes.yaxis.set_major_locator(
        LogLocator(subs=(1, 2, 5)) if wide else MaxNLocator(6, steps=(1, 2, 5, 10))
    )
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)
    _save(figure, path)


def draw_confusion(
    path: Path,
    labels: NDArray[np.int64],
    found: NDArray[np.int64],
    names: Sequence[str],
) -> None:
    """Counts of label (row) and reading (column): right ones blue, mistakes red."""
    table = np.zeros((len(names), len(names)), dtype=int)
    np.add.at(table, (labels, found), 1)
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    right = np.eye(len(names), dtype=bool)
    colours = np.where(
        right[..., None],
        colormaps["Blues"](0.15 + 0.75 * share),
        colormaps["Reds"](0.1 + 0.8 * np.sqrt(share)),
    )
    colours[table == 0] = 1
    many = len(names) > _NAMED_CLASSES
    cell = max(_CELL, 3.9 / len(names))
    room, lines = (72 * cell - 6, 3) if cell > 0.9 else (_LONGEST_NAME, 1)
    shown = [] if many else [fitted(name, _NAME, room, lines) for name in names]
    if many:
        figure, axes = _figure(7.7, 7.7)
        axes.imshow(colours)
        axes.set(xlabel="read as (lines of labels.txt, from 0)", ylabel="label")
        _save(figure, path)
        return
    wide = widest(shown, _NAME) / 72
    upright = wide > cell
    high = wide if upright else 0.17 * lines
    figure, axes = _figure(*(cell * len(names) + 0.7 + names_too for names_too in (wide, high)))
    axes.imshow(colours)
    for row, column in zip(*np.nonzero(table), strict=True):
        luminance = colours[row, column, :3] ** 2.2 @ _LUMINANCE
        count = str(table[row, column])
        size = min(_NAME, _NAME * 0.85 * 72 * cell / text_width(count, _NAME))
        colour = "white" if luminance < _AS_DARK_AS_LIGHT else "black"
        axes.text(column, row, count, fontsize=size, ha="center", va="center", color=colour)
    places = range(len(names))
    axes.set_xticks(places, shown, rotation=90 if upright else 0, fontsize=_NAME, parse_math=False)
    axes.set_yticks(places, shown, fontsize=_NAME, parse_math=False)
    axes.tick_params(length=0)
    axes.set(xlabel="read as", ylabel="label")
    _save(figure, path)


def draw_reliability(
    path: Path, probabilities: NDArray[np.floating[Any]], labels: NDArray[np.int64]
) -> None:
    """Accuracy over confidence, with how many readings stand behind each point."""
    figure, axes = _figure(4.6, 3.6)
    axes.plot([0, 1], [0, 1], color="0.7", linestyle=":")
    bins = reliability(probabilities, labels)
    axes.scatter(
        [confidence for _, _, confidence, _ in bins],
        [accuracy for _, _, _, accuracy in bins],
        s=[20 + 200 * count / len(labels) for _, count, _, _ in bins],
    )
    for _, count, confidence, accuracy in bins:
        below = 9 + 4 + np.sqrt(20 + 200 * count / len(labels)) / 2
        axes.annotate(
            str(count),
            (confidence, accuracy),
            (0, -below),
            textcoords="offset points",
            fontsize=8,
            ha="center",
        )
    axes.set(xlabel="score", ylabel="share read right", xlim=(0, 1.05), ylim=(-0.1, 1.05))
    _save(figure, path)


def draw_readings(
    path: Path,
    images: Sequence[Any] | NDArray[np.uint8],
    readings: Sequence[tuple[str, str, float]],
    reads: str = "image",
) -> None:
    """A contact sheet of readings; of sounds and series their tensors.

    readings: label, what it was read as, and the score; mistakes are red.
    """
    across, captions = _captions(readings)
    colours = ["black" if label == reading else "firebrick" for label, reading, _ in readings]
    draw_sheet(path, images, captions, across, reads, colours)


def draw_sheet(
    path: Path,
    images: Sequence[Any] | NDArray[np.uint8],
    captions: Sequence[str],
    across: int = 5,
    reads: str = "image",
    colours: Sequence[str] | None = None,
) -> None:
    """A contact sheet, `across` images wide; colours: of the captions, default black."""
    down = max(1, -(-len(images) // across))
    lines = max(caption.count("\n") for caption in captions) + 1
    tall = max(image.shape[0] / image.shape[1] for image in images) if reads == "image" else 0.7
    high = min(tall, 1) * _SHEET / across + 0.1 + lines * 0.15
    figure = Figure(figsize=(_SHEET, down * high), layout="constrained")
    for place, axes in enumerate(figure.subplots(down, across, squeeze=False).flat):
        axes.set_axis_off()
        if place < len(images):
            _show(axes, images[place], reads)
            colour = colours[place] if colours else "black"
            axes.set_title(captions[place], fontsize=_SMALL, color=colour, parse_math=False)
    _save(figure, path)


def sheet_line(text: str) -> str:
    """The text, cut to one line of a caption on a sheet of five images across."""
    return fitted(text, _SMALL, 72 * _SHEET / 5 - 10, 1)


def _captions(readings: Sequence[tuple[str, str, float]]) -> tuple[int, list[str]]:
    """How many images stand side by side, and their captions, in lines that are short enough."""
    captions = [
        f"{label}, {score:.2f}" if label == reading else f"{label} as {reading}, {score:.2f}"
        for label, reading, score in readings
    ]
    if widest(captions, _SMALL) < 72 * _SHEET / 8 - 6:
        return 8, captions
    room = 72 * _SHEET / 5 - 10
    captions = []
    for label, reading, score in readings:
        lines = [] if label == reading else [fitted(label, _SMALL, room, 2)]
        last = label if label == reading else f"as {reading}"
        lines.append(fitted(last, _SMALL, room - text_width(", 0.00", _SMALL), 2))
        captions.append("\n".join(lines) + f", {score:.2f}")
    return 5, captions


def draw_golden(path: Path, golden: Path, spec: ModelSpec, names: Sequence[str]) -> None:
    """Each golden image above its tensor and its reading; names: how the labels are shown."""
    reads = spec.preprocessing.reads
    vectors = json.loads((golden / "golden.json").read_text(encoding="utf-8"))
    shown = dict(zip(spec.labels, names, strict=True))
    found = [shown.get(vector["label"], vector["label"]) for vector in vectors]
    wide = 2.0 if reads != "image" else 0.95 if widest(found, _SMALL) < 62 else 1.4
    room = 72 * wide - 6
    about = [fitted(vector["about"], _SMALL - 1, room, 3) for vector in vectors]
    found = [fitted(label, _SMALL, room, 2) for label in found]
    lines = sum(max(text.count("\n") for text in texts) + 1 for texts in (about, found))
    high = 2 * min(wide, 1.2) + 0.2 + 0.14 * lines
    figure = Figure(figsize=(len(vectors) * wide, high), layout="constrained")
    rows = figure.subplots(2, len(vectors), squeeze=False)
    for vector, title, label, above, below in zip(vectors, about, found, *rows, strict=True):
        decoded = decoder(reads)(golden / vector["image"], MAX_PIXELS)
        if reads == "image":
            above.imshow(decoded, cmap="gray", vmin=0, vmax=255)
        else:
            above.plot(decoded.samples if reads == "sound" else decoded, linewidth=0.5)
        above.set_title(title, fontsize=_SMALL - 1)
        tensor = np.array(vector["tensor"], dtype=np.uint8).reshape(spec.input.shape)
        _show(below, tensor, reads)
        under = {"transform": below.transAxes, "ha": "center", "va": "top"}
        below.text(0.5, -0.08, label, fontsize=_SMALL, parse_math=False, **under)
    for axes in rows.flat:
        axes.set_axis_off()
    _save(figure, path)


def _show(axes: Any, example: NDArray[np.uint8], reads: str) -> None:
    """An image; a spectrogram, its lowest band below; or the lines of a series."""
    if reads == "series":
        axes.plot(example[0], linewidth=0.7)
        axes.set_ylim(0, 255)
    elif reads == "sound":
        axes.imshow(example[::-1, :, 0], cmap="magma", vmin=0, vmax=255, aspect="auto")
    else:
        axes.imshow(example, cmap="gray", vmin=0, vmax=255)


def _figure(width: float, height: float) -> tuple[Any, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=100, metadata={"Software": None})
