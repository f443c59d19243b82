"""How good is the recipe, and how good is a bundle: figures that no test image helped to choose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime import Classifier, InputError
from edge_runtime.inputs.formats import PLURALS

from .calibration import calibration_error
from .data.dataset import Indices, digit_images, digits_dataset
from .data.sources.detect import open_source
from .errors import BuildError
from .training.trainer import TrainConfig, train

Figures = dict[str, Any]

BATCH = 64


def cross_validate(
    folds: int,
    seeds: int,
    config: TrainConfig,
    progress: Callable[[str], object] = lambda line: None,
) -> Figures:
    """K-fold cross-validation on the digits, with shuffled and with unshuffled parts.

    The digits are ordered by writer, so unshuffled parts test on writers never seen. Each
    part is read by networks trained on the others with `seeds` seeds, counted from
    `config.seed`, and by an SVC and by nearest neighbours trained on the same parts.
    """
    images, labels = digit_images()
    flat = images.reshape(len(images), -1)
    figures: Figures = {"folds": folds, "seeds": seeds, "epochs": config.epochs}
    for order in ("shuffled", "unshuffled"):
        right: dict[str, list[list[float]]] = {"network": [], "SVC": [], "3-nearest": []}
        for number, (rest, part) in enumerate(_folds(folds, len(labels), order), 1):
            dataset = digits_dataset(images, labels, rest, part)
            scores = []
            for seed in range(config.seed, config.seed + seeds):
                trained = train(dataset, "compact", replace(config, seed=seed))
                tensors = dataset.tensors(part, trained.input).astype(np.float32)
                found = np.asarray(trained.model(tensors, training=False)).argmax(1)
                scores.append(float((found == labels[part]).mean()))
            right["network"].append(scores)
            for name, found in _baselines(flat[rest], labels[rest], flat[part]):
                right[name].append([float((found == labels[part]).mean())])
            progress(f"{order} part {number}/{folds}: {np.mean(scores):.2%}")
        sizes = [len(part) for _, part in _folds(folds, len(labels), order)]
        figures[order] = {name: _summary(scores, sizes) for name, scores in right.items()}
    return figures


def _folds(folds: int, count: int, order: str) -> Iterator[tuple[Indices, Indices]]:
    from sklearn.model_selection import KFold

    shuffle = order == "shuffled"
    return iter(
        KFold(folds, shuffle=shuffle, random_state=0 if shuffle else None).split(np.arange(count))
    )


def _baselines(
    train_images: NDArray[np.uint8], labels: Indices, images: NDArray[np.uint8]
) -> Iterator[tuple[str, Indices]]:
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import SVC

    counts = 16 / 255  # the parameters are for the digits' own values, 0 to 16
    for name, model in (
        ("SVC", SVC(gamma=0.001, C=10)),
        ("3-nearest", KNeighborsClassifier(3)),
    ):
        yield name, model.fit(train_images * counts, labels).predict(images * counts)


def _summary(scores: list[list[float]], sizes: list[int]) -> Figures:
    """Accuracy over all images, and the spread of the parts; scores: one list a part."""
    parts = [float(np.mean(part)) for part in scores]
    seeds = np.average(np.array(scores), axis=0, weights=sizes)
    return {
        "accuracy": float(seeds.mean()),
        "lowest_part": min(parts),
        "spread_of_parts": float(np.std(parts)),
        "by_seed": [float(accuracy) for accuracy in seeds],
        "spread_of_seeds": float(np.std(seeds)),
    }


def fold_table(figures: Figures) -> str:
    """The figures of `cross_validate` as a table of at most 80 columns."""
    lines = [
        f"{figures['folds']}-fold cross-validation, {figures['seeds']} seed(s),"
        f" {figures['epochs']} epochs",
        "",
        f"{'parts':<12}{'reader':<12}{'accuracy':>10}{'lowest part':>13}"
        f"{'sd of parts':>13}{'sd of seeds':>13}",
    ]
    for order in ("shuffled", "unshuffled"):
        for name, summary in figures[order].items():
            lines.append(
                f"{order:<12}{name:<12}{summary['accuracy']:>10.2%}{summary['lowest_part']:>13.2%}"
                f"{summary['spread_of_parts']:>13.2%}{summary['spread_of_seeds']:>13.2%}"
            )
    return "\n".join(lines)


def evaluate_own(path: Path, bundle: str | None) -> Figures:
    """Read the examples at `path` with a bundle (None: the digits inside edge-runtime).

    Of data with a test part of its own only that is read. Raises BuildError when it is not what
    the bundle reads, or none of it is of a class with the name of a label.
    """
    classifier = Classifier(bundle)
    source = open_source(path)
    reads = classifier.spec.preprocessing.reads
    if source.reads != reads:
        raise BuildError(f"--data {path}: {source.about}, but the model reads {PLURALS[reads]}")
    index = {label: place for place, label in enumerate(classifier.labels)}
    part = "test" if "test" in source.parts else ""
    mine = [place for place, name in enumerate(source.parts) if part in ("", name)]
    asked = [place for place in mine if source.labels[place] in index]
    truth: list[int] = []
    readings: list[NDArray[np.float32]] = []
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
            readings.append(classifier.probabilities(np.stack(tensors)))
    if not readings:
        names = ", ".join(classifier.labels[:12])
        raise BuildError(
            f"--data {path}: {source.about}, but no {reads} of a class that the model knows"
            f" ({names}) could be read"
        )
    return _figures(classifier, reads, np.concatenate(readings), np.array(truth), refused) | {
        "other_classes": len(mine) - len(asked)
    }


def _figures(
    classifier: Classifier,
    reads: str,
    probabilities: NDArray[np.float32],
    truth: Indices,
    refused: list[str],
) -> Figures:
    found = probabilities.argmax(1)
    confusion = np.zeros((len(classifier.labels),) * 2, dtype=int)
    np.add.at(confusion, (truth, found), 1)
    right = found == truth
    kept = probabilities.max(1) >= classifier.spec.min_score
    return {
        "reads": reads,
        PLURALS[reads]: len(truth),
        "unreadable": refused,
        "labels": list(classifier.labels),
        "accuracy": float(right.mean()),
        "calibration_error": calibration_error(probabilities, truth),
        "min_score": classifier.spec.min_score,
        "right_kept": float(kept[right].mean()) if right.any() else 0.0,
        "wrong_refused": float((~kept[~right]).mean()) if not right.all() else 1.0,
        "confusion": confusion.tolist(),
    }


def own_table(figures: Figures) -> str:
    """The figures of `evaluate_own` as text: the sums, then each label's mistakes."""
    things, others = PLURALS[figures["reads"]], figures["other_classes"]
    lines = [
        f"{figures[things]:,} {things}, {len(figures['unreadable'])} unreadable"
        + (f", {others:,} of other classes passed over" if others else ""),
        f"accuracy            {figures['accuracy']:.2%}",
        f"calibration error   {figures['calibration_error']:.2%} (15 bins)",
        f"at min score {figures['min_score']:<6g} {figures['right_kept']:.2%} of the right readings"
        f" kept, {figures['wrong_refused']:.2%} of the wrong refused",
        "",
    ]
    for label, row in zip(figures["labels"], figures["confusion"], strict=True):
        if not sum(row):
            continue
        index = figures["labels"].index(label)
        wrong = sorted(
            ((n, figures["labels"][k]) for k, n in enumerate(row) if n and k != index), reverse=True
        )
        mistakes = "  ".join(f"{name}: {n}" for n, name in wrong[:8])
        lines.append(f"{label:>12}  {row[index]:>6}/{sum(row):<6} {mistakes}".rstrip())
    return "\n".join(lines)
