"""Cross-validation of the digits' recipe, beside two classics on the same folds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.dataset import Dataset
from ...data.split import Indices
from ...errors import BuildError
from ...training.metrics import forward
from ...training.trainer import train
from ...training.workspace import Workspace
from ..recipe import Say
from .dataset import digit_images, digits_dataset
from .recipe import DigitsRecipe

ORDERS = ("shuffled", "unshuffled")


@dataclass(frozen=True)
class Summary:
    """How one way of reading did over all folds."""

    accuracy: float
    """Share of all images that are read right, in [0, 1]; the mean over the seeds."""
    lowest_part: float
    """The accuracy of the worst fold."""
    spread_of_parts: float
    """The standard deviation over the folds."""
    by_seed: tuple[float, ...]
    spread_of_seeds: float


@dataclass(frozen=True)
class CrossValidation:
    """The figures of a K-fold cross-validation."""

    folds: int
    seeds: int
    epochs: int
    shuffled: Mapping[str, Summary]
    """By the name of what reads: the network, an SVC, nearest neighbours."""
    unshuffled: Mapping[str, Summary]

    def to_json(self) -> dict[str, Any]:
        """All of it as a JSON object."""
        return asdict(self)

    def table(self) -> str:
        """A table of at most 80 columns."""
        lines = [
            f"{self.folds}-fold cross-validation, {self.seeds} seed(s), {self.epochs} epochs",
            "",
            f"{'parts':<12}{'reader':<12}{'accuracy':>10}{'lowest part':>13}"
            f"{'sd of parts':>13}{'sd of seeds':>13}",
        ]
        for order, summaries in zip(ORDERS, (self.shuffled, self.unshuffled), strict=True):
            lines += [
                f"{order:<12}{name:<12}{one.accuracy:>10.2%}{one.lowest_part:>13.2%}"
                f"{one.spread_of_parts:>13.2%}{one.spread_of_seeds:>13.2%}"
                for name, one in summaries.items()
            ]
        return "\n".join(lines)


def cross_validate(
    recipe: DigitsRecipe,
    folds: int,
    seeds: int,
    seed: int,
    epochs: int | None = None,
    say: Say = lambda line: None,
) -> CrossValidation:
    """K-fold cross-validation on the digits, with shuffled and with unshuffled folds.

    The digits are ordered by writer, so unshuffled folds test on writers never seen. Each fold is
    read by networks trained on the others with `seeds` seeds, counted from `seed`, and by an SVC
    and by nearest neighbours trained on the same digits. epochs: None for those of the recipe.
    Raises BuildError for more folds than digits.
    """
    images, labels = digit_images()
    if folds > len(labels):
        raise BuildError(f"--folds {folds}: at most {len(labels)}, as there are digits")
    flat = images.reshape(len(images), -1)
    found: dict[str, Mapping[str, Summary]] = {}
    for order in ORDERS:
        right: dict[str, list[list[float]]] = {"network": [], "SVC": [], "3-nearest": []}
        sizes = []
        for number, (rest, fold) in enumerate(_folds(folds, len(labels), order), 1):
            dataset = digits_dataset(images, labels, rest, fold)
            scores = [_accuracy(recipe, dataset, s, epochs) for s in range(seed, seed + seeds)]
            right["network"].append(scores)
            for name, predicted in _baselines(flat[rest], labels[rest], flat[fold]):
                right[name].append([float((predicted == labels[fold]).mean())])
            sizes.append(len(fold))
            say(f"{order} part {number}/{folds}: {np.mean(scores):.2%}")
        found[order] = {name: _summary(scores, sizes) for name, scores in right.items()}
    dataset = digits_dataset(images, labels, *next(_folds(folds, len(labels), "shuffled")))
    config = recipe.settings(dataset, recipe.default_architecture, seed, epochs)
    return CrossValidation(folds, seeds, config.epochs, found["shuffled"], found["unshuffled"])


def _accuracy(recipe: DigitsRecipe, dataset: Dataset, seed: int, epochs: int | None) -> float:
    """The accuracy on the test part of a network trained on the train part."""
    architecture = recipe.default_architecture
    config = recipe.settings(dataset, architecture, seed, epochs)
    spec = recipe.input_spec(dataset, architecture)
    with Workspace.temporary() as workspace:
        stream = recipe.stream(dataset, spec, architecture, config, workspace, lambda line: None)
        checks, classes = recipe.checks(dataset, spec, seed), len(dataset.class_names)
        trained = train(stream, checks, spec, classes, architecture, config, workspace)
    test = dataset.labelled(dataset.test, spec)
    return float((forward(trained.model, test.tensors).argmax(1) == test.labels).mean())


def _folds(folds: int, count: int, order: str) -> Iterator[tuple[Indices, Indices]]:
    from sklearn.model_selection import KFold

    shuffle = order == "shuffled"
    kind = KFold(folds, shuffle=shuffle, random_state=0 if shuffle else None)
    return iter(kind.split(np.arange(count)))


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


def _summary(scores: list[list[float]], sizes: Sequence[int]) -> Summary:
    """scores: for each fold the accuracies of its seeds."""
    folds = [float(np.mean(fold)) for fold in scores]
    by_seed = np.average(np.array(scores), axis=0, weights=sizes)
    return Summary(
        accuracy=float(by_seed.mean()),
        lowest_part=min(folds),
        spread_of_parts=float(np.std(folds)),
        by_seed=tuple(float(accuracy) for accuracy in by_seed),
        spread_of_seeds=float(np.std(by_seed)),
    )
