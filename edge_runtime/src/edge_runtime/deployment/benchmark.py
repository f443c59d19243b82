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
from ..inference.classifier import Classifier, Precision
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
    latency: Latency


@dataclass(frozen=True, slots=True)
class Batch:
    """Calls of the model with one batch size, on tensors that are ready."""

    precision: str
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
        lines += ["", f"{f'one {self.reads} at a time':<22}" + head]
        for step in self.steps:
            name = step.name + (f", {step.precision}" if step.precision else "")
            rate = f"{1000 / step.latency.mean_ms:>12,.0f}" if step.name == "together" else ""
            lines.append(f"{name:<22}{_columns(step.latency)}{rate}")
        lines += ["", f"{'model alone, a call':<22}" + head]
        for batch in self.batches:
            name = f"batch of {batch.size}, {batch.precision}"
            rate = f"{batch.images_per_second:>12,.0f}"
            lines.append(f"{name:<22}{_columns(batch.latency)}{rate}")
        if self.peak_memory_bytes is not None:
            lines += ["", f"peak memory {self.peak_memory_bytes / 1e6:.0f} MB"]
        return "\n".join(lines)


def _columns(latency: Latency) -> str:
    times = (latency.median_ms, latency.p95_ms, latency.p99_ms)
    return f"{latency.samples:>9,}" + "".join(f"{time:>11.3f}" for time in times)


def bench(bundle: Path | None = None, images: Path | None = None, seconds: float = 0.8) -> Report:
    """Measure a bundle (default: the digits model inside this package) on this device.

    bundle: or a lone `.onnx` file, which needs `images`.
    images: a folder of files that the model reads; default: the bundle's golden images, sounds
        or series. All are read once before, so that times do not include the disk.
    seconds: how long the model is timed for each precision and batch size, after a warm-up;
        the steps from file to label take twice that.

    Raises BundleError, and EdgeRuntimeError when no file can be read.
    """
    folder = bundle or BUILT_IN
    models, classifiers = _models(folder)
    first = next(iter(classifiers.values()))
    source = images or folder / "golden"
    reads = first.spec.preprocessing.reads
    files = list(islice(walk([os.fspath(source)], endings=ENDINGS[reads]), MOST_FILES))
    readable, tensors, unreadable = _read(first, files)
    if not readable:
        raise EdgeRuntimeError(f"{source}: holds no {reads} that can be read")
    steps = _time_steps(classifiers, readable, 2 * seconds)
    batches = [
        _time_batch(classifier, precision, np.resize(tensors, (size, *tensors.shape[1:])), seconds)
        for precision, classifier in classifiers.items()
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


def _models(path: Path) -> tuple[dict[str, dict[str, str]], dict[str, Classifier]]:
    """The model files of a bundle, or a lone one: what a report says of them, and Classifiers.

    Both by precision. Raises BundleError.
    """
    if path.is_file():
        sha256 = hashlib.sha256(read_file(path, MAX_FILE_BYTES)).hexdigest()
        return {LONE: {"path": path.name, "sha256": sha256}}, {LONE: Classifier(path)}
    manifest = Manifest.load(path)
    models, classifiers = {}, {}
    for precision in get_args(Precision):
        file = manifest.find("onnx", precision)
        if file is not None and (path / file.path).exists():
            classifiers[precision] = Classifier(path, precision=precision)
            models[precision] = {"path": file.path, "sha256": file.sha256}
    if not classifiers:
        raise BundleError(f"{path}: has no ONNX file")
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
    classifiers: dict[str, Classifier], files: Sequence[str], seconds: float
) -> list[Step]:
    classifier = next(iter(classifiers.values()))
    reader = classifier.reader
    decoding: list[int] = []
    preparing: list[int] = []
    running: dict[str, list[int]] = {precision: [] for precision in classifiers}
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
        for precision, each in classifiers.items():
            start = now()
            each.read_tensors(tensors)
            running[precision].append(now() - start)
        if now() > until and len(decoding) >= _FEWEST_CALLS:
            break
    together = {
        precision: [sum(parts) for parts in zip(decoding, preparing, times, strict=True)]
        for precision, times in running.items()
    }
    return [
        Step("decode", None, Latency.of(decoding)),
        Step("preprocess", None, Latency.of(preparing)),
        *(Step("inference", precision, Latency.of(times)) for precision, times in running.items()),
        *(Step("together", precision, Latency.of(times)) for precision, times in together.items()),
    ]


def _time_batch(
    classifier: Classifier, precision: str, tensors: NDArray[np.uint8], seconds: float
) -> Batch:
    latency = time_calls(lambda: classifier.read_tensors(tensors), seconds)
    rate = len(tensors) / latency.mean_ms * 1000
    return Batch(precision, len(tensors), latency, rate)


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
        except metadata.PackageNotFoundError:  # installed by other means than a package
            libraries[name] = "?"
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
