"""The model card and its pictures, filled from what was measured."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundle.manifest import PLURALS, ModelSpec
from edge_runtime.inputs.files import MAX_PIXELS
from edge_runtime.preprocessing.readers import reader

from ..calibration import Calibration, calibration_error, logits, reliability, softmax
from ..data.dataset import Dataset
from ..training.trainer import Epoch, Trained
from ..verification.parity import ParityReport

CARD_NAME = "MODEL_CARD.md"
_NAMED_CLASSES = 40
"""More classes than this have no names and no counts in the confusion matrix."""
_LIMITS = {
    "ink": (
        "Reads one handwritten digit in an image. Print, several digits in one image, and"
        " writing that is no digit were not part of its training: it may answer all the same."
        " Letters that look like digits (O, l, S, Z, B) are read as digits; most others, in print,"
        " get a score below the minimum score."
        " Use the minimum score, and check on images of your own before you rely on it."
    )
}
_DIGITS_FITTED = "half of them of the digits as they are,\nhalf of them of the digits drawn again"
_DIGITS_KEPT = """On the
validation images drawn again it keeps {kept:.1%} of the right readings; of generated
non-digits (noise, textures, turned digits, pairs, scribbles) it refuses
{refused:.1%} as `unknown`, and {letters_refused:.1%} of all letters in print, in fonts \
that were not
trained on."""
_OWN_FITTED = "of the\nexamples as they are and, where these are few, varied as in training"
_OWN_KEPT = """On those
readings it keeps {kept:.1%} of the right ones and refuses {refused:.1%} of the wrong ones
as `unknown`. What belongs to no class was not tried."""
_PLAIN_LIMIT = "Knows only the classes above: it answers with one of them for any {}."


def write(
    folder: Path,
    trained: Trained,
    dataset: Dataset,
    calibration: Calibration,
    parity: ParityReport,
    spec: ModelSpec,
) -> None:
    """Write `MODEL_CARD.md` and its pictures into the bundle being built."""
    reads = spec.preprocessing.reads
    tensors = dataset.tensors_later(dataset.test, trained.input)
    labels = dataset.labels[dataset.test]
    probabilities = softmax(logits(trained.model, tensors))
    draw_training(folder / "training.png", trained.history, trained.best)
    draw_confusion(folder / "confusion.png", labels, probabilities.argmax(1), spec.labels)
    draw_reliability(folder / "reliability.png", probabilities, labels)
    unsure = np.argsort(probabilities.max(1) - (probabilities.argmax(1) != labels), kind="stable")
    draw_readings(
        folder / "hardest.png",
        dataset.picked(dataset.test[unsure[:24]]) if reads == "image" else tensors[unsure[:24]],
        [
            f"{_short(spec.labels[labels[i]])} as {_short(spec.labels[probabilities[i].argmax()])},"
            f" {probabilities[i].max():.2f}"
            for i in unsure[:24]
        ],
        reads,
    )
    draw_golden(folder / "preprocessing.png", folder / "golden", spec)
    history = json.dumps([asdict(epoch) for epoch in trained.history], indent=1)
    (folder / "history.json").write_text(history + "\n", encoding="utf-8")
    error = calibration_error(probabilities, labels)
    card = _card(trained, dataset, calibration, parity, spec, error)
    (folder / CARD_NAME).write_text(card, encoding="utf-8")


def _card(
    trained: Trained,
    dataset: Dataset,
    calibration: Calibration,
    parity: ParityReport,
    spec: ModelSpec,
    error: float,
) -> str:
    rows = "\n".join(
        f"| `{a.path}` | {a.precision} | {a.bytes:,} | {a.accuracy:.2%} | {a.agreement:.2%}"
        f" | {a.max_difference:.1e} |"
        for a in parity.artifacts
    )
    keras = parity.artifacts[0]
    wrong = round((1 - keras.accuracy) * parity.images)
    shape = "x".join(map(str, spec.input.shape))
    labels = ", ".join(spec.labels)
    reads = spec.preprocessing.reads
    things = PLURALS[reads]
    limits = _LIMITS.get(spec.preprocessing.kind, _PLAIN_LIMIT.format(reads))
    if dataset.store is None:
        fitted, kept = _DIGITS_FITTED, _DIGITS_KEPT
    else:
        fitted, kept = _OWN_FITTED, _OWN_KEPT
    kept = kept.format(**asdict(calibration))
    scan = (
        "\nWhat the scan of the data found is in `data_report.txt`.\n" if dataset.findings else ""
    )
    return f"""# {spec.name} {spec.version}

A small classifier of {things}: {labels}.

| | |
| --- | --- |
| Data | {dataset.about} |
| Split | {len(dataset.train)} to train, {len(dataset.validation)} to choose and calibrate, \
{len(dataset.test)} to test |
| Network | {trained.architecture}, {trained.model.count_params():,} parameters |
| Input | `{spec.input.name}`: {shape} {spec.input.dtype}, raw values 0 to 255 |
| Preprocessing | `{spec.preprocessing.kind}`, done by edge-runtime |
| Training | {len(trained.history)} epochs, seed {trained.config.seed}; epoch \
{trained.best.number} was kept |
{scan}
## Accuracy

Read wrong: {wrong} of the {parity.images} test {things}. Each export was run on all of them,
{", ".join(map(str, parity.batch_sizes[:-1]))} and {parity.batch_sizes[-1]} at a time:

| artifact | precision | bytes | accuracy | agrees with Keras | largest difference |
| --- | --- | ---: | ---: | ---: | ---: |
{rows}

![Confusion matrix](confusion.png)

The test {things} that it finds hardest, mistakes first (label as reading, score):

![Hardest test images](hardest.png)

What the network sees of the golden {things}, which are files of many kinds:

![Golden images and their tensors](preprocessing.png)

## Probabilities

Calibrated by temperature {calibration.temperature:.3f}, folded into the last layer. It was fitted
on {calibration.images:,} readings of the validation part: {fitted}.
Expected calibration error on the test {things}: {error:.2%} (15 bins).

![Reliability](reliability.png)

**Recommended minimum score: {spec.min_score:g}** (`edge-runtime predict --min-score`). \
{kept}

## Training

![Training curves](training.png)

## Limits

{limits}
"""


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
        shown = [_short(name) for name in names]
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
        found = reader(reads).decode(golden / vector["image"], MAX_PIXELS)
        if reads == "image":
            above.imshow(found, cmap="gray", vmin=0, vmax=255)
        else:
            above.plot(found.samples if reads == "sound" else found, linewidth=0.5)
        above.set_title(fill(vector["about"], 12), fontsize=7)
        tensor = np.array(vector["tensor"], dtype=np.uint8).reshape(spec.input.shape)
        _show(below, tensor, reads)
        below.set_title(_short(vector["label"]), fontsize=9, y=-0.4)
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


def _short(name: str) -> str:
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
