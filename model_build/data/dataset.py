"""Examples of any size, their labels and class names, and which of them train, choose and test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundle.preprocessing import Preprocessing
from edge_runtime.bundle.spec import InputSpec

from .sources.base import Examples, Finding
from .split import Indices
from .store import Store


class Tensors(Protocol):
    """(N, height, width, channels) uint8: an array, or what reads it by the slice."""

    def __len__(self) -> int:
        """N."""

    def __getitem__(self, places: Any, /) -> Any:
        """Some of them, as an array."""


@dataclass(frozen=True)
class Labelled:
    """Tensors and what they show."""

    tensors: NDArray[Any]
    """(N, height, width, channels): uint8 input tensors, or what a layer made of them."""
    labels: Indices
    """(N,) positions in the class names."""


@dataclass(frozen=True)
class Picked(Sequence[Any]):
    """Some of the examples of a dataset, opened when they are asked for."""

    open: Callable[[Any], Any]
    """Given a position, or as many as a slice takes."""
    positions: Indices

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, place: Any) -> Any:
        return self.open(self.positions[place])


@dataclass(frozen=True)
class Dataset:
    """Labelled examples, divided into a train, a validation and a test part."""

    name: str
    about: str
    """What it is, for a person, with the number of examples."""
    images: Examples
    """(H, W) grey or (H, W, 3) colour, uint8; of other kinds as their reader gives them; opened
    when asked for."""
    labels: Indices
    """(N,) positions in `class_names`."""
    class_names: tuple[str, ...]
    preprocessing: Preprocessing
    train: Indices
    validation: Indices
    """For early stopping, calibration and every choice; never trained on."""
    test: Indices
    """For the final figures only: nothing is chosen on it."""
    spec: InputSpec
    """The input that suits the examples; an architecture may ask for another."""
    store: Store
    """The input tensors of the examples."""
    augmentation: str
    """What training makes of the examples, in a word for the manifest."""
    findings: tuple[Finding, ...] = ()
    """What its owner should know."""
    groups: Indices | None = None
    """(N,) whole numbers from 0; examples with the same one lie on one side of the split. None
    where each is alone."""
    group_by: str | None = None
    """What its owner says that they are grouped by."""
    near_duplicates: tuple[Indices, ...] = ()
    """Positions of images that are nearly the same, a group each."""
    backbone_spec: InputSpec | None = None
    """The input for a pretrained backbone, where one comes into question."""

    def picked(self, indices: Indices) -> Picked:
        """Those images, each opened when it is asked for."""
        return Picked(self.images.__getitem__, indices)

    def sources(self, indices: Indices) -> Picked:
        """What to hand to a Classifier for them: a path or an array each."""
        return Picked(self.images.source, indices)

    def tensors(self, indices: Indices, spec: InputSpec) -> NDArray[np.uint8]:
        """What the device makes of those images: (len(indices), height, width, channels) uint8."""
        return self.store.tensors(indices, spec)

    def tensors_later(self, indices: Indices, spec: InputSpec) -> Picked:
        """The same, of a slice at a time when it is asked for: all of them may be too many."""
        return Picked(lambda chosen: self.tensors(chosen, spec), indices)

    def labelled(self, indices: Indices, spec: InputSpec) -> Labelled:
        """The tensors of those images and their labels."""
        return Labelled(self.tensors(indices, spec), self.labels[indices])
