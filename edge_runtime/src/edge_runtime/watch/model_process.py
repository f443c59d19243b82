"""The process that runs the model of a watch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from ..inference.results import Result, lost
from ..system.workers import work_in_order


class ModelProcess:
    """A process that has checked and loaded a model, and classifies files with it."""

    def __init__(self, arguments: dict[str, Any], max_pixels: int, timeout: float) -> None:
        """Start the process, and wait until it has checked and loaded the model.

        arguments: of the Classifier; `model` is a Path. timeout: seconds for a file, at least 1.
        Raises BundleError when the model fails its hashes or its golden vectors, EdgeRuntimeError
        when no process can be started.
        """
        self._todo: list[str] = []
        self._answers = work_in_order(
            partial(_start, arguments, max_pixels), self._chunks(), 1, lost, timeout
        )
        self.classify([os.devnull])  # an answer means that the model is loaded

    def _chunks(self) -> Iterator[list[str]]:
        while True:  # empty chunk: nothing more until the answer has been taken
            chunk, self._todo = self._todo, []
            yield chunk

    def classify(self, paths: list[str]) -> list[Result]:
        """One Result for each path, in their order."""
        self._todo = paths
        results: list[Result] = []
        while len(results) < len(paths):
            results += next(self._answers)
        return results

    def close(self) -> None:
        """End the process."""
        self._answers.close()


def _start(arguments: dict[str, Any], max_pixels: int) -> Callable[[Iterable[str]], list[Result]]:
    from ..deployment.golden import prove
    from ..inference.batch import start_classifying
    from ..inference.classifier import Classifier

    classify = start_classifying(Classifier, arguments, max_pixels)
    if arguments["model"].is_dir():
        prove(arguments["model"], arguments["precision"], arguments.get("providers", ()))
    return classify
