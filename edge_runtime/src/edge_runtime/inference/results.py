"""A prediction, and the result of one file: plain values, the standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


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
    """`ok`, the status of an InputError, or `crashed`."""
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

    @classmethod
    def crashed(cls, path: str, reason: str) -> Result:
        """The result of a file whose decoding ended the worker process, twice."""
        return cls(path, "crashed", None, f"the process reading it ended, {reason}")
