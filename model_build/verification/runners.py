"""Each artifact as a function, run by the library that its users use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edge_runtime import Classifier

from ..data.dataset import Tensors
from ..export.artifacts import Artifact
from ..export.ort import ort_session
from ..quiet import quiet

Pixels = NDArray[np.uint8]
Probabilities = NDArray[np.float32]
Run = Callable[[Pixels], Probabilities]
See = Callable[[int, int], Pixels]


def load_runner(
    artifact: Artifact, path: Path, images: Sequence[Any], tensors: Tensors, threads: int = 1
) -> tuple[Run, See]:
    """The artifact as a function, and what its own library makes of the images from one to the
    one before another.

    threads: of a call, for ONNX and TFLite files; the others take all cores.
    """
    if artifact.format == "onnx":
        classifier = Classifier(path, threads=threads)
        return classifier.probabilities, lambda first, end: np.stack(
            [classifier.tensor(images[i]) for i in range(first, end)]
        )
    load: dict[str, Callable[[Path], Run]] = {
        "keras": _keras_runner,
        "saved_model": _saved_model_runner,
        "tflite": partial(_tflite_runner, threads=threads),
        "ort": _ort_runner,
    }
    return load[artifact.format](path), lambda first, end: tensors[first:end]


def _keras_runner(path: Path) -> Run:
    import tensorflow as tf

    model = keras.models.load_model(path)

    def call(pixels: tf.Tensor) -> tf.Tensor:
        return model(tf.cast(pixels, tf.float32), training=False)

    # As a graph: a call of Keras takes 15 ms, and large test sets are read one at a time, too.
    graph = tf.function(call, input_signature=[tf.TensorSpec(model.input.shape, tf.uint8)])
    return lambda pixels: np.asarray(graph(pixels))


def _saved_model_runner(path: Path) -> Run:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    serve = loaded.signatures["serving_default"]
    (name,) = serve.structured_input_signature[1]

    def run(pixels: Pixels) -> Probabilities:
        (answer,) = serve(**{name: tf.constant(pixels)}).values()
        return np.asarray(answer)

    # The signature does not keep its model alive.
    run.model = loaded  # type: ignore[attr-defined]
    return run


def _tflite_runner(path: Path, threads: int) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    with quiet():
        interpreter = Interpreter(model_path=str(path), num_threads=threads)
        interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    (answer,) = interpreter.get_output_details()
    scale, zero = answer["quantization"]
    size = 0

    def run(pixels: Pixels) -> Probabilities:
        nonlocal size
        if len(pixels) != size:
            interpreter.resize_tensor_input(given["index"], pixels.shape)
            interpreter.allocate_tensors()
            size = len(pixels)
        interpreter.set_tensor(given["index"], pixels)
        interpreter.invoke()
        raw: NDArray[Any] = interpreter.get_tensor(answer["index"])
        return (raw.astype(np.float32) - zero) * scale if scale else raw

    return run


def _ort_runner(path: Path) -> Run:
    session = ort_session(path)
    (given,) = session.get_inputs()
    return lambda pixels: np.asarray(session.run(None, {given.name: pixels})[0])


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files of a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
