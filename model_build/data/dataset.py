"""A source of examples: images as they come, labels, class names, and the split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundle.spec import InputSpec, ModelSpec, Preprocessing
from edge_runtime.preprocessing.readers import reader

from ..errors import BuildError
from ..recipes.digits.drawing import StrokeDigits
from ..recipes.generic.augmentation import VARIATIONS, Vary
from ..training.workspace import Workspace
from .input_spec import choose_input
from .inspection import judge, look
from .sources.base import Arrays, Examples, Finding
from .sources.detect import open_source
from .store import TensorStore

Indices = NDArray[np.int64]

TEST_SHARE = 0.2
SPLIT_SEED = 42
VALIDATION_SHARE = 0.1
FEW_VALIDATION_SHARE = 0.2
"""Of data with fewer than `FEW` examples, where a tenth says little."""
FEW = 1000


class Tensors(Protocol):
    """(N, height, width, channels) uint8: an array, or what reads it by the slice."""

    def __len__(self) -> int:
        """N."""

    def __getitem__(self, places: Any, /) -> Any:
        """Some of them, as an array."""


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
    """Images of any size, and which of them train, choose and test."""

    name: str
    about: str
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
    store: TensorStore | None = None
    """Of data that is not the digits: all its tensors, as `store.spec` says."""
    variation: str = "strokes"
    """What training makes of the examples: `strokes`, or a name in `vary.VARIATIONS`."""
    findings: tuple[Finding, ...] = ()
    """What its owner should know."""

    @property
    def vary(self) -> Vary:
        """What training makes of a batch; not of the digits."""
        return VARIATIONS[self.preprocessing.reads][self.variation]

    def picked(self, indices: Indices) -> Picked:
        """Those images, each opened when it is asked for."""
        return Picked(self.images.__getitem__, indices)

    def sources(self, indices: Indices) -> Picked:
        """What to hand to a Classifier for them: a path or an array each."""
        return Picked(self.images.source, indices)

    def tensors(self, indices: Indices, spec: InputSpec) -> NDArray[np.uint8]:
        """What the device makes of those images: (len(indices), height, width, channels) uint8."""
        if self.store is not None and self.store.spec == spec:
            return self.store.read(indices)
        kind, how = reader(self.preprocessing.reads), self.preprocessing
        located = [kind.locate(self.images[i], spec, how) for i in indices]
        return kind.stack(located, spec, how)

    def tensors_later(self, indices: Indices, spec: InputSpec) -> Picked:
        """The same, of a slice at a time when it is asked for: all of them may be too many."""
        return Picked(lambda chosen: self.tensors(chosen, spec), indices)

    def strokes(self, indices: Indices, spec: InputSpec) -> StrokeDigits:
        """Those images as digits to be drawn again; they must be 8x8."""
        counts = np.stack([self.images[i] for i in indices]) * np.float32(16 / 255)
        tensors = self.tensors(indices, spec)
        return StrokeDigits(counts, self.labels[indices], tensors, self.preprocessing)


@dataclass(frozen=True)
class DataOptions:
    """What a user may say about data that is not the digits; None leaves it to the data."""

    size: int | None = None
    """The longer side of the input, in pixels."""
    channels: int | None = None
    """1 for grey, 3 for colour."""
    variation: str | None = None
    """A name in `vary.VARIATIONS`."""


def load_data(
    source: str,
    options: DataOptions = DataOptions(),
    like: ModelSpec | None = None,
    workspace: Workspace | None = None,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Dataset:
    """The digits, or the data at a path, looked through and divided.

    like: the model whose input the tensors are to fit; None chooses one that suits the data.
    workspace: where the tensors are kept for a later run; None keeps them for this one.
    progress: called with how many examples were looked at, and of how many.
    Raises BuildError for a source that is not known or cannot train a classifier.
    """
    if source == "digits":
        if options != DataOptions():
            raise BuildError("--size, --channels and --augment are for data other than the digits")
        return load_digits()
    return load_own(Path(source), options, like, workspace, progress)


def load_own(
    path: Path,
    options: DataOptions,
    like: ModelSpec | None,
    workspace: Workspace | None,
    progress: Callable[[int, int], object],
) -> Dataset:
    """Data of a user's own. Raises BuildError."""
    source = open_source(path)
    if like is not None:
        spec, how = like.input, like.preprocessing
    else:
        try:
            spec, how = choose_input(source, options.size, options.channels)
        except BuildError as error:
            raise BuildError(f"--data {path}: {error}") from None
    if how.reads != source.reads:
        raise BuildError(f"--data {path}: {source.about}, but the model reads {how.reads}")
    fitting = VARIATIONS[how.reads]
    variation = options.variation or next(iter(fitting))
    if options.variation is None and how.reads == "image" and spec.channels == 1:
        variation = "warp"
    if variation not in fitting:
        raise BuildError(f"--augment {variation}: for {how.reads} choose {', '.join(fitting)}")
    store, seen = None, None
    if workspace is not None:
        key = f"{source.examples.fingerprint()}\n{spec}\n{how}"
        seen = workspace.seen() if workspace.keeps("data", key) else None
        store = TensorStore(spec, workspace.folder / "tensors")
    store = store or TensorStore(spec)
    if seen is None:
        total = len(source.examples)
        seen = look(source.examples, spec, how, store, lambda done: progress(done, total))
        if workspace is not None:
            workspace.keep_seen(seen)
    try:
        kept, findings = judge(source, seen)
    except BuildError as error:
        raise BuildError(f"--data {path}: {error}") from None
    class_names = sorted({source.labels[i] for i in kept}, key=_natural)
    index = {label: place for place, label in enumerate(class_names)}
    labels = np.array([index.get(label, -1) for label in source.labels], np.int64)
    parts = np.array(source.parts)[kept]
    test = kept[parts == "test"]
    rest = kept[parts != "test"]
    if not len(test):
        rest, test = stratified(rest, labels, TEST_SHARE)
    validation = kept[parts == "validation"]
    train = np.setdiff1d(rest, validation)
    if not len(validation):
        share = VALIDATION_SHARE if len(train) >= FEW else FEW_VALIDATION_SHARE
        train, validation = stratified(train, labels, share)
    return Dataset(
        name=path.resolve().name,
        about=f"{len(kept):,} {source.about}, {len(class_names)} classes",
        images=source.examples,
        labels=labels,
        class_names=tuple(class_names),
        preprocessing=how,
        train=train,
        validation=validation,
        test=test,
        store=store,
        variation=variation,
        findings=tuple(findings),
    )


def _natural(label: str) -> tuple[int, int, str]:
    """Whole numbers by value and before words."""
    number = label.isascii() and label.isdigit()
    return (0, int(label), label) if number else (1, 0, label)


def stratified(indices: Indices, labels: Indices, share: float) -> tuple[Indices, Indices]:
    """Shuffle and divide; `share` of the indices of each class, one at least, go to the second."""
    rng = np.random.default_rng(SPLIT_SEED)
    first, second = [], []
    for label in np.unique(labels[indices]):
        members = rng.permutation(indices[labels[indices] == label])
        count = max(1, round(share * len(members)))
        second.append(members[:count])
        first.append(members[count:])
    return rng.permutation(np.concatenate(first)), rng.permutation(np.concatenate(second))


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
        images=Arrays([("digits", images)]),
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
