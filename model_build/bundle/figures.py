"""The pictures of the model card."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundle.spec import ModelSpec
from edge_runtime.inputs.files import MAX_PIXELS
from edge_runtime.preprocessing.readers import reader_class

from ..training.history import Epoch
from ..training.metrics import reliability

_NAMED_CLASSES = 40
"""More classes than this have no names and no counts in the confusion matrix."""


def draw_training(path: Path, history: Sequence[Epoch], best: Epoch) -> None:
    """Loss of training and validation over the epochs."""
    figure, axes = _figure(7, 3.2)
    numbers = [epoch.number for epoch in history]
    axes.plot(numbers, [epoch.loss for epoch in history], label="training, drawn anew each epoch")
    axes.plot(numbers, [epoch.validation_loss for epoch in history], label="validation")
    axes.axvline(best.number, color="0.6", linestyle=":", label=f"kept: epoch {best.number}")
    axes.set(xlabel="epoch", ylabel="cross-entropy", yscale="log")
    axes.legend(frameon=False)
    _save(figure, path)


def draw_confusion(
    path: Path,
    labels: NDArray[np.int64],
    found: NDArray[np.int64],
    names: Sequence[str],
) -> None:
    """Counts of label (row) and reading (column)."""
    table = np.zeros((len(names), len(names)), dtype=int)
    np.add.at(table, (labels, found), 1)
    many = len(names) > _NAMED_CLASSES
    side = 8 if many else max(4.6, 0.35 * len(names))
    figure, axes = _figure(side, side - 0.2)
    axes.imshow(np.sqrt(table), cmap="Blues")
    for row, column in () if many else zip(*np.nonzero(table), strict=True):
        light = row == column
        axes.text(
            column,
            row,
            table[row, column],
            ha="center",
            va="center",
            color="white" if light else "firebrick",
        )
    if not many:
        shown = [short_name(name) for name in names]
        upright = max(map(len, shown)) > 3
        axes.set_xticks(range(len(names)), shown, rotation=90 if upright else 0)
        axes.set_yticks(range(len(names)), shown)
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
        axes.annotate(
            str(count), (confidence, accuracy), (6, -12), textcoords="offset points", fontsize=8
        )
    axes.set(xlabel="score", ylabel="share read right", xlim=(0, 1.05), ylim=(-0.1, 1.05))
    _save(figure, path)


def draw_readings(
    path: Path,
    images: Sequence[Any] | NDArray[np.uint8],
    captions: Sequence[str],
    reads: str = "image",
) -> None:
    """A contact sheet, eight to a row; of sounds and series their tensors."""
    from matplotlib.figure import Figure

    across = 8
    down = max(1, -(-len(images) // across))
    figure = Figure(figsize=(across * 1.15, down * 1.4), layout="constrained")
    for place, axes in enumerate(figure.subplots(down, across, squeeze=False).flat):
        axes.set_axis_off()
        if place < len(images):
            _show(axes, images[place], reads)
            axes.set_title(captions[place], fontsize=8)
    _save(figure, path)


def draw_golden(path: Path, golden: Path, spec: ModelSpec) -> None:
    """Each golden image above its tensor and its reading."""
    from matplotlib.figure import Figure

    reads = spec.preprocessing.reads
    vectors = json.loads((golden / "golden.json").read_text(encoding="utf-8"))
    wide = 0.95 if reads == "image" else 2
    figure = Figure(figsize=(len(vectors) * wide, 2.5), layout="constrained")
    rows = figure.subplots(2, len(vectors), squeeze=False)
    for vector, above, below in zip(vectors, *rows, strict=True):
        found = reader_class(reads).decode(golden / vector["image"], MAX_PIXELS)
        if reads == "image":
            above.imshow(found, cmap="gray", vmin=0, vmax=255)
        else:
            above.plot(found.samples if reads == "sound" else found, linewidth=0.5)
        above.set_title(fill(vector["about"], 12), fontsize=7)
        tensor = np.array(vector["tensor"], dtype=np.uint8).reshape(spec.input.shape)
        _show(below, tensor, reads)
        below.set_title(short_name(vector["label"]), fontsize=9, y=-0.4)
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


def short_name(name: str) -> str:
    """A class name that fits a picture, without the signs that would be taken for formulas."""
    name = name.replace("$", r"\$")
    return name if len(name) <= 16 else name[:15] + "…"


def _figure(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _save(figure: Any, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph ", UserWarning)  # class names may be of any script
        figure.savefig(path, dpi=100, metadata={"Software": None})
