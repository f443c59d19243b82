"""A prediction, and the result of one file: plain values, the standard library only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from ..inputs.formats import PLURALS


class Score(NamedTuple):
    """A label and its probability in [0, 1]."""

    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one input."""

    label: str
    """The most probable label, or `unknown` when `score` is below the minimum score."""
    score: float
    """The calibrated probability of the best label, in [0, 1]; 0 for a blank image, for silence
    and for a flat series."""
    index: int
    """The position of the label in the model's labels; -1 for `unknown`."""
    top: tuple[Score, ...]
    """The `top_k` best labels with their probabilities, best first; empty for a blank input."""

    @property
    def others(self) -> tuple[Score, ...]:
        """What stands beside `label` in a row of `top_k` labels: the next best ones; where `label`
        is `unknown` for its low score, the best one too.
        """
        return self.top[1:] if self.index >= 0 else self.top[:-1]


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one input file: a prediction, or why there is none."""

    path: str
    """As it was given, or as it was found in a folder."""
    status: str
    """`ok`, the status of an InputError, `crashed` or `timeout`."""
    prediction: Prediction | None
    """None unless `status` is `ok`."""
    error: str | None
    """One line for a person; None when `status` is `ok`."""

    @property
    def label(self) -> str | None:
        """The prediction's label; None unless `status` is `ok`."""
        return self.prediction.label if self.prediction else None

    @property
    def score(self) -> float | None:
        """The prediction's score; None unless `status` is `ok`."""
        return self.prediction.score if self.prediction else None

    def to_dict(self) -> dict[str, str | float | None]:
        """The columns of a CSV row by name, flat, as a table takes them: `label_2` and so on only
        where there is a prediction with several labels.
        """
        row: dict[str, str | float | None] = {
            "path": self.path,
            "status": self.status,
            "label": self.label,
            "score": self.score,
            "error": self.error,
        }
        for place, other in enumerate(self.prediction.others if self.prediction else (), 2):
            row[f"label_{place}"], row[f"score_{place}"] = other
        return row


@dataclass
class Counts:
    """How many files got each status, and each label."""

    statuses: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, results: Iterable[Result]) -> Counts:
        """Count results."""
        every = list(results)
        labels = Counter(each.prediction.label for each in every if each.prediction)
        return cls(Counter(each.status for each in every), labels)

    def add(self, status: str, label: str | None) -> None:
        """Count a file; its label counts where its status is `ok`."""
        self.statuses[status] += 1
        if status == "ok" and label is not None:
            self.labels[label] += 1

    def update(self, other: Counts) -> None:
        """Add what another one has counted."""
        self.statuses.update(other.statuses)
        self.labels.update(other.labels)

    @property
    def files(self) -> int:
        """All files."""
        return self.statuses.total()

    @property
    def failed(self) -> int:
        """The files whose status is not `ok`."""
        return self.files - self.statuses["ok"]

    def read(self, reads: str) -> str:
        """The files that were read, in words: `1 image`, `2 images`, `no images`.

        reads: `image`, `sound` or `series`.
        """
        count = self.statuses["ok"]
        return f"{f'{count:,}' if count else 'no'} {reads if count == 1 else PLURALS[reads]}"

    def failures(self) -> str:
        """The others, in words: `, 3 failed: 2 corrupt, 1 empty`; nothing if there are none."""
        if not self.failed:
            return ""
        kinds = [(status, n) for status, n in self.statuses.most_common() if status != "ok"]
        return f", {self.failed:,} failed: " + ", ".join(f"{n:,} {status}" for status, n in kinds)


def lost(path: str, status: str, reason: str) -> list[Result]:
    """The results of one file on which a worker process died or hung: `crashed` or `timeout`."""
    return [Result(path, status, None, reason)]
