"""Measure a bundle's speed on this device: each step for one input, and the model by batch size."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from itertools import cycle, islice
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from ..bundle.integrity import MAX_FILE_BYTES, read_file
from ..bundle.manifest import BUILT_IN, Manifest
from ..errors import BundleError, EdgeRuntimeError, InputError
from ..inference.classifier import Classifier
from ..inference.precision import Precision
from ..inputs.files import MAX_PIXELS
from ..inputs.formats import ENDINGS, PLURALS
from ..inputs.walk import walk
from ..system.cpus import available_cpus

BATCH_SIZES = (1, 8, 32, 128)
MOST_FILES = 1000
"""The most files of a folder that are used: the first, in sorted order."""

LONE = "lone file"
"""Stands in the place of a precision for such a file, which does not tell its own."""

_LIBRARIES = ("edge-runtime", "numpy", "onnxruntime", "pillow")
_FEWEST_CALLS = 3
_READING_SECONDS = 1  # after so long no more files are decoded for the batches


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine and the libraries that were measured."""

    platform: str
    """Operating system and C library."""
    processor: str
    """The processor's or the board's name, as far as the system knows it."""
    cpus: int
    """Processors that this process may use."""
    libraries: dict[str, str]
    """Versions by name, Python's own among them."""


@dataclass(frozen=True, slots=True)
class Latency:
    """The times of one step or call, in milliseconds."""

    samples: int
    """The number of times."""
    mean_ms: float
    median_ms: float
    p95_ms: float
    p99_ms: float

    @classmethod
    def of(cls, nanoseconds: Sequence[int]) -> Latency:
        """From at least one sample, in nanoseconds."""
        times = np.array(nanoseconds) / 1e6
        median, p95, p99 = np.percentile(times, [50, 95, 99]).tolist()
        return cls(len(nanoseconds), float(times.mean()), median, p95, p99)


@dataclass(frozen=True, slots=True)
class Step:
    """A part of the way from a file to its label, one image at a time."""

    name: str
    """`decode`, `preprocess`, `inference`, or `together` for the sum of the three."""
    precision: str | None
    """The model's; None for the steps before it."""
    provider: str | None
    """The execution provider, with its options; None for the steps before the model."""
    latency: Latency


@dataclass(frozen=True, slots=True)
class Batch:
    """Calls of the model with one batch size, on tensors that are ready."""

    precision: str
    provider: str
    size: int
    """Images in a call."""
    latency: Latency
    """The times of a call."""
    images_per_second: float
    """Images in all calls by the time of all calls."""


@dataclass(frozen=True, slots=True)
class Report:
    """The result of `bench`."""

    name: str
    """The bundle's."""
    version: str
    where: str
    """The bundle's folder."""
    models: dict[str, dict[str, str]]
    """By precision: the file's `path` in the bundle and its `sha256`."""
    reads: str
    """The kind of input, `image`, `sound` or `series`; so are the images below."""
    images: str
    """The folder of the images, or that they are the bundle's golden ones."""
    images_read: int
    images_unreadable: int
    """Files that were left out."""
    machine: Machine
    when: str
    """ISO 8601, in UTC."""
    steps: tuple[Step, ...]
    batches: tuple[Batch, ...]
    peak_memory_bytes: int | None
    """The most memory that this process held at once; None where the system does not tell."""

    def to_json(self) -> str:
        """The whole report as JSON."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    def table(self) -> str:
        """The report as text of at most 80 columns, unless names are long."""
        many = PLURALS[self.reads]
        compared = len({batch.provider for batch in self.batches}) > 1

        def name_of(what: str, precision: str | None, provider: str | None) -> str:
            return ", ".join(filter(None, (what, precision, provider if compared else None)))

        steps = [(name_of(step.name, step.precision, step.provider), step) for step in self.steps]
        batches = [
            (name_of(f"batch of {batch.size}", batch.precision, batch.provider), batch)
            for batch in self.batches
        ]
        width = max(22, *(len(name) for name, _ in [*steps, *batches]))
        head = f"{'samples':>9}{'median ms':>11}{'p95 ms':>11}{'p99 ms':>11}{many + '/s':>12}"
        left_out = f", {self.images_unreadable:,} unreadable" if self.images_unreadable else ""
        facts = {
            "bundle": f"{self.name} {self.version}, {self.where}",
            "platform": self.machine.platform,
            "processor": f"{self.machine.processor}, {self.machine.cpus} for this process",
            "libraries": ", ".join(f"{name} {v}" for name, v in self.machine.libraries.items()),
            many: f"{self.images_read:,} from {self.images}{left_out}",
        }
        wrapper = textwrap.TextWrapper(
            80, subsequent_indent=" " * 12, break_long_words=False, break_on_hyphens=False
        )
        lines = [wrapper.fill(f"{name:<12}{text}") for name, text in facts.items()]
        lines += ["", f"{f'one {self.reads} at a time':<{width}}" + head]
        for name, step in steps:
            rate = f"{1000 / step.latency.mean_ms:>12,.0f}" if step.name == "together" else ""
            lines.append(f"{name:<{width}}{_columns(step.latency)}{rate}")
        lines += ["", f"{'model alone, a call':<{width}}" + head]
        for name, batch in batches:
            rate = f"{batch.images_per_second:>12,.0f}"
            lines.append(f"{name:<{width}}{_columns(batch.latency)}{rate}")
        if {"fp32", "int8"} <= self.models.keys():
            lines += ["", "predict --precision auto times both itself, and takes the quicker one"]
        if self.peak_memory_bytes is not None:
            lines += ["", f"peak memory {self.peak_memory_bytes / 1e6:.0f} MB"]
        return "\n".join(lines)


def _columns(latency: Latency) -> str:
    times = (latency.median_ms, latency.p95_ms, latency.p99_ms)
    return f"{latency.samples:>9,}" + "".join(f"{time:>11.3f}" for time in times)


def bench(
    bundle: Path | None = None,
    images: Path | None = None,
    seconds: float = 0.8,
    *,
    providers: Sequence[str] = (),
) -> Report:
    """Measure a bundle (default: the digits model inside this package) on this device.

    bundle: or a lone `.onnx` file, which needs `images`.
    images: a folder of files that the model reads; default: the bundle's golden images, sounds
        or series. All are read once before, so that times do not include the disk.
    seconds: how long the model is timed for each precision and batch size, after a warm-up;
        the steps from file to label take twice that.
    providers: execution providers, each measured alone before the CPU, which is measured in any
        case.

    Raises BundleError, and EdgeRuntimeError when no file can be read.
    """
    folder = bundle or BUILT_IN
    models, classifiers = _models(folder, providers)
    first = next(iter(classifiers.values()))
    source = images or folder / "golden"
    reads = first.spec.preprocessing.reads
    files = list(islice(walk([os.fspath(source)], endings=ENDINGS[reads]), MOST_FILES))
    readable, tensors, unreadable = _read(first, files)
    if not readable:
        raise EdgeRuntimeError(f"{source}: holds no {reads} that can be read")
    steps = _time_steps(classifiers, readable, 2 * seconds)
    batches = [
        _time_batch(classifier, *how, np.resize(tensors, (size, *tensors.shape[1:])), seconds)
        for how, classifier in classifiers.items()
        for size in BATCH_SIZES
    ]
    return Report(
        name=first.spec.name,
        version=first.spec.version,
        where=str(bundle or "inside this package"),
        models=models,
        reads=reads,
        images=str(images or f"the bundle's golden {PLURALS[reads]}"),
        images_read=len(readable),
        images_unreadable=unreadable,
        machine=this_machine(),
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        steps=tuple(steps),
        batches=tuple(batches),
        peak_memory_bytes=peak_memory(),
    )


def _models(
    path: Path, providers: Sequence[str]
) -> tuple[dict[str, dict[str, str]], dict[tuple[str, str], Classifier]]:
    """The model files of a bundle, or a lone one: what a report says of them, by precision, and
    Classifiers, by precision and provider.

    Raises BundleError.
    """
    models = {}
    if path.is_file():
        sha256 = hashlib.sha256(read_file(path, MAX_FILE_BYTES)).hexdigest()
        models[LONE] = {"path": path.name, "sha256": sha256}
    else:
        manifest = Manifest.load(path)
        for precision in get_args(Precision):
            file = manifest.find("onnx", precision)
            if file is not None and (path / file.path).exists():
                models[precision] = {"path": file.path, "sha256": file.sha256}
    if not models:
        raise BundleError(f"{path}: has no ONNX file")
    classifiers = {
        (name, provider): Classifier(
            path, precision="int8" if name == "int8" else "fp32", providers=[provider]
        )
        for name in models
        for provider in ("cpu", *providers)
    }
    return models, classifiers


def _read(classifier: Classifier, files: Sequence[str]) -> tuple[list[str], NDArray[np.uint8], int]:
    """The files that can be read, their (N, height, width, channels) tensors, and how many
    cannot be read."""
    readable, tensors, unreadable = [], [], 0
    until = time.perf_counter() + _READING_SECONDS
    for file in files:
        try:
            tensors.append(classifier.tensor(file))
            readable.append(file)
        except InputError:
            unreadable += 1
        if readable and time.perf_counter() > until:
            break
    shape = (len(tensors), *classifier.spec.input.shape)
    return readable, np.reshape(np.array(tensors, np.uint8), shape), unreadable


def _time_steps(
    classifiers: dict[tuple[str, str], Classifier], files: Sequence[str], seconds: float
) -> list[Step]:
    classifier = next(iter(classifiers.values()))
    reader = classifier.reader
    decoding: list[int] = []
    preparing: list[int] = []
    running: dict[tuple[str, str], list[int]] = {how: [] for how in classifiers}
    for each in classifiers.values():
        each.probabilities(np.zeros((1, *each.spec.input.shape), np.uint8))  # some compile here
    now = time.perf_counter_ns
    until = now() + seconds * 1e9
    for file in cycle(files):
        start = now()
        found = reader.decode(file, MAX_PIXELS)
        decoded = now()
        tensors = reader.batch([reader.prepare(found)])
        prepared = now()
        decoding.append(decoded - start)
        preparing.append(prepared - decoded)
        for how, each in classifiers.items():
            start = now()
            each.read_tensors(tensors)
            running[how].append(now() - start)
        if now() > until and len(decoding) >= _FEWEST_CALLS:
            break
    together = {
        how: [sum(parts) for parts in zip(decoding, preparing, times, strict=True)]
        for how, times in running.items()
    }
    return [
        Step("decode", None, None, Latency.of(decoding)),
        Step("preprocess", None, None, Latency.of(preparing)),
        *(Step("inference", *how, Latency.of(times)) for how, times in running.items()),
        *(Step("together", *how, Latency.of(times)) for how, times in together.items()),
    ]


def _time_batch(
    classifier: Classifier,
    precision: str,
    provider: str,
    tensors: NDArray[np.uint8],
    seconds: float,
) -> Batch:
    latency = time_calls(lambda: classifier.read_tensors(tensors), seconds)
    rate = len(tensors) / latency.mean_ms * 1000
    return Batch(precision, provider, len(tensors), latency, rate)


def time_calls(call: Callable[[], object], seconds: float) -> Latency:
    """Time a call over and over, for that long, after a tenth of it to warm up."""
    now = time.perf_counter_ns
    until = now() + seconds * 1e8
    while True:
        call()
        if now() > until:
            break
    times: list[int] = []
    until = now() + seconds * 1e9
    while len(times) < _FEWEST_CALLS or now() < until:
        start = now()
        call()
        times.append(now() - start)
    return Latency.of(times)


def this_machine() -> Machine:
    """The facts about this machine and process that figures depend on."""
    libraries = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            libraries[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # as onnxruntime-gpu, or not by pip
            libraries[name] = getattr(sys.modules.get(name), "__version__", "?")
    return Machine(platform.platform(), _processor(), available_cpus(), libraries)


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            facts = dict(line.split(":", 1) for line in file if ":" in line)
    except OSError:  # not Linux
        facts = {}
    names = {key.strip(): " ".join(value.split()) for key, value in facts.items()}
    return (  # the board's, the processor's, or its kind
        names.get("Model") or names.get("model name") or platform.processor() or platform.machine()
    )


def peak_memory() -> int | None:
    """The most bytes of memory that this process has held at once, or None if unknown."""
    try:
        # Not getrusage: after fork and exec its figure begins with the parent's.
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:  # not Linux
        pass
    if sys.platform == "win32":
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
