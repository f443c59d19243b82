"""The recipe of the digits: drawn again by other hands, with a rejection head for letters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import keras
import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundle.spec import InputSpec, ModelSpec

from ... import seeds
from ...arguments import AUTO
from ...calibration import CalibrationSet
from ...data.dataset import Dataset, Labelled
from ...models import find_architecture
from ...training.config import TrainConfig
from ...training.history import Trained
from ...training.trainer import train_to_the_end
from ...training.workspace import Workspace
from ..recipe import CardText, Say, Tell, Wanted, refuse_other_data
from ..training import train_network
from .dataset import load_digits, strokes_of
from .drawing import StrokeDigits
from .label_noise import doubtful
from .letters import draw_letters, learnt_letters, other_letters
from .outliers import draw_outliers
from .rejection import add_rejection_head
from .stream import DrawnStream

CHECK_COPIES = 8
"""How often each validation digit is drawn again, so that few images tell epochs apart."""
CALIBRATION_COPIES = 50
"""How often each validation digit is drawn again to set the temperature and the minimum score."""
KEPT = 0.998
"""The share of the right predictions, of digits drawn again, that the minimum score keeps: of other
hands 98 % or more. At 0.999 it refuses 53 % of the letters, not 60 %."""
REFUSED = 2000
"""Non-digits, and as many letters, of which the share below the minimum score is measured."""
QUANTIZATION_DIGITS = 600
QUANTIZATION_LETTERS = 200
"""Letters beside the digits, since no digit closes the rejection head."""
SHORT = 20
"""Epochs below which a training is a first try: its int8 files are worse unless its rate falls to
zero, and networks trained so briefly would doubt too many digits."""


@dataclass(frozen=True)
class DigitsConfig(TrainConfig):
    """The settings of a training on the digits, and those that no other recipe has."""

    epochs: int = 320
    batch_size: int = 128
    least_rate: float = 0.4
    """Weights that keep moving, averaged, read other hands better than those that settle
    (Izmailov et al., 2018)."""
    averaging: float = 0.25
    outliers: float = 0.15
    """Generated non-digits, for each digit, that the network learns to doubt."""
    judges: float = 0.2
    """Share of the epochs for which the networks that look for label noise are trained."""


class DigitsRecipe:
    """See Recipe."""

    default_architecture = "compact"
    reviews_labels = False
    card = CardText(
        fitted="half of them of the digits as they are,\nhalf of them of the digits drawn again",
        kept="On the\nvalidation images drawn again it keeps {kept:.1%} of the right readings; of"
        " generated\nnon-digits (noise, textures, turned digits, pairs, scribbles) it refuses\n"
        "{refused:.1%} as `unknown`, and {letters_refused:.1%} of all letters in print, in fonts"
        " that were not\ntrained on.",
        limits="Reads one handwritten digit in an image. Print, several digits in one image, and"
        " writing that is no digit were not part of its training: it may answer all the same."
        " Letters that look like digits (O, l, S, Z, B) are read as digits; most others, in print,"
        " get a score below the minimum score."
        " Use the minimum score, and check on images of your own before you rely on it.",
    )

    def load(
        self,
        workspace: Workspace,
        like: ModelSpec | None = None,
        progress: Callable[[int, int], object] = lambda done, total: None,
        architecture: str | None = None,
    ) -> Dataset:
        """scikit-learn's digits. Raises BuildError for a model of other data."""
        dataset = load_digits()
        if like is not None:
            kind = dataset.preprocessing.kind
            refuse_other_data(like, dataset.about, dataset.class_names, kind)
        return dataset

    def train(
        self, dataset: Dataset, architecture: str, wanted: Wanted, workspace: Workspace, tell: Tell
    ) -> Trained:
        """A network that has learnt to read digits. Raises BuildError."""
        if architecture == AUTO:
            architecture = self.default_architecture
        return train_network(self, dataset, architecture, wanted, workspace, tell)

    def settings(
        self, dataset: Dataset, architecture: str, seed: int, epochs: int | None = None
    ) -> DigitsConfig:
        """The settings of the reference bundle; a short training settles."""
        config = DigitsConfig(seed=seed)
        if epochs is not None:
            config = replace(config, epochs=epochs)
        return config.settling() if config.epochs < SHORT else config

    def input_spec(self, dataset: Dataset, architecture: str) -> InputSpec:
        """The size that the architecture wants."""
        side = find_architecture(architecture).side
        return InputSpec(side, side, 1)

    def stream(
        self,
        dataset: Dataset,
        spec: InputSpec,
        architecture: str,
        config: TrainConfig,
        workspace: Workspace,
        say: Say,
    ) -> DrawnStream:
        """The training digits drawn again, but for those that could be taken for others."""
        assert isinstance(config, DigitsConfig)
        digits = strokes_of(dataset, dataset.train, spec)
        judging = int(config.epochs * config.judges)
        if judging >= SHORT:
            digits.doubtful = self._label_noise(
                dataset, digits, spec, architecture, replace(config, epochs=judging), workspace, say
            )
            say(
                f"{digits.doubtful.sum()} of {len(digits.labels)} digits could be taken for others;"
                " they are shown as they are, not drawn again"
            )
        return DrawnStream(digits, len(dataset.class_names), config.outliers, config, workspace)

    def _label_noise(
        self,
        dataset: Dataset,
        digits: StrokeDigits,
        spec: InputSpec,
        architecture: str,
        config: DigitsConfig,
        workspace: Workspace,
        say: Say,
    ) -> NDArray[np.bool_]:
        kept = workspace.arrays("label_noise")
        if kept is not None:
            return kept["doubtful"]
        classes = len(dataset.class_names)

        def judge(some: StrokeDigits, seed: int) -> keras.Model:
            settings = replace(config, seed=seed)
            stream = DrawnStream(some, classes, config.outliers, settings)
            return train_to_the_end(stream, spec, classes, architecture, settings)

        found = doubtful(digits, dataset.train, judge, config.seed, say)
        workspace.keep_arrays("label_noise", {"doubtful": found})
        return found

    def checks(self, dataset: Dataset, spec: InputSpec, seed: int) -> Labelled:
        """The validation digits as they are and drawn again."""
        plain = dataset.labelled(dataset.validation, spec)
        rng = np.random.default_rng(seed + seeds.CHECKS)
        drawn = _drawn(strokes_of(dataset, dataset.validation, spec), CHECK_COPIES, rng)
        tensors = np.concatenate([plain.tensors, drawn.tensors])
        return Labelled(tensors, np.concatenate([plain.labels, drawn.labels]))

    def calibration(self, trained: Trained, dataset: Dataset) -> CalibrationSet:
        """The validation digits drawn again, and as they are: few, and nearly all read right."""
        digits = strokes_of(dataset, dataset.validation, trained.input)
        rng = np.random.default_rng(trained.config.seed + seeds.CALIBRATION)
        drawn = _drawn(digits, CALIBRATION_COPIES, rng)
        return CalibrationSet(
            scored=drawn,
            plain=dataset.labelled(dataset.validation, trained.input),
            kept=KEPT,
            refused={
                "refused": draw_outliers(digits, REFUSED, rng),
                "letters_refused": draw_letters(other_letters(), REFUSED, digits, rng),
            },
        )

    def finish(
        self, trained: Trained, dataset: Dataset, examples: CalibrationSet, say: Say
    ) -> Trained:
        """The network with its rejection head."""
        say("learning to doubt letters ...")
        return add_rejection_head(trained, dataset)

    def quantization_samples(self, trained: Trained, dataset: Dataset) -> NDArray[np.uint8]:
        """Training digits as they are, and letters."""
        plain = dataset.tensors(dataset.train[:QUANTIZATION_DIGITS], trained.input)
        digits = strokes_of(dataset, dataset.train, trained.input)
        rng = np.random.default_rng(trained.config.seed + seeds.QUANTIZATION)
        letters = draw_letters(learnt_letters(), QUANTIZATION_LETTERS, digits, rng)
        return np.concatenate([plain, letters])


def _drawn(digits: StrokeDigits, copies: int, rng: np.random.Generator) -> Labelled:
    """Each digit drawn again so many times."""
    tensors = np.concatenate([digits.digits(rng) for _ in range(copies)])
    return Labelled(tensors, np.tile(digits.labels, copies))
