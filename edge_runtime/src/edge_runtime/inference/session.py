"""An onnxruntime session of a model, checked against its description."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..bundle.onnx_weights import external_data, not_onnx
from ..bundle.spec import ModelSpec
from ..errors import BundleError, EdgeRuntimeError, one_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BYTES_AT_ONCE = 600 << 10
"""Of input tensors: of more, the activations of a call no longer fit the cache of a CPU.
EfficientNet-Lite0 at 224x224 takes 11.7 ms an image 4 at once, 16.3 of 16, 20.7 of 32."""


def import_onnxruntime() -> Any:
    """The module, which sends no telemetry: for that a variable is set before it is imported."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    return onnxruntime


def open_session(model: bytes, threads: int, path: Path, providers: Sequence[str] = ()) -> Any:
    """A session of an ONNX file's bytes; `path` is named in messages.

    providers: as `checked_providers` returns them. Raises BundleError, also for a provider that
    is not there or cannot be started.
    """
    try:
        if external_data(model):
            raise BundleError(
                f"{path}: keeps weights in another file, which no hash protects;"
                " export it as one file"
            )
    except ValueError as error:
        raise not_onnx(model, path, error) from None
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False  # one large block a call costs more than several small ones
    options.add_session_config_entry("session.load_model_format", "ONNX")  # no other is walked
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        if providers:
            from .providers import start_session

            return start_session(onnxruntime, model, options, providers, path)
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except onnxruntime_errors() as error:
        on = f" on {', '.join(providers)}" if providers else ""
        raise BundleError(f"{path}: onnxruntime cannot load it{on} ({one_line(error)})") from None


def run_session(
    session: Any, outputs: Sequence[str], feed: Mapping[str, Any], path: Path, process: int
) -> Any:
    """The outputs of one call of a model; `path` is named in messages.

    process: the one that opened the session. Raises EdgeRuntimeError in one forked off since, and
    BundleError when the model cannot be run.
    """
    if os.getpid() != process:
        raise EdgeRuntimeError(
            f"{path}: was loaded by process {process} and does not survive its fork into"
            f" {os.getpid()}; make a Classifier in the new process, or spawn it"
        )
    try:
        return session.run(outputs, feed)
    except onnxruntime_errors() as error:
        raise BundleError(f"{path}: onnxruntime cannot run it ({one_line(error)})") from None


def inputs_at_once(shape: tuple[int, int, int], providers: Sequence[str]) -> int:
    """The most inputs of a (height, width, channels) shape for one call of a model; on other
    providers than the CPU's there is no limit."""
    return sys.maxsize if providers else max(1, _BYTES_AT_ONCE // math.prod(shape))


def run_batch(
    session: Any,
    outputs: Sequence[str],
    name: str,
    tensors: NDArray[np.uint8],
    most: int,
    path: Path,
    process: int,
) -> NDArray[np.float32]:
    """The first output for (N, height, width, channels) tensors as input `name`, `most` in a call.

    Raises as `run_session`.
    """

    answer: NDArray[np.float32]
    if len(tensors) <= most:
        answer = run_session(session, outputs, {name: tensors}, path, process)[0]
        return answer
    import numpy as np  # not for those who only choose a precision

    parts = (tensors[i : i + most] for i in range(0, len(tensors), most))
    answer = np.concatenate(
        [run_session(session, outputs, {name: part}, path, process)[0] for part in parts]
    )
    return answer


def onnxruntime_errors() -> tuple[type[Exception], ...]:
    """onnxruntime's errors, which share no base class of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    members = vars(state).values()
    errors = [kind for kind in members if isinstance(kind, type) and issubclass(kind, Exception)]
    return (*errors, RuntimeError)


def check_signature(session: Any, spec: ModelSpec, path: Path) -> None:
    """Check that the model takes and gives what its description says. Raises BundleError."""
    inputs = {node.name: node for node in session.get_inputs()}
    outputs = {node.name: node for node in session.get_outputs()}
    if list(inputs) != [spec.input.name] or spec.output not in outputs:
        raise BundleError(
            f"{path}: takes {list(inputs)} and gives {list(outputs)},"
            f" its description says {spec.input.name!r} and {spec.output!r}"
        )
    given, answered = inputs[spec.input.name], outputs[spec.output]
    found = (given.type, tuple(given.shape[1:]))
    expected = (f"tensor({spec.input.dtype})", spec.input.shape)
    if found != expected:
        raise BundleError(f"{path}: takes {found}, its description says {expected}")
    if isinstance(given.shape[0], int):
        raise BundleError(
            f"{path}: takes batches of {given.shape[0]} only, expected a free batch axis"
        )
    if answered.type != "tensor(float)" or len(answered.shape) != 2:
        raise BundleError(
            f"{path}: gives {answered.type} of {answered.shape}, expected tensor(float) of"
            f" [batch, {len(spec.labels)}]"
        )
    classes = answered.shape[1]
    if classes != len(spec.labels):
        raise BundleError(f"{path}: gives {classes} classes, its description {len(spec.labels)}")
