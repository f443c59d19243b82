"""A source of examples: images as they come, labels, class names, and the split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.manifest import InputSpec, Preprocessing
from edge_runtime.preprocess import prepare

from .augment import StrokeDigits
from .errors import BuildError

Indices = NDArray[np.int64]

TEST_SHARE = 0.2
SPLIT_SEED = 42
VALIDATION_SHARE = 0.1


@dataclass(frozen=True)
class Dataset:
    """Images of any size, and which of them train, choose and test."""

    name: str
    about: str
    images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]
    """(H, W) grey or (H, W, 3) colour, uint8."""
    labels: Indices
    """(N,) positions in `class_names`."""
    class_names: tuple[str, ...]
    preprocessing: Preprocessing
    train: Indices
    validation: Indices
    """For early stopping, calibration and every choice; never trained on."""
    test: Indices
    """For the final figures only: nothing is chosen on it."""

    def tensors(self, indices: Indices, spec: InputSpec) -> NDArray[np.uint8]:
        """What the device makes of those images: (len(indices), height, width, channels) uint8."""
        made = [prepare(self.images[i], spec, self.preprocessing) for i in indices]
        return np.stack(made) if made else np.zeros((0, *spec.shape), np.uint8)

    def strokes(self, indices: Indices, spec: InputSpec) -> StrokeDigits:
        """Those images as digits to be drawn again; they must be 8x8."""
        counts = np.stack([self.images[i] for i in indices]) * np.float32(16 / 255)
        tensors = self.tensors(indices, spec)
        return StrokeDigits(counts, self.labels[indices], tensors, self.preprocessing)


def load_data(source: str) -> Dataset:
    """The dataset by name. Raises BuildError for a source that is not known."""
    if source != "digits":
        raise BuildError(f"--data {source}: not known; this version trains on: digits")
    return load_digits()


def load_digits() -> Dataset:
    """scikit-learn's 1,797 handwritten digits, 8x8, their counts of 0..16 as 0..255."""
    images, labels = digit_images()
    everything = np.arange(len(labels))
    train, test = split(everything, TEST_SHARE, SPLIT_SEED)
    return digits_dataset(images, labels, train, test)


def digit_images() -> tuple[NDArray[np.uint8], Indices]:
    """All digits in file order, which is by writer: (1797, 8, 8) uint8 and (1797,) labels."""
    from sklearn.datasets import load_digits as load

    digits = load()
    pixels = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    return pixels, digits.target.astype(np.int64)


def digits_dataset(
    images: NDArray[np.uint8], labels: Indices, train: Indices, test: Indices
) -> Dataset:
    """The digits with a given split; the validation part is drawn from `train`."""
    train, validation = split(train, VALIDATION_SHARE, SPLIT_SEED, labels[train])
    return Dataset(
        name="digits",
        about="scikit-learn's handwritten digits, 1,797 images of 8x8",
        images=images,
        labels=labels,
        class_names=tuple(str(digit) for digit in range(10)),
        preprocessing=Preprocessing("ink"),
        train=train,
        validation=validation,
        test=test,
    )


def split(
    indices: Indices, share: float, seed: int, stratify: Indices | None = None
) -> tuple[Indices, Indices]:
    """Shuffle and divide; `share` of the indices go to the second part."""
    from sklearn.model_selection import train_test_split

    first, second = train_test_split(indices, test_size=share, random_state=seed, stratify=stratify)
    return first, second
