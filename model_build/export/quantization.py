"""The search for an int8 file that reads as well as Keras: the simplest that does is taken.

Tried in order: plain calibration; other calibrations; the most sensitive operators left in fp32,
found by measuring, or the early ones of a large network. All is measured on the validation part.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..quiet import quiet
from .artifacts import Artifact
from .paired import Paired

MOST_LOST = 0.003
"""The loss of accuracy on the validation part, as a share, with which the search ends: that of the
int8 gate. As there, more counts only if it is significant: two of 500 examples are 0.4 points."""
SIGNIFICANT = 0.05
"""The p-value below which it is."""
MOST_CHANGED = 0.01
"""And the share of its readings that change; here too, more counts only if it is significant. Few
examples show a loss less well than a change; if two of three changes are for the worse, a third of
a point is lost by this share."""
MOST_FP32 = 0.25
"""The most operators, as a share, that are left in fp32: more, and a file would hardly be int8."""
MOST_MEASURED = 32
"""The most operators of a network that are measured one by one. Each takes an export, seconds for a
pretrained network, which has more of them: of it the early ones are left in fp32 together."""
EARLY = 6
"""Convolutions, those of the first two blocks of an inverted residual network: their errors pass
through all that follows, and of few channels int8 is no quicker. With them in fp32,
EfficientNet-Lite0 on 800 photos changed 0.6 and 1.2 % of the readings (TFLite, ONNX), not 2.3 and
1.8 %."""


class Quantizer(Protocol):
    """Writes one model as int8, in several ways."""

    @property
    def calibrations(self) -> Sequence[str]:
        """Ways to set the ranges, by name; the first is the plain one."""

    @property
    def operators(self) -> Sequence[str]:
        """The operators that can be left in fp32."""

    @property
    def early(self) -> Sequence[str]:
        """Those up to the convolution `EARLY`."""

    def quantized(self, calibration: str, fp32: Collection[str] = ()) -> bytes:
        """The int8 file. fp32: the operators left as they are."""


class Judge(Protocol):
    """Measures an export beside its Keras model, on the validation part."""

    def compare(self, artifact: Artifact, path: Path) -> Paired:
        """The file at `path` beside Keras."""

    def distance(self, artifact: Artifact, path: Path) -> float:
        """How far its probabilities are from Keras's, on a few examples."""


@dataclass(frozen=True)
class Attempt:
    """One int8 file, and how it was made."""

    calibration: str
    fp32: tuple[str, ...]
    beside: Paired
    """The file beside Keras, on the validation part."""
    data: bytes

    @property
    def plain(self) -> bool:
        """True for the first of the tries."""
        return self.calibration == "plain" and not self.fp32

    @property
    def good(self) -> bool:
        """True if the search may end here."""
        from scipy.stats import binomtest

        beside = self.beside
        kept = beside.loss <= MOST_LOST or beside.p_value >= SIGNIFICANT
        changed = binomtest(beside.changed, beside.examples, MOST_CHANGED, "greater")
        return kept and changed.pvalue >= SIGNIFICANT

    @property
    def about(self) -> str:
        """How it was made, in words."""
        left = f", {len(self.fp32)} of the operators in fp32" if self.fp32 else ""
        return f"{self.calibration} calibration{left}"

    @property
    def figures(self) -> str:
        """What it does on the validation part, in words."""
        beside = self.beside
        return (
            f"{beside.changed_share:.2%} of the validation part read otherwise than by Keras,"
            f" {beside.loss:.2%} less accurate"
        )

    def to_json(self) -> Mapping[str, Any]:
        """The object that stands in the manifest."""
        return {
            "calibration": self.calibration,
            "fp32_operators": list(self.fp32),
            "validation_loss": round(self.beside.loss, 6),
            "validation_changed": round(self.beside.changed_share, 6),
        }


def write_int8(
    quantizer: Quantizer,
    artifact: Artifact,
    folder: Path,
    judge: Judge,
    say: Callable[[str], object],
) -> Attempt:
    """Write the int8 file `artifact` of `folder`: the first of the tries that is good enough, else
    the one that changes fewest readings, the earlier of equals.
    """
    path = folder / artifact.path
    tries: list[Attempt] = []
    for calibration, fp32 in _ways(quantizer, artifact, path, judge, tries):
        with quiet():
            data = quantizer.quantized(calibration, fp32)
        path.write_bytes(data)
        attempt = Attempt(calibration, fp32, judge.compare(artifact, path), data)
        if tries or not attempt.good:
            say(f"{artifact.path}: {attempt.about}: {attempt.figures}")
        tries.append(attempt)
        if attempt.good:
            break
    best = attempt if attempt.good else _best(tries)
    path.write_bytes(best.data)
    return best


def _best(tries: Sequence[Attempt]) -> Attempt:
    return min(tries, key=lambda attempt: attempt.beside.changed)


def _ways(
    quantizer: Quantizer, artifact: Artifact, path: Path, judge: Judge, tries: Sequence[Attempt]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The calibration and the operators in fp32 of each try; `tries` are those before."""
    for calibration in quantizer.calibrations:
        yield calibration, ()
    best = _best(tries).calibration
    moved, operators = {}, quantizer.operators
    if len(operators) > MOST_MEASURED:
        yield best, tuple(quantizer.early)
        return
    for operator in operators:
        others = [other for other in operators if other != operator]
        with quiet():
            path.write_bytes(quantizer.quantized(best, others))
        moved[operator] = judge.distance(artifact, path)
    order = sorted(moved, key=lambda operator: -moved[operator])
    count = 1
    while count <= MOST_FP32 * len(order):
        yield best, tuple(order[:count])
        count *= 2
