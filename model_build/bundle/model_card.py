"""The model card and its pictures, filled from what was measured."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from matplotlib import rc_context

from edge_runtime.bundle.spec import ModelSpec
from edge_runtime.inputs.formats import PLURALS

from ..calibration import Calibration
from ..data.dataset import Dataset
from ..export.quantization import Attempt
from ..recipes.recipe import CardText
from ..training.history import Trained
from ..training.metrics import calibration_error, logits_of, softmax
from ..training.transfer import TransferConfig
from ..verification.class_report import ClassFigures, class_report
from ..verification.guessing import Guessing
from ..verification.parity import ParityReport
from .figures import (
    draw_confusion,
    draw_golden,
    draw_readings,
    draw_reliability,
    draw_training,
)
from .fonts import choose_fonts

CARD_NAME = "MODEL_CARD.md"
_CURVES = "![Training curves](training.png)"


def write(
    folder: Path,
    trained: Trained,
    dataset: Dataset,
    calibration: Calibration,
    text: CardText,
    parity: ParityReport,
    quantized: Mapping[str, Attempt],
    guessing: Guessing,
    spec: ModelSpec,
    about_data: str,
) -> tuple[ClassFigures, ...]:
    """Write `MODEL_CARD.md` and its pictures into the bundle being built.

    about_data: what it says of the data. Returns the figures of each class on the test part.
    """
    reads = spec.preprocessing.reads
    tensors = dataset.tensors_later(dataset.test, trained.input)
    labels = dataset.labels[dataset.test]
    probabilities = softmax(logits_of(trained.model)(tensors))
    found = probabilities.argmax(1)
    hardest = np.argsort(probabilities.max(1) - (found != labels), kind="stable")[:24]
    images = dataset.picked(dataset.test[hardest]) if reads == "image" else tensors[hardest]
    families, unnamed = choose_fonts(spec.labels)
    names = [f"no. {i}" if i in unnamed else label for i, label in enumerate(spec.labels)]
    readings = [(names[labels[i]], names[found[i]], float(probabilities[i].max())) for i in hardest]
    with rc_context({"font.family": families}):
        if trained.backbone is None or trained.before is not None:
            kept = trained.best.number if trained.before is None else None
            draw_training(folder / "training.png", trained.history, kept)
        draw_confusion(folder / "confusion.png", labels, found, names)
        draw_reliability(folder / "reliability.png", probabilities, labels)
        draw_readings(folder / "hardest.png", images, readings, reads)
        draw_golden(folder / "preprocessing.png", folder / "golden", spec, names)
    history = json.dumps([asdict(epoch) for epoch in trained.history], indent=1)
    (folder / "history.json").write_text(history + "\n", encoding="utf-8")
    error = calibration_error(probabilities, labels)
    classes = class_report(labels, probabilities.argmax(1), spec.labels)
    card = _card(
        *(trained, dataset, calibration, text, parity, quantized, guessing, spec, error),
        *(about_data, classes, unnamed),
    )
    (folder / CARD_NAME).write_text(card, encoding="utf-8")
    return classes


def _card(
    trained: Trained,
    dataset: Dataset,
    calibration: Calibration,
    text: CardText,
    parity: ParityReport,
    quantized: Mapping[str, Attempt],
    guessing: Guessing,
    spec: ModelSpec,
    error: float,
    about_data: str,
    classes: Sequence[ClassFigures],
    unnamed: Sequence[int],
) -> str:
    rows = "\n".join(
        f"| `{a.path}` | {a.precision} | {a.bytes:,} | {a.accuracy:.2%} | {a.agreement:.2%}"
        f" | {a.max_difference:.1e} |"
        for a in parity.artifacts
    )
    int8 = "".join(f"\n{line}\n" for line in _int8_lines(parity, quantized))
    keras = parity.artifacts[0]
    *small, large = map(str, parity.batch_sizes)
    batches = f"{', '.join(small)} and {large} at a time"
    if parity.batched < parity.images:
        few = f"{', '.join(small)} at a time as well"
        batches = f"{large} at a time, and on {parity.batched} of them {few}"
    wrong = round((1 - keras.accuracy) * parity.images)
    shape = "x".join(map(str, spec.input.shape))
    labels = ", ".join(spec.labels)
    reads = spec.preprocessing.reads
    things = PLURALS[reads]
    strangers = ", ".join(
        f"{share:.1%} of {name.removesuffix('_refused').replace('_', ' ')}"
        for name, share in calibration.refused.items()
        if name != "refused"
    )
    kept = text.kept.format(kept=calibration.kept, strangers=strangers, **calibration.refused)
    limits = text.limits.format(reads=reads)
    guess = "" if guessing.passed else f"\n**This model is {guessing.line(things)}.**\n"
    origin, how, course = _training(trained)
    numbers = "; ".join(f"no. {i} is {spec.labels[i]}" for i in unnamed[:20])
    more = f"; and {len(unnamed) - 20} more, see `labels.txt`" if len(unnamed) > 20 else ""
    fonts = (
        "\nThe machine that built this had no font for some labels, so the pictures show their"
        f" numbers: {numbers}{more}.\n"
        if unnamed
        else ""
    )
    by_class = "\n".join(
        f"| {one.label} | {one.precision:.2%} | {one.recall:.2%} | {one.f1:.2%} | {one.support} |"
        for one in classes
    )
    return f"""# {spec.name} {spec.version}

A small classifier of {things}: {labels}.

| | |
| --- | --- |
| Data | {dataset.about} |
| Split | {len(dataset.train)} to train, {len(dataset.validation)} to choose and calibrate, \
{len(dataset.test)} to test |
| Network | {trained.architecture}, {trained.model.count_params():,} parameters |
{origin}| Input | `{spec.input.name}`: {shape} {spec.input.dtype}, raw values 0 to 255 |
| Preprocessing | `{spec.preprocessing.kind}`, done by edge-runtime |
| Training | {how} |
{about_data}
## Accuracy
{guess}
Read wrong: {wrong} of the {parity.images} test {things}. Each export was run on all of them,
{batches}:

| artifact | precision | bytes | accuracy | agrees with Keras | largest difference |
| --- | --- | ---: | ---: | ---: | ---: |
{rows}
{int8}
By class, for the Keras model (precision: the share of the readings as this class that are right;
recall: the share of its {things} that are read as it; F1: the harmonic mean of both):

| class | precision | recall | F1 | {things} |
| --- | ---: | ---: | ---: | ---: |
{by_class}
{fonts}
![Confusion matrix](confusion.png)

The test {things} that it finds hardest, mistakes first (label as reading, score; mistakes are red):

![Hardest test images](hardest.png)

What the network sees of the golden {things}, which are files of many kinds:

![Golden images and their tensors](preprocessing.png)

## Probabilities

Calibrated by temperature {calibration.temperature:.3f}, folded into the last layer. It was fitted
on {calibration.images:,} readings of the validation part: {text.fitted}.
Expected calibration error on the test {things}: {error:.2%} (15 bins).

![Reliability](reliability.png)

**Recommended minimum score: {spec.min_score:g}** (`edge-runtime predict --min-score`). \
{kept}

## Training

{course}

## Limits

{limits}
"""


def _int8_lines(parity: ParityReport, quantized: Mapping[str, Attempt]) -> Iterator[str]:
    """Which int8 files are left out, and which were not made in the plain way."""
    left_out = {artifact.path: artifact.failure for artifact in parity.dispensable}
    for path, failure in left_out.items():
        yield f"**`{path}` is left out of the bundle: {failure}.**"
    for path, attempt in quantized.items():
        if path not in left_out and not attempt.plain:
            yield f"`{path}`: {attempt.about}, chosen on the validation part."


def _training(trained: Trained) -> tuple[str, str, str]:
    """A row on where the weights come from, how the network was trained in short, and at length."""
    config, backbone = trained.config, trained.backbone
    if backbone is None:
        epochs = f"{len(trained.history)} epochs, seed {config.seed}"
        how = f"{epochs}; epoch {trained.best.number} was kept"
        return "", how, _CURVES
    assert isinstance(config, TransferConfig)
    origin = f"| Pretrained on | {backbone.origin}; licence: {backbone.licence} |\n"
    how = f"of the last layer, seed {config.seed}"
    varied = f", each shown augmented {config.copies} times as well" if config.copies else ""
    head = (trained.before or trained).best
    published = "as they were published, in the precision of float16"
    course = (
        f"The last layer is a multinomial logistic regression on the features that {backbone.name}"
        f" gives of the\ntraining part{varied}, with the regularisation (C = {config.strength:g})"
        f"\nthat reads the validation part best: cross-entropy {head.validation_loss:.4f}, accuracy"
        f" {head.validation_accuracy:.2%}."
    )
    if not config.tuned:
        course += f" The\nother weights are {published}."
    else:
        best = trained.best
        how = f"of the last layers, {len(trained.history)} epochs, seed {config.seed}"
        course += (
            f"\n\nFrom there, the last blocks were trained on with it for {len(trained.history)}"
            f" epochs. Their weights, and its own, are {config.tuned:.0%}\nof the way to those"
            f" after that, which reads the validation part best: cross-entropy"
            f" {best.validation_loss:.4f},\naccuracy {best.validation_accuracy:.2%}. All weights"
            f" before them are {published}.\n\n{_CURVES}"
        )
    return origin, how, course
