"""The recipe for data of a user's own: images, sounds or series."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundle.spec import InputSpec, ModelSpec

from ... import seeds
from ...arguments import ARCHITECTURES, AUTO
from ...calibration import CalibrationSet
from ...data.dataset import Dataset, Labelled
from ...training.config import TrainConfig
from ...training.features import features_model
from ...training.history import Trained
from ...training.metrics import quick_forward
from ...training.workspace import Workspace
from ..recipe import CardText, Say, Tell, Wanted
from ..training import train_network
from . import loading
from .augmentation import AUGMENTATIONS, augmented
from .backbone import train_on_backbone
from .choice import train_best
from .plan import plan
from .rejection import add_rejection_head
from .strangers import draw_strangers
from .stream import AugmentedStream

CHECK_COPIES = 8
CHECK_EXAMPLES = 1000
"""Fewer validation examples are shown augmented as well, until there are this many or each was
shown `CHECK_COPIES` times."""
CHECK_PIXELS = 25_000_000
"""Pixels of them at most, if there is a choice: 498 photos of 224x224."""
KEPT = 0.98
"""The share of right predictions that the recommended minimum score keeps: enough for 95 % on
examples that it was not set on, on three sets of photos."""
QUANTIZATION_SAMPLES = 600
BACKBONE_SAMPLES = 300
"""Of photos for a pretrained network, which take long."""


@dataclass(frozen=True)
class DataOptions:
    """What a user may say about data of their own; None leaves it to the data."""

    size: int | None = None
    """The longer side of the input, in pixels."""
    channels: int | None = None
    """1 for grey, 3 for colour."""
    augmentation: str | None = None
    """A name in `augmentation.AUGMENTATIONS`."""
    group_by: str | None = None
    """What the split does not divide; see `data.groups.group_names`."""


class GenericRecipe:
    """See Recipe."""

    default_architecture = AUTO
    reviews_labels = True
    card = CardText(
        fitted="of the\nexamples as they are and, where these are few, varied as in training",
        kept="On those\nreadings it keeps {kept:.1%} of the right ones and refuses {refused:.1%} of"
        " the wrong ones\nas `unknown`. Of what belongs to no\nclass it refuses {strangers}.",
        limits="Knows only the classes above. Without a minimum score it answers with one of them"
        " for any {reads}; with the recommended one, what looks like them may still get through."
        " Try it on what your device will see.",
    )

    def __init__(self, path: Path, options: DataOptions = DataOptions()) -> None:
        self._path, self._options = path, options

    def load(
        self,
        workspace: Workspace,
        like: ModelSpec | None = None,
        progress: Callable[[int, int], object] = lambda done, total: None,
        architecture: str | None = None,
    ) -> Dataset:
        """The data at the path. Raises BuildError."""
        options = self._options
        return loading.load(
            self._path,
            options.size,
            options.channels,
            options.augmentation,
            options.group_by,
            workspace,
            like,
            progress,
            architecture or self.default_architecture,
        )

    def train(
        self, dataset: Dataset, architecture: str, wanted: Wanted, workspace: Workspace, tell: Tell
    ) -> Trained:
        """A network of that architecture, or of the one that reads the data better."""
        if architecture == AUTO:
            return train_best(self, dataset, wanted, workspace, tell)
        if architecture in ARCHITECTURES:
            return train_network(self, dataset, architecture, wanted, workspace, tell)
        if (wanted.epochs, wanted.batch_size, wanted.learning_rate) != (None, None, None):
            tell.say(
                "--epochs, --batch-size and --learning-rate are for networks trained from nothing:"
                f" not used for {architecture}"
            )
        return train_on_backbone(self, dataset, architecture, wanted, workspace, tell)

    def settings(
        self, dataset: Dataset, architecture: str, seed: int, epochs: int | None = None
    ) -> TrainConfig:
        """The plan for as many examples; without early stop for a given number of epochs."""
        spec = self.input_spec(dataset, architecture)
        config = plan(len(dataset.train), spec, len(dataset.class_names), architecture, seed)
        return config if epochs is None else replace(config, epochs=epochs, patience=None)

    def input_spec(self, dataset: Dataset, architecture: str) -> InputSpec:
        """The input that was chosen when the data was looked through."""
        if architecture in ARCHITECTURES:
            return dataset.spec
        assert dataset.backbone_spec is not None
        return dataset.backbone_spec

    def stream(
        self,
        dataset: Dataset,
        spec: InputSpec,
        architecture: str,
        config: TrainConfig,
        workspace: Workspace,
        say: Say,
    ) -> AugmentedStream:
        """The training part, augmented batch by batch."""
        augment = AUGMENTATIONS[dataset.preprocessing.reads][dataset.augmentation]
        return AugmentedStream(dataset, spec, config, augment)

    def checks(self, dataset: Dataset, spec: InputSpec, seed: int) -> Labelled:
        """The validation part; where it is small, augmented copies behind it."""
        return _validation(dataset, spec, seed + seeds.CHECKS)

    def calibration(self, trained: Trained, dataset: Dataset) -> CalibrationSet:
        """The validation part, as `checks` with other draws."""
        seed = trained.config.seed + seeds.CALIBRATION
        scored = _validation(dataset, trained.input, seed)
        strangers = draw_strangers(
            dataset.preprocessing.reads, trained.input, trained.config.seed + seeds.STRANGERS
        )
        every = len(scored.labels) + sum(map(len, strangers.values()))
        features = quick_forward(features_model(trained.model), every)
        return CalibrationSet(
            scored,
            KEPT,
            smoothing=1 / (len(dataset.validation) + 2),
            features=features(scored.tensors),
            refused={name: features(tensors) for name, tensors in strangers.items()},
        )

    def finish(
        self, trained: Trained, dataset: Dataset, examples: CalibrationSet, say: Say
    ) -> Trained:
        """The network with its rejection head."""
        assert examples.features is not None
        return add_rejection_head(trained, dataset, examples.scored, examples.features)

    def quantization_samples(self, trained: Trained, dataset: Dataset) -> NDArray[np.uint8]:
        """The first examples of the training part, which is shuffled."""
        count = QUANTIZATION_SAMPLES if trained.backbone is None else BACKBONE_SAMPLES
        return dataset.tensors(dataset.train[:count], trained.input)


def _validation(dataset: Dataset, spec: InputSpec, seed: int) -> Labelled:
    plain = dataset.labelled(dataset.validation, spec)
    examples = min(CHECK_EXAMPLES, CHECK_PIXELS // (spec.height * spec.width))
    copies = min(CHECK_COPIES, examples // len(plain.labels))
    augment = AUGMENTATIONS[dataset.preprocessing.reads][dataset.augmentation]
    more = augmented(plain.tensors, augment, copies, seed)
    tensors = np.concatenate([plain.tensors, more])
    return Labelled(tensors, np.tile(plain.labels, copies + 1))
