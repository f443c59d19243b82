"""Choose between a bundle's fp32 and int8 model by their time on this device."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn

from ..bundle.manifest import Manifest, read_model
from ..errors import EdgeRuntimeError
from ..inputs.files import FILE_SECONDS
from ..system.workers import work_in_order
from .session import check_signature, open_session, run_session

Precision = Literal["fp32", "int8"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "int8")

_MOST_INPUTS = 32  # in a call; more change the ratio by less than the noise
_CALL_SECONDS = 0.02  # a call takes about so long where the model is slow
_SECONDS = 0.5  # of timing


class Choice(NamedTuple):
    """The precision to run, and why."""

    precision: Precision
    milliseconds: dict[str, float]
    """The least time for one input by precision; empty where nothing was to be measured."""

    def __str__(self) -> str:
        times = ", ".join(f"{name} {ms:.3g} ms" for name, ms in self.milliseconds.items())
        return f"{self.precision} ({times or 'the model has no other'})"


def choose_precision(model: Path, threads: int = 1, providers: Sequence[str] = ()) -> Choice:
    """Time both models of a bundle in turn, for about a second, and take the quicker one.

    model: a bundle's folder, or a lone file, which has its own precision. threads, providers: of
        the session, as `checked_providers` returns them.

    Raises BundleError.
    """
    there: list[Precision] = []
    if model.is_dir():
        manifest = Manifest.load(model)
        for precision in PRECISIONS:
            file = manifest.find("onnx", precision)
            if file is not None and (model / file.path).exists():
                there.append(precision)
    if len(there) < 2:
        return Choice(there[0] if there else "fp32", {})
    milliseconds = _time(model, threads, providers)
    return Choice(min(PRECISIONS, key=lambda precision: milliseconds[precision]), milliseconds)


def choose_apart(model: Path, threads: int = 1, providers: Sequence[str] = ()) -> Choice:
    """As `choose_precision`, in a process of its own, so that this one can fork workers later.

    Raises BundleError, and EdgeRuntimeError if that process dies.
    """
    start = partial(_start, model, threads, providers)
    (choice,) = work_in_order(start, [[str(model)]], 1, _lost, FILE_SECONDS)
    return choice


def _start(
    model: Path, threads: int, providers: Sequence[str]
) -> Callable[[Iterable[str]], Choice]:
    return lambda paths: choose_precision(model, threads, providers)


def _lost(path: str, status: str, reason: str) -> NoReturn:
    raise EdgeRuntimeError(
        f"{path}: its speed cannot be measured ({reason}); give --precision fp32"
    )


def _time(model: Path, threads: int, providers: Sequence[str]) -> dict[str, float]:
    """The least milliseconds for one input by precision, of calls in turn: other work on the device
    makes times longer, never shorter."""
    import numpy as np

    calls: dict[str, Callable[[int], float]] = {}
    for precision in PRECISIONS:
        manifest, path, data = read_model(model, precision)
        session = open_session(data, threads, path, providers)
        spec = manifest.spec
        shape = (_MOST_INPUTS, *spec.input.shape)
        tensors = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        check_signature(session, spec, path)
        feed = (spec.input.name, tensors)
        calls[precision] = partial(_seconds, session, [spec.output], *feed, path)
        calls[precision](1)  # some compile here
    slowest = max(call(1) for call in calls.values())
    count = max(1, min(_MOST_INPUTS, int(_CALL_SECONDS / slowest)))
    least = dict.fromkeys(calls, math.inf)
    until = time.perf_counter() + _SECONDS
    while True:
        for name, call in calls.items():
            least[name] = min(least[name], call(count))
        if time.perf_counter() > until:
            break
    return {name: seconds * 1000 / count for name, seconds in least.items()}


def _seconds(
    session: Any, outputs: Sequence[str], name: str, tensors: Any, path: Path, count: int
) -> float:
    begun = time.perf_counter()
    run_session(session, outputs, {name: tensors[:count]}, path, os.getpid())
    return time.perf_counter() - begun
