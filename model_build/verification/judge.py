"""How exports are measured while they are chosen: beside Keras, on the validation part."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_runtime.system.cpus import available_cpus

from ..data.dataset import Labelled
from ..export.artifacts import Artifact
from ..export.paired import Paired, paired
from ..training.metrics import Floats
from .runners import Probabilities, load_runner

MOST = 2000
"""Examples that are looked at, at most; of them a change of 1 % is 20."""
_FEW = 64
_BATCH = 64


class ValidationJudge:
    """See Judge."""

    def __init__(self, expected: Floats, examples: Labelled) -> None:
        """expected: (N, classes) probabilities of the Keras model; examples: those N."""
        every = -(-len(examples.labels) // MOST)
        self._tensors, self._labels = examples.tensors[::every], examples.labels[::every]
        self._expected = expected[::every]

    def compare(self, artifact: Artifact, path: Path) -> Paired:
        """The file at `path` beside Keras."""
        found = self._run(artifact, path, len(self._labels))
        return paired(self._expected.argmax(1), found.argmax(1), self._labels)

    def distance(self, artifact: Artifact, path: Path) -> float:
        """The mean difference of its probabilities from Keras's, on a few of the examples."""
        found = self._run(artifact, path, min(_FEW, len(self._labels)))
        return float(np.abs(found - self._expected[: len(found)]).mean())

    def _run(self, artifact: Artifact, path: Path, count: int) -> Probabilities:
        images = list(self._tensors)
        run, see = load_runner(artifact, path, images, self._tensors, available_cpus())
        starts = range(0, count, _BATCH)
        return np.concatenate([run(see(i, min(i + _BATCH, count))) for i in starts])
