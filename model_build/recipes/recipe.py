"""What a recipe is: all that differs between one kind of data and another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundle.spec import InputSpec, ModelSpec

from ..calibration import CalibrationSet
from ..data.dataset import Dataset, Labelled
from ..errors import BuildError
from ..training.config import TrainConfig
from ..training.history import Epoch, Trained
from ..training.stream import Stream
from ..training.workspace import Workspace

Say = Callable[[str], object]
"""Called with a line for a person."""


@dataclass(frozen=True)
class Wanted:
    """What a user may say of a training; None leaves it to the data."""

    seed: int = 0
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    weights: Path | None = None
    """A file with the weights of a pretrained network of `keras.applications`."""
    callbacks: Sequence[keras.callbacks.Callback] = ()
    """Keras callbacks of the user's own."""


@dataclass(frozen=True)
class Tell:
    """Whom a training tells how far it is."""

    say: Say = lambda line: None
    epoch: Callable[[Epoch, int], object] = lambda epoch, epochs: None
    """Called with each epoch and the number of epochs."""
    computed: Callable[[int, int, float], object] = lambda done, total, seconds: None
    """Called with how many examples a backbone has seen, of how many, and the seconds left."""


@dataclass(frozen=True)
class CardText:
    """What a model card says of the data's recipe."""

    fitted: str
    """What the temperature was fitted on."""
    kept: str
    """What the minimum score keeps and refuses; `str.format` fills in the calibration, and as
    `strangers` what it refuses of each kind of thing that belongs to no class."""
    limits: str
    """What the model is not for."""


def refuse_other_data(like: ModelSpec, about: str, names: Sequence[str], kind: str) -> None:
    """Raise BuildError for data that a model cannot have been trained on.

    like: the model. about: what the data is. names: its classes; an output of the network is the
    position of a class, so they must be the model's in the same order. kind: that of its
    preprocessing.
    """
    if tuple(names) != like.labels:
        ours, theirs = _few(like.labels), _few(names)
    elif kind != like.preprocessing.kind:
        ours, theirs = f"{like.preprocessing.kind} preprocessing", kind
    else:
        return
    raise BuildError(
        f"the bundle {like.name!r} was trained on other data ({ours}) than {about} ({theirs}); give"
        " --data PATH, the data that it was trained on"
    )


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")


class Recipe(Protocol):
    """How a classifier of one kind of data is made; the trainer and the exports know none."""

    default_architecture: str
    card: CardText
    reviews_labels: bool
    """True where the trained network is to judge the labels it was trained on."""

    def load(
        self,
        workspace: Workspace,
        like: ModelSpec | None = None,
        progress: Callable[[int, int], object] = lambda done, total: None,
        architecture: str | None = None,
    ) -> Dataset:
        """The examples, looked through and divided.

        workspace: where prepared tensors are kept for a later run. like: the model whose input
        the tensors are to fit, and whose classes the data must have; None chooses one that suits
        the data and the architecture. progress: called with how many examples were looked at, and
        of how many. Raises BuildError.
        """

    def train(
        self, dataset: Dataset, architecture: str, wanted: Wanted, workspace: Workspace, tell: Tell
    ) -> Trained:
        """A trained network of that architecture. Raises BuildError."""

    def settings(
        self, dataset: Dataset, architecture: str, seed: int, epochs: int | None = None
    ) -> TrainConfig:
        """The settings that suit the data. epochs: as many, without stopping early."""

    def input_spec(self, dataset: Dataset, architecture: str) -> InputSpec:
        """The input of a model of that architecture."""

    def stream(
        self,
        dataset: Dataset,
        spec: InputSpec,
        architecture: str,
        config: TrainConfig,
        workspace: Workspace,
        say: Say,
    ) -> Stream:
        """What training shows, epoch after epoch."""

    def checks(self, dataset: Dataset, spec: InputSpec, seed: int) -> Labelled:
        """Examples of the validation part that every epoch is measured on."""

    def calibration(self, trained: Trained, dataset: Dataset) -> CalibrationSet:
        """What the temperature and the minimum score are set on."""

    def finish(
        self, trained: Trained, dataset: Dataset, examples: CalibrationSet, say: Say
    ) -> Trained:
        """The trained network with all that is added to it afterwards. examples: those of
        `calibration`."""

    def quantization_samples(self, trained: Trained, dataset: Dataset) -> NDArray[np.uint8]:
        """(N, height, width, channels) tensors that set the ranges of the int8 files."""
