"""The same real images through every artifact, each in the library that its users use."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ..data.dataset import Tensors
from ..export.artifacts import Artifact
from ..export.paired import Paired, paired
from ..training.metrics import forward
from .features import features_difference
from .runners import Probabilities, load_runner, size_of

BATCH_SIZES = (1, 7, 64)
BATCHED, BATCHED_PIXELS = 21, 1_100_000
"""The images that are read at every batch size: as many at least, and more up to these pixels. The
others are read at the largest size alone, since large networks take their time."""
_CHUNK = 512


@dataclass(frozen=True)
class Gates:
    """What an export must keep of the Keras model."""

    fp32_difference: float = 1e-5
    """Largest difference of a probability, and of a feature as a share of the largest; every label
    must be equal too, unless Keras's own probabilities of the two labels are that close."""
    float16_difference: float = 5e-3
    """Likewise."""
    int8_accuracy_loss: float = 0.003
    """How far, as a share of the images, accuracy may fall below that of Keras. More fails only
    where it is significant: of few images, a share says little."""
    int8_p_value: float = 0.05
    """The p-value below which it is; see `Paired`."""


@dataclass(frozen=True)
class ArtifactReport:
    """One artifact beside the Keras model."""

    path: str
    format: str
    precision: str
    bytes: int
    accuracy: float
    """Share of the images that are read right."""
    agreement: float
    """Share of the images that get Keras's label, over all batch sizes the smallest."""
    max_difference: float
    """Largest difference of a probability from Keras's, over all batch sizes."""
    milliseconds: float
    """For an image, one at a time: the median over those read so."""
    disagreeing: tuple[int, ...]
    """Positions in the dataset of the images that get another label than Keras gives."""
    failure: str | None
    """Which gate stayed shut and by how much; None when all opened."""


@dataclass(frozen=True)
class ParityReport:
    """All artifacts, on the same images."""

    dataset: str
    images: int
    batch_sizes: tuple[int, ...]
    gates: Gates
    artifacts: tuple[ArtifactReport, ...] = field(default=())
    batched: int = 0
    """As many of the images were read at every batch size, all of them at the largest."""
    features_difference: float | None = None
    """See `features.features_difference`, of the fp32 ONNX file."""

    @property
    def failures(self) -> list[str]:
        """One line for each artifact that failed its gate."""
        return [f"{a.path}: {a.failure}" for a in self.artifacts if a.failure]

    @property
    def dispensable(self) -> list[ArtifactReport]:
        """The int8 artifacts that failed their gates: a bundle may go without them."""
        return [a for a in self.artifacts if a.failure and a.precision == "int8"]

    def dumps(self) -> str:
        """The report as JSON text."""
        left_out = [artifact.path for artifact in self.dispensable]
        passed = len(left_out) == len(self.failures)
        return json.dumps(asdict(self) | {"passed": passed, "left_out": left_out}, indent=2) + "\n"

    def table(self) -> str:
        """The report as a table of at most 80 columns; longer names are cut in the middle."""
        size = max([9, *(len(f"{a.bytes:,}") for a in self.artifacts)])
        names = ["artifact", *(a.path for a in self.artifacts)]
        figures = [
            f"{'precision':<10}{'bytes':>{size}}{'accuracy':>9}{'agrees':>8}{'max diff':>9}"
            f"{'ms':>7}  gate"
        ]
        figures += [
            f"{a.precision:<10}{a.bytes:>{size},}{a.accuracy:>9.2%}{a.agreement:>8.2%}"
            f"{a.max_difference:>9.1e}{_short(a.milliseconds):>7}"
            f"  {'FAIL' if a.failure else 'ok'}"
            for a in self.artifacts
        ]
        room = min(22, 80 - max(map(len, figures)))
        return "\n".join(
            f"{_cut(name, room - 1):<{room}}{line}"
            for name, line in zip(names, figures, strict=True)
        )


def _short(milliseconds: float) -> str:
    """In 6 characters at most, below a quarter of an hour."""
    return f"{milliseconds:.{3 if milliseconds < 99 else 1 if milliseconds < 9999 else 0}f}"


def _cut(name: str, width: int) -> str:
    """The name in so many characters, with its end, which tells files apart."""
    if len(name) <= width:
        return name
    start = (width - 3) // 2
    return f"{name[:start]}...{name[len(name) - (width - 3 - start) :]}"


def verify(
    folder: Path,
    artifacts: Iterable[Artifact],
    model: keras.Model,
    dataset_name: str,
    images: Sequence[Any],
    positions: NDArray[np.int64],
    labels: NDArray[np.int64],
    tensors: Tensors,
    gates: Gates = Gates(),
    name: Callable[[int], str] = str,
) -> ParityReport:
    """Run images through every artifact of `folder` and compare with `model`.

    images: the test images as a Classifier takes them, which reads them for the ONNX files.
    positions: (N,) where each stands in its dataset, for naming it.
    labels: (N,) what is right.
    tensors: the same images for the other libraries.
    name: what to call the image at a position of its dataset.
    """
    expected = forward(model, tensors)
    readings = expected.argmax(1)
    pixels = math.prod(model.input.shape[1:3])
    batched = min(len(labels), max(BATCHED, BATCHED_PIXELS // pixels))
    reports = []
    apart_by: float | None = None
    for artifact in artifacts:
        path = folder / artifact.path
        run, see = load_runner(artifact, path, images, tensors)
        answers: list[list[Probabilities]] = [[] for _ in BATCH_SIZES]
        seconds: list[float] = []
        for start in range(0, len(labels), _CHUNK):
            seen = see(start, min(start + _CHUNK, len(labels)))
            first = seen[: max(0, batched - start)]
            if not start:
                run(seen[:1])  # the first call of a graph builds it
            for size, answer in zip(BATCH_SIZES, answers, strict=True):
                some = seen if size == BATCH_SIZES[-1] else first
                for i in range(0, len(some), size):
                    began = time.perf_counter()
                    answer.append(run(some[i : i + size]))
                    if size == 1:
                        seconds.append(time.perf_counter() - began)
        agreement, difference = 1.0, 0.0
        wrong: set[int] = set()
        apart: set[int] = set()
        near = _difference(artifact.precision, gates)
        *small, large = [np.concatenate(answer) for answer in answers]
        found_by_size = [*(np.concatenate([one, large[batched:]]) for one in small), large]
        compared = [paired(readings, found.argmax(1), labels) for found in found_by_size]
        worst = max(compared, key=lambda one: one.loss)
        for found in found_by_size:
            same = found.argmax(1) == readings
            agreement = min(agreement, float(same.mean()))
            difference = max(difference, float(np.abs(found - expected).max()))
            wrong.update(positions[~same].tolist())
            theirs = expected[np.arange(len(found)), found.argmax(1)]
            apart.update(positions[~same & ~(expected.max(1) - theirs <= near)].tolist())
        failure = _judge(
            artifact.precision,
            difference,
            [name(position) for position in sorted(apart)],
            worst,
            gates,
        )
        if (artifact.format, artifact.precision) == ("onnx", "fp32"):
            apart_by = features_difference(path, model, tensors)
            failure = failure or _judge_features(apart_by, gates)
        reports.append(
            ArtifactReport(
                path=artifact.path,
                format=artifact.format,
                precision=artifact.precision,
                bytes=size_of(path),
                accuracy=worst.accuracy,
                agreement=agreement,
                max_difference=difference,
                milliseconds=float(np.median(seconds)) * 1e3,
                disagreeing=tuple(sorted(wrong)),
                failure=failure,
            )
        )
    return ParityReport(
        dataset_name, len(labels), BATCH_SIZES, gates, tuple(reports), batched, apart_by
    )


def _difference(precision: str, gates: Gates) -> float:
    """The largest difference of a probability that is allowed; int8 is judged otherwise."""
    if precision == "int8":
        return 0.0
    return gates.fp32_difference if precision == "fp32" else gates.float16_difference


def _judge(
    precision: str, difference: float, wrong: list[str], beside: Paired, gates: Gates
) -> str | None:
    if precision == "int8":
        allowed = gates.int8_accuracy_loss
        if beside.loss <= allowed + 1e-9 or beside.p_value >= gates.int8_p_value:
            return None
        return (
            f"accuracy is {beside.loss:.2%} below Keras, significantly (p = {beside.p_value:.2g},"
            f" one-sided McNemar test) more than the {allowed:.2%} allowed"
        )
    if wrong:
        named = ", ".join(wrong[:20]) + (", ..." if len(wrong) > 20 else "")
        return f"labels differ from Keras on images {named}"
    allowed = _difference(precision, gates)
    if not difference <= allowed:
        return f"a probability differs by {difference:.1e}, at most {allowed:.0e} allowed"
    return None


def _judge_features(difference: float | None, gates: Gates) -> str | None:
    if difference is None or difference <= gates.fp32_difference:
        return None
    return f"a feature differs by {difference:.1e}, at most {gates.fp32_difference:.0e} allowed"
