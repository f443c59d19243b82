"""Dividing examples into train, validation and test."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .. import seeds
from ..errors import BuildError

Indices = NDArray[np.int64]

TEST_SHARE = 0.2
VALIDATION_SHARE = 0.1
FEW_VALIDATION_SHARE = 0.2
"""Of data with fewer than `FEW` examples, where a tenth says little."""
FEW = 1000


def divide(
    kept: Indices, parts: NDArray[np.str_], labels: Indices, groups: Indices
) -> tuple[Indices, Indices, Indices]:
    """(train, validation, test) of the examples at `kept`; what their owner has divided stays so.

    parts: of those at `kept`, see `sources.base.Part`. labels, groups: of all, see `stratified`.
    Raises BuildError when groups leave a class nothing to train on.
    """
    test, validation = kept[parts == "test"], kept[parts == "validation"]
    train = kept[(parts != "test") & (parts != "validation")]
    if not len(test):
        train, test = stratified(train, labels, TEST_SHARE, groups)
        train.sort()
    if not len(validation):
        share = VALIDATION_SHARE if len(train) >= FEW else FEW_VALIDATION_SHARE
        train, validation = stratified(train, labels, share, groups)
    if len(set(labels[train])) < len(set(labels[kept])):
        raise BuildError(
            "the groups leave a class nothing to train on, since they hold several classes;"
            " group by something smaller"
        )
    return train, validation, test


def stratified(
    indices: Indices, labels: Indices, share: float, groups: Indices | None = None
) -> tuple[Indices, Indices]:
    """Shuffle and divide; `share` of the indices of each class, one at least, go to the second.

    labels: (N,) the classes of all examples. groups: (N,) whole numbers from 0; examples of one
    group stay together, so that the share is met as nearly as whole groups allow.
    """
    rng = np.random.default_rng(seeds.SPLIT)
    groups = np.arange(len(labels)) if groups is None else groups
    chosen = np.zeros(groups.max() + 1, bool)
    classes = []
    for label in np.unique(labels[indices]):
        members = rng.permutation(indices[labels[indices] == label])
        classes.append(members)
        _choose(chosen, groups[members], max(1, round(share * len(members))))
    first = [members[~chosen[groups[members]]] for members in classes]
    second = [members[chosen[groups[members]]] for members in classes]
    return rng.permutation(np.concatenate(first)), rng.permutation(np.concatenate(second))


def _choose(chosen: NDArray[np.bool_], groups: Indices, wanted: int) -> None:
    """Mark groups of a class, in order, while each brings their examples nearer to `wanted`.

    chosen: by group, of classes before this one too. groups: of the members of the class. Where
    none would bring it nearer, the smallest is marked.
    """
    names, places, sizes = np.unique(groups, return_index=True, return_counts=True)
    taken = int(sizes[chosen[names]].sum())
    for place in np.argsort(places):
        if taken >= wanted:
            break
        if not chosen[names[place]] and 2 * taken + sizes[place] <= 2 * wanted:
            chosen[names[place]] = True
            taken += int(sizes[place])
    if not taken:
        chosen[names[sizes.argmin()]] = True


def shuffled(
    indices: Indices, share: float, stratify: Indices | None = None
) -> tuple[Indices, Indices]:
    """Shuffle and divide by scikit-learn; `share` of the indices go to the second part.

    stratify: a label for each index, whose shares are kept in both parts.
    """
    from sklearn.model_selection import train_test_split

    first, second = train_test_split(
        indices, test_size=share, random_state=seeds.SPLIT, stratify=stratify
    )
    return first, second
