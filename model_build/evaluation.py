"""How good is a recipe, and how good is a bundle: figures that no test image helped to choose."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime import Classifier, InputError
from edge_runtime.inputs.formats import PLURALS

from .arguments import check_seed, check_training
from .errors import BuildError
from .quiet import load_tensorflow
from .recipes.registry import BUILT_IN, check_data

if TYPE_CHECKING:
    from .recipes.digits.cross_validation import CrossValidation
    from .verification.class_report import ClassFigures

_logger = logging.getLogger(__name__)
BATCH = 64


@dataclass(frozen=True)
class Evaluation:
    """What a bundle made of labelled examples."""

    reads: str
    """`image`, `sound` or `series`."""
    count: int
    """Examples that were read."""
    unreadable: Sequence[str]
    """A line for each example that could not be read."""
    other_classes: int
    """Examples of classes that the bundle does not know, which were passed over."""
    labels: Sequence[str]
    accuracy: float
    """Share of the predictions that are right, in [0, 1]."""
    calibration_error: float
    """See `training.metrics.calibration_error`."""
    min_score: float
    """The bundle's recommended minimum score."""
    right_kept: float
    """Share of the right predictions at or above it."""
    wrong_refused: float
    """Share of the wrong ones below it."""
    confusion: Sequence[Sequence[int]]
    """Counts by label (row) and prediction (column)."""
    classes: Sequence[ClassFigures]
    """Precision, recall, F1 and support of each label."""

    def to_json(self) -> dict[str, Any]:
        """All of it as a JSON object."""
        return {
            "reads": self.reads,
            PLURALS[self.reads]: self.count,
            "unreadable": list(self.unreadable),
            "labels": list(self.labels),
            "accuracy": self.accuracy,
            "calibration_error": self.calibration_error,
            "min_score": self.min_score,
            "right_kept": self.right_kept,
            "wrong_refused": self.wrong_refused,
            "confusion": [list(row) for row in self.confusion],
            "classes": [figures.to_json() for figures in self.classes],
            "other_classes": self.other_classes,
        }

    def table(self) -> str:
        """The sums, then each label's figures and mistakes, as text."""
        others = self.other_classes
        lines = [
            f"{self.count:,} {PLURALS[self.reads]}, {len(self.unreadable)} unreadable"
            + (f", {others:,} of other classes passed over" if others else ""),
            f"accuracy            {self.accuracy:.2%}",
            f"calibration error   {self.calibration_error:.2%} (15 bins)",
            f"at min score {self.min_score:<6g} {self.right_kept:.2%} of the right readings"
            f" kept, {self.wrong_refused:.2%} of the wrong refused",
            "",
            f"{'':>12}  precision  recall      F1     right",
        ]
        for index, (figures, row) in enumerate(zip(self.classes, self.confusion, strict=True)):
            if not figures.support:
                continue
            wrong = sorted(
                ((n, self.labels[k]) for k, n in enumerate(row) if n and k != index), reverse=True
            )
            mistakes = "  ".join(f"{name}: {n}" for n, name in wrong[:8])
            shares = f"{figures.precision:>9.2%} {figures.recall:>7.2%} {figures.f1:>7.2%}"
            count = f"{row[index]}/{figures.support}"
            lines.append(f"{figures.label:>12}  {shares} {count:>9}  {mistakes}".rstrip())
        return "\n".join(lines)


def evaluate(
    data: str = "digits",
    *,
    model: str | Path | None = None,
    folds: int = 10,
    seeds: int = 1,
    epochs: int | None = None,
    seed: int = 0,
    say: Callable[[str], object] = _logger.info,
) -> CrossValidation | Evaluation:
    """Cross-validate the recipe of a built-in data set, or measure a bundle on data of one's own.

    data: `digits`, whose recipe is cross-validated with `folds` folds and `seeds` seeds counted
    from `seed`; or the path of labelled data, which `model` reads (None: the digits model).
    Raises BuildError, also for a `model` without data for it, and BundleError.
    """
    if data in BUILT_IN and model is not None:
        raise BuildError(
            f"--model {model}: with --data {data} networks are trained and no bundle is read; give"
            " --data PATH, the examples that the bundle is to read"
        )
    check_training(epochs=epochs)
    check_seed(seed, seed + seeds - 1)
    check_data(data)
    if data not in BUILT_IN:
        classifier = Classifier(model)
        load_tensorflow(say)
        return evaluate_bundle(Path(data), classifier)
    load_tensorflow(say)
    from .recipes.digits.cross_validation import cross_validate
    from .recipes.digits.recipe import DigitsRecipe

    return cross_validate(DigitsRecipe(), folds, seeds, seed, epochs, say)


def evaluate_bundle(path: Path, classifier: Classifier) -> Evaluation:
    """Read the examples at `path` with a bundle.

    Data with a test part of its own gives only that part. Raises BuildError when it is not what
    the bundle reads, or none of it is of a class with the name of a label.
    """
    from .data.sources.detect import open_source

    source = open_source(path)
    reads = classifier.spec.preprocessing.reads
    if source.reads != reads:
        raise BuildError(f"--data {path}: {source.about}, but the model reads {PLURALS[reads]}")
    index = {label: place for place, label in enumerate(classifier.labels)}
    part = "test" if "test" in source.parts else ""
    mine = [place for place, name in enumerate(source.parts) if part in ("", name)]
    asked = [place for place in mine if source.labels[place] in index]
    truth: list[int] = []
    answers: list[NDArray[np.float32]] = []
    refused = []
    for start in range(0, len(asked), BATCH):
        tensors = []
        for place in asked[start : start + BATCH]:
            try:
                tensors.append(classifier.tensor(source.examples.source(place)))
                truth.append(index[source.labels[place]])
            except InputError as error:
                refused.append(str(error))
        if tensors:
            answers.append(classifier.probabilities(np.stack(tensors)))
    if not answers:
        names = ", ".join(classifier.labels[:12])
        raise BuildError(
            f"--data {path}: {source.about}, but no {reads} of a class that the model knows"
            f" ({names}) could be read"
        )
    others = len(mine) - len(asked)
    return _evaluation(classifier, np.concatenate(answers), np.array(truth), refused, others)


def _evaluation(
    classifier: Classifier,
    probabilities: NDArray[np.float32],
    truth: NDArray[np.int64],
    unreadable: Sequence[str],
    other_classes: int,
) -> Evaluation:
    from .training.metrics import calibration_error
    from .verification.class_report import class_report

    found = probabilities.argmax(1)
    confusion = np.zeros((len(classifier.labels),) * 2, dtype=int)
    np.add.at(confusion, (truth, found), 1)
    right = found == truth
    kept = probabilities.max(1) >= classifier.spec.min_score
    return Evaluation(
        reads=classifier.spec.preprocessing.reads,
        count=len(truth),
        unreadable=unreadable,
        other_classes=other_classes,
        labels=classifier.labels,
        accuracy=float(right.mean()),
        calibration_error=calibration_error(probabilities, truth),
        min_score=classifier.spec.min_score,
        right_kept=float(kept[right].mean()) if right.any() else 0.0,
        wrong_refused=float((~kept[~right]).mean()) if not right.all() else 1.0,
        confusion=confusion.tolist(),
        classes=class_report(truth, found, classifier.labels),
    )
