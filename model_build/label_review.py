"""Labels to look at: examples that the trained network's features put into another class.

After confident learning (Northcutt et al., 2021). The network is not trained again: a logistic
regression on the features before its last dense layer is, on all folds but the one that it judges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import seeds
from .data.dataset import Dataset
from .data.sources.base import NAMED
from .data.split import Indices
from .training.features import features_of
from .training.history import Trained

Floats = NDArray[np.float64]

FOLDS = 5
"""The customary number: each judge has learnt from four fifths of the examples."""
MOST_FITTED = 10_000
"""Examples that a judge learns from: more add nothing to a linear one of a few hundred features."""
STRENGTH = 10.0
"""Of the data against the ridge penalty (scikit-learn's C), over the number of features, so that
the prior of the logits is the same for any number. With 5 % of the labels swapped, all of those of
500 pets (1,280 features) and 93 % of those of 799 leaves (128) were in the first tenth; ten times
as strong 99 % and 88 %."""


@dataclass(frozen=True)
class LabelReview:
    """All examples, those with the most doubtful labels first."""

    positions: Indices
    """(N,) where they stand in the dataset."""
    others: Indices
    """(N,) the class that each is read as, other than that of its label."""
    scores: Floats
    """(N,) the probability of its label, in [0, 1]."""
    other_scores: Floats
    """(N,) the probability of that other class."""
    doubtful: NDArray[np.bool_]
    """(N,) True for labels that are probably wrong; see `noisy_labels`."""

    @property
    def count(self) -> int:
        """How many labels are doubtful."""
        return int(self.doubtful.sum())

    def line(self, dataset: Dataset, named: int = NAMED) -> str:
        """How many labels to look at there are, and the first ones, in one line."""
        about = f"{self.count:,} of {len(self.positions):,} labels to look at"
        if not self.count:
            return about
        first = [
            f"{dataset.images.name(position)} (as {dataset.class_names[other]})"
            for position, other in zip(
                self.positions[: min(named, self.count)], self.others, strict=False
            )
        ]
        more = ", ..." if self.count > named else ""
        return f"{about}: {', '.join(first)}{more}"


def review_labels(trained: Trained, dataset: Dataset) -> LabelReview:
    """Judge the labels of all three parts of a dataset by the features of a trained network.

    Of a tuned backbone they are those from before: its last blocks have learnt the labels.
    """
    trained = trained.before or trained
    positions = np.sort(np.concatenate([dataset.train, dataset.validation, dataset.test]))
    features = features_of(trained, dataset, positions)
    groups = np.arange(len(positions)) if dataset.groups is None else dataset.groups[positions]
    labels = dataset.labels[positions]
    probabilities = cross_fitted(features, labels, groups, len(dataset.class_names))
    rows = np.arange(len(labels))
    scores, others = probabilities[rows, labels], _best_other(probabilities, labels)
    other_scores = probabilities[rows, others]
    doubtful = noisy_labels(probabilities, labels)
    order = np.lexsort((scores - other_scores, ~doubtful))
    return LabelReview(
        positions[order], others[order], scores[order], other_scores[order], doubtful[order]
    )


def cross_fitted(
    features: NDArray[np.float32], labels: Indices, groups: Indices, classes: int
) -> Floats:
    """(N, classes) probabilities, each by a judge that has seen no example of the same group.

    features: (N, F). labels, groups: (N,) whole numbers.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(seeds.LABEL_REVIEW)
    folds = _folds(labels, groups, rng)
    strength = STRENGTH / features.shape[1]
    found = np.zeros((len(labels), classes))
    for fold in range(FOLDS):
        mine = np.flatnonzero(folds == fold)
        others = rng.permutation(np.flatnonzero(folds != fold))[:MOST_FITTED]
        if not len(mine) or len(set(labels[others])) < 2:
            continue
        judge = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
        judge.fit(features[others], labels[others])
        found[np.ix_(mine, judge.classes_)] = judge.predict_proba(features[mine])
    return found


def noisy_labels(probabilities: Floats, labels: Indices) -> NDArray[np.bool_]:
    """(N,) True for labels that confident learning takes for noise ("prune by noise rate").

    An example counts to the class whose probability is at least the one that the class's own
    examples have on average, to the most probable one of several. From the counts follows how many
    labels of each class belong to each other; those are taken whose margin is the largest.
    """
    classes = probabilities.shape[1]
    members = [np.flatnonzero(labels == label) for label in range(classes)]
    least = [probabilities[mine, k].mean() if len(mine) else 1 for k, mine in enumerate(members)]
    confident = np.where(probabilities >= np.array(least), probabilities, 0)
    noisy = np.zeros(len(labels), bool)
    for label, mine in enumerate(members):
        sure = mine[confident[mine].any(1)]
        counts = np.bincount(confident[sure].argmax(1), minlength=classes)
        for other in np.flatnonzero(counts):
            if other != label:
                margins = probabilities[mine, other] - probabilities[mine, label]
                wanted = round(counts[other] * len(mine) / len(sure))
                worst = np.argsort(-margins, kind="stable")[:wanted]
                noisy[mine[worst[margins[worst] > 0]]] = True
    return noisy


def _best_other(probabilities: Floats, labels: Indices) -> Indices:
    others = probabilities.copy()
    others[np.arange(len(labels)), labels] = -1
    best: Indices = others.argmax(1)
    return best


def _folds(labels: Indices, groups: Indices, rng: np.random.Generator) -> Indices:
    """(N,) a fold for each example: groups stay whole, classes are spread evenly."""
    order = rng.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    _, first, number = np.unique(groups[order], return_index=True, return_inverse=True)
    place = np.empty(len(first), np.int64)
    place[np.argsort(first)] = np.arange(len(first)) % FOLDS
    folds = np.empty(len(labels), np.int64)
    folds[order] = place[number]
    return folds
