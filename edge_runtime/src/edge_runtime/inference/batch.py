"""Files in, an ordered stream of results out; one bad file never ends the stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..bundle.spec import ModelSpec
from ..errors import InputError
from ..inputs.files import FILE_SECONDS, MAX_PIXELS
from ..system.heap import keep_freed_memory
from ..system.workers import chunked, shared_out, work_in_order, worth_workers
from .results import Prediction, Result, lost

if TYPE_CHECKING:
    from ..preprocessing.base import Reader


class BatchClassifier(Protocol):
    """The part of a Classifier that this module uses."""

    arguments: dict[str, Any]
    spec: ModelSpec

    @property
    def reader(self) -> Reader:
        """Decodes files and makes the model's input tensors of them."""

    def read_tensors(self, tensors: NDArray[np.uint8]) -> list[Prediction]:
        """Predictions of (N, height, width, channels) uint8."""


T = TypeVar("T", bound=BatchClassifier)


def classify_chunk(
    classifier: BatchClassifier,
    paths: Iterable[str],
    max_pixels: int = MAX_PIXELS,
    source: Callable[[str], str | bytes] = str,
) -> list[Result]:
    """Decode the files and run the model once over those that can be read; one Result for each.

    `source` is called once for each path, in their order: the path to open or the file's bytes.
    """
    reader = classifier.reader
    decode, prepare = reader.batch_decoder(), reader.prepare
    results: list[Result | None] = []
    prepared = []
    names = []
    for path in paths:
        names.append(path)
        try:
            prepared.append(prepare(decode(source(path), max_pixels)))
            results.append(None)
        except InputError as error:
            results.append(Result(path, error.status, None, str(error)))
        except MemoryError:
            results.append(Result(path, "too_large", None, "not enough memory to decode it"))
    predictions = iter(classifier.read_tensors(reader.batch(prepared)) if prepared else ())
    return [
        result or Result(path, "ok", next(predictions), None)
        for path, result in zip(names, results, strict=True)
    ]


def classify_files(
    classifier: BatchClassifier,
    paths: Iterable[str],
    *,
    batch_size: int = 64,
    workers: int = 1,
    max_pixels: int = MAX_PIXELS,
    timeout: float | None = None,
) -> Iterator[Result]:
    """Stream one Result for each path, in their order; a few batches are in memory at a time.

    With `workers` above 1, and enough files to be worth it, that many processes decode and
    classify; with a `timeout` in any case. The results are the same, but for a file that crashes
    its decoder or takes longer than `timeout` seconds (FILE_SECONDS by default): in a process it
    loses its own result only.
    """
    rest = iter(paths)
    if workers > 1:
        first = list(islice(rest, worth_workers()))
        rest = chain(first, rest)
        if len(first) < worth_workers():
            workers = 1
    if workers == 1 and timeout is None:
        for chunk in chunked(rest, batch_size):
            yield from classify_chunk(classifier, chunk, max_pixels)
        return
    start = partial(start_classifying, type(classifier), classifier.arguments, max_pixels)
    chunks = shared_out(rest, batch_size, workers) if workers > 1 else chunked(rest, batch_size)
    yield from chain.from_iterable(
        work_in_order(start, chunks, workers, lost, timeout or FILE_SECONDS)
    )


def start_classifying(
    load: Callable[..., BatchClassifier], arguments: dict[str, Any], max_pixels: int
) -> Callable[[Iterable[str]], list[Result]]:
    """Load a classifier in a worker process; returns a function that classifies a chunk of paths.

    Raises BundleError.
    """
    classifier = own_classifier(load, **arguments)
    return lambda paths: classify_chunk(classifier, paths, max_pixels)


def own_classifier(load: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """Load a classifier in a process that only classifies: it keeps the memory that it frees, and
    Pillow's warnings are switched off.

    load: the class, called with the arguments that follow. Raises BundleError.
    """
    keep_freed_memory()
    classifier = load(*arguments, **named)
    if classifier.spec.preprocessing.reads == "image":
        from ..inputs.image import ignore_decoder_warnings

        ignore_decoder_warnings()
    _ = classifier.reader  # its libraries are loaded here, not while a file is read
    return classifier
