"""scikit-learn's 1,797 handwritten digits, and their strokes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundle.preprocessing import Ink
from edge_runtime.bundle.spec import InputSpec

from ...data.dataset import Dataset
from ...data.sources.base import Arrays
from ...data.split import TEST_SHARE, VALIDATION_SHARE, Indices, shuffled
from ...data.store import MemoryStore
from .drawing import StrokeDigits

SIDE = 16
"""Height and width of the input in pixels, unless the architecture wants another."""
_FULL = 16
"""The count of scikit-learn's 8x8 values that is full ink."""


def load_digits() -> Dataset:
    """The digits with their fixed split: their counts of 0..16 as 0..255."""
    images, labels = digit_images()
    train, test = shuffled(np.arange(len(labels)), TEST_SHARE)
    return digits_dataset(images, labels, train, test)


def digit_images() -> tuple[NDArray[np.uint8], Indices]:
    """All digits in file order, which is by writer: (1797, 8, 8) uint8 and (1797,) labels."""
    from sklearn.datasets import load_digits as load

    digits = load()
    pixels = np.rint(digits.images * (255 / _FULL)).astype(np.uint8)
    return pixels, digits.target.astype(np.int64)


def digits_dataset(
    images: NDArray[np.uint8], labels: Indices, train: Indices, test: Indices
) -> Dataset:
    """The digits with a given split; the validation part is drawn from `train`."""
    train, validation = shuffled(train, VALIDATION_SHARE, labels[train])
    examples, preprocessing = Arrays([("digits", images)]), Ink()
    return Dataset(
        name="digits",
        about="scikit-learn's handwritten digits, 1,797 images of 8x8",
        images=examples,
        labels=labels,
        class_names=tuple(str(digit) for digit in range(10)),
        preprocessing=preprocessing,
        train=train,
        validation=validation,
        test=test,
        spec=InputSpec(SIDE, SIDE, 1),
        store=MemoryStore(examples, preprocessing),
        augmentation="strokes",
    )


def strokes_of(dataset: Dataset, indices: Indices, spec: InputSpec) -> StrokeDigits:
    """Those digits as strokes, to be drawn again."""
    counts = np.stack([dataset.images[i] for i in indices]) * np.float32(_FULL / 255)
    plain = dataset.labelled(indices, spec)
    assert isinstance(dataset.preprocessing, Ink)
    return StrokeDigits(counts, plain.labels, plain.tensors, dataset.preprocessing)
