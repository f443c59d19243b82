"""`make bench`, or `python -m benchmarks`: edge-runtime's speed beside the limits and the rivals.

Draws the images, runs whole processes on the same files in turn, round after round, and writes
performance.json, performance.md and performance.png. Ratios are taken within a round.
"""

from __future__ import annotations

import argparse
import compileall
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import numpy as np
from PIL import Image

import edge_runtime
from edge_runtime.bundle.manifest import Manifest
from edge_runtime.deployment.benchmark import this_machine
from edge_runtime.inference.classifier import Classifier

from . import images, programs, report
from .programs import Program
from .report import Results, Rounds

RIVAL_LIBRARIES = ("opencv-python-headless", "ai-edge-litert", "tensorflow", "torch")


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    rounds: int
    batches: tuple[str, ...]
    """Names of BATCHES."""
    counts: Mapping[str, int]
    """Images, by the name of the set."""
    memory: tuple[int, int]
    """Images whose peak memory is compared: few, many."""
    call_seconds: float
    """Time for each call in memory in each round."""
    torch_epochs: int
    build_epochs: tuple[int, ...]


BATCHES: Mapping[str, tuple[str, str]] = {
    "small": ("small", ""),
    "photos": ("photos", ""),
    "large": ("large", ""),
    "own": ("scenes", "a 96x96 colour model of one's own"),
    "scenes": ("scenes", "no digit in them, the model of the digits"),
}
"""Images, and what is to be said of the model, by the name of what is measured."""

FULL = Extent(
    rounds=5,
    batches=tuple(BATCHES),
    counts={"small": 60_000, "photos": 1_000, "large": 100, "scenes": 4_000},
    memory=(10_000, 100_000),
    call_seconds=0.5,
    torch_epochs=10,
    build_epochs=(5, 10, 20, 320),
)
QUICK = Extent(
    rounds=2,
    batches=tuple(BATCHES),
    counts={"small": 1_200, "photos": 60, "large": 6, "scenes": 130},
    memory=(1_000, 3_000),
    call_seconds=0.05,
    torch_epochs=1,
    build_epochs=(10,),
)


class Suite:
    """The parts of the suite; each adds what it measured to `results`."""

    def __init__(self, extent: Extent, folder: Path, scratch: Path) -> None:
        """folder: where the images are, or are to be drawn. scratch: for everything else."""
        self.extent = extent
        self._folder = folder
        self._scratch = scratch
        machine = this_machine()
        self._workers = machine.cpus
        versions = dict(machine.libraries)
        self.results: Results = {
            "date": datetime.now(UTC).date().isoformat(),
            "platform": machine.platform,
            "processor": machine.processor,
            "cpus": machine.cpus,
            "libraries": versions,
            "rounds": extent.rounds,
            "skipped": [],
        }
        for name in RIVAL_LIBRARIES:
            try:
                versions[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                continue

    def batches(self) -> None:
        """Images a second, of each program on each set of images, and what they read."""
        self.results["batches"] = {}
        for name in self.extent.batches:
            kind, model = BATCHES[name]
            folder, own = self._images(kind), name == "own"
            bundle = self._own_bundle() if own else programs.BUNDLE
            readers = self._present(programs.readers(folder, self._workers, bundle))
            rounds = self._rounds(
                readers, lambda reader, program: programs.seconds(program, self._output(reader))
            )
            found = {reader: programs.labels(self._output(reader)) for reader in readers}
            labels = Classifier(bundle).labels
            right = {reader: _right(read, labels) for reader, read in found.items() if read}
            self.results["batches"][name] = {
                "about": images.SETS[kind].about + (f", {model}" if model else ""),
                "count": self.extent.counts[kind],
                "seconds": rounds,
                "right": {} if name == "scenes" else right,
                "as_full_size": _as_full_size(folder, bundle, found[programs.EDGE]),
            }

    def calls(self) -> None:
        """Microseconds of calls in one process, on arrays in memory."""
        output = self._output("calls")
        call = programs.script("calls.py", self.extent.rounds, self.extent.call_seconds)
        programs.seconds(call, output)
        self.results["calls"] = json.loads(output.read_text("utf-8"))

    def starts(self) -> None:
        """Seconds of whole processes that do next to nothing."""
        file = sorted(self._images("small").iterdir())[0]
        one = images.link(file.parent, self._scratch / "one", 1, 1) / "000"
        first = images.link(file.parent, self._scratch / "first", 64, 64) / "000"
        model = programs.BUNDLE / "model.onnx"
        commands = {
            report.START_ONE: programs.predict(file),
            report.START_BARE: programs.rival("plain.py", one, programs.BUNDLE / "model.onnx", 1),
            report.START_HELP: Program((programs.predict(file).command[0], "--help")),
            report.START_CLICK: Program((sys.executable, "-c", "import click")),
            report.START_EDGE: programs.predict(first, "--workers", str(self._workers)),
            report.START_PLAIN: programs.rival("plain.py", first, model, 64),
            report.START_OPENCV: programs.rival(
                "opencv_onnxruntime.py", first, model, 64, needs="cv2"
            ),
        }
        self.results["starts"] = self._rounds(
            self._present(commands), lambda name, program: programs.seconds(program), times=3
        )

    def memory(self) -> None:
        """Peak memory in bytes, of few images, of many, and of the plain script."""
        few, many = self.extent.memory
        source = self._images("small")
        small = images.link(source, self._scratch / "few", few, few)
        flat = images.link(source, self._scratch / "flat", many, many)
        deep = images.link(source, self._scratch / "deep", many, 1000)
        workers = ("--workers", str(self._workers))
        commands = {
            report.MEMORY_FEW: programs.predict(small, *workers),
            report.MEMORY_MANY: programs.predict(deep, *workers),
            report.MEMORY_FLAT: programs.predict(flat, *workers),
            report.MEMORY_ONE: programs.predict(small, "--workers", "1"),
            report.MEMORY_PLAIN: programs.rival(
                "plain.py", small / "000", programs.BUNDLE / "model.onnx", 1
            ),
        }
        self.results["memory_images"] = [few, many]
        self.results["memory"] = self._rounds(
            commands, lambda name, program: programs.peak_memory(program)
        )

    def bytes(self) -> None:
        """Compare the output of several worker counts and batch sizes, byte for byte."""
        outputs = {}
        for workers in (1, 2):
            for size in (1, 32, 256):
                output = self._output("rows")
                options = ("--workers", str(workers), "--batch-size", str(size))
                programs.seconds(programs.predict(self._images("small"), *options), output)
                outputs[workers, size] = output.read_bytes()
        self.results["same_bytes"] = len(set(outputs.values())) == 1

    def training(self) -> None:
        """Seconds to an accuracy on the test digits: model-build, and a plain PyTorch loop."""
        found: list[report.Training] = []
        loop = programs.rival("torch_loop.py", self.extent.torch_epochs, needs="torch")
        if self._present({"torch_loop.py": loop}):
            output = self._output("torch_loop")
            whole = programs.seconds(loop, output)
            rows = [line.split() for line in output.read_text("utf-8").splitlines()]
            start = whole - float(rows[-1][1])
            for epoch, seconds, accuracy in rows:
                found.append(
                    {
                        "program": "PyTorch loop, one image a step",
                        "epochs": int(epoch),
                        "training": float(seconds),
                        "whole": start + float(seconds),
                        "accuracy": float(accuracy),
                    }
                )
        for epochs in self.extent.build_epochs:
            bundle = self._scratch / f"digits{epochs}"
            options = ("--epochs", str(epochs), "--output", str(self._scratch))
            command = (str(programs.EXECUTABLES / "model-build"), "build", "--name", bundle.name)
            try:
                whole = programs.seconds(Program((*command, *options)))
            except programs.ProgramError as error:  # too short a training may fail its verification
                self._skip(f"model-build build --epochs {epochs}: {error}")
                continue
            history = json.loads((bundle / "history.json").read_text("utf-8"))
            model = Manifest.load(bundle).find("onnx", "fp32")
            assert model is not None
            found.append(
                {
                    "program": "model-build build",
                    "epochs": epochs,
                    "training": history[-1]["seconds"],
                    "whole": whole,
                    "accuracy": model.measured["accuracy"],
                }
            )
        self.results["training"] = found

    def _own_bundle(self) -> Path:
        """A model that tells the scenes apart, trained for as long as it takes to be one."""
        bundle = self._folder / "own"
        if not bundle.exists():
            examples = images.sorted_scenes(self._scratch / "examples", 200)
            command = (str(programs.EXECUTABLES / "model-build"), "build", "--data", str(examples))
            options = ("--architecture", "grid", "--size", "96", "--epochs", "2", "--force")
            place = ("--name", bundle.name, "--output", str(self._folder))
            programs.seconds(Program((*command, *options, *place)))
        return bundle

    def _output(self, name: str) -> Path:
        return self._scratch / f"{name}.out"

    def _images(self, name: str) -> Path:
        count = self.extent.counts[name]
        return images.draw(self._folder / f"{name}-{count}", images.SETS[name], count)

    def _present(self, all_of_them: Mapping[str, Program]) -> dict[str, Program]:
        present = {}
        for name, program in all_of_them.items():
            if program.is_missing():
                self._skip(f"{name}: skipped, {program.needs} is not installed")
            else:
                present[name] = program
        return present

    def _skip(self, line: str) -> None:
        if line not in self.results["skipped"]:
            self.results["skipped"].append(line)
            say(line)

    def _rounds(
        self,
        commands: Mapping[str, Program],
        measure: Callable[[str, Program], float],
        times: int = 1,
    ) -> Rounds:
        """Each of them in turn, `times` as often as there are rounds."""
        found: Rounds = {name: [] for name in commands}
        for _ in range(times * self.extent.rounds):
            for name, program in commands.items():
                found[name].append(measure(name, program))
        return found


def _right(read: Mapping[str, str], labels: Sequence[str]) -> float:
    """The share of files whose label, or its index, is what their name says."""
    names = {str(index): label for index, label in enumerate(labels)}
    right = sum(
        names.get(read_as, read_as) == images.shown_in(file) for file, read_as in read.items()
    )
    return right / len(read)


def _as_full_size(folder: Path, bundle: Path, read: Mapping[str, str]) -> float:
    """The share of files that get the same label when they are decoded at full size."""
    classifier = Classifier(bundle)
    same = 0
    for file, label in read.items():
        with Image.open(folder / file) as image:
            pixels = np.asarray(image)
        same += classifier.predict(pixels).label == label
    return same / len(read)


PARTS: dict[str, Callable[[Suite], None]] = {
    "batches": Suite.batches,
    "calls": Suite.calls,
    "starts": Suite.starts,
    "memory": Suite.memory,
    "bytes": Suite.bytes,
    "training": Suite.training,
}


def say(line: str) -> None:
    """Progress, to standard error."""
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Measure, print the tables, write the files."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--quick", action="store_true", help="few images, to try the suite")
    parser.add_argument(
        "--only", metavar="PART", choices=PARTS, action="append", help=", ".join(PARTS)
    )
    parser.add_argument(
        "--batch", choices=BATCHES, action="append", help="of the batches, these only"
    )
    parser.add_argument(
        "--images", metavar="N", type=int, help="so many images of a set, where there are more"
    )
    parser.add_argument("--rounds", metavar="N", type=int)
    parser.add_argument("--images-dir", type=Path, help="keep the images there, or use those")
    parser.add_argument(
        "--output", type=Path, help="default: docs; of a part or of fewer images nothing is written"
    )
    options = parser.parse_args()
    # As pip leaves what it installs; a checkout may have to compile at every start.
    compileall.compile_dir(Path(edge_runtime.__file__).parent, quiet=1)
    output = options.output
    extent = QUICK if options.quick else FULL
    if options.images:
        counts = {kind: min(options.images, count) for kind, count in extent.counts.items()}
        extent = replace(extent, counts=counts)
    if options.batch:
        extent = replace(extent, batches=tuple(options.batch))
    if output is None and extent is FULL and not options.only:
        output = programs.ROOT / "docs"
    if options.rounds:
        extent = replace(extent, rounds=options.rounds)
    if options.images_dir:
        options.images_dir.mkdir(parents=True, exist_ok=True)
    # Inside the other, because files cannot be linked across file systems.
    with tempfile.TemporaryDirectory(dir=options.images_dir) as temporary:
        scratch = Path(temporary).resolve()
        folder = (options.images_dir or scratch / "images").resolve()
        suite = Suite(extent, folder, scratch)
        for part in options.only or PARTS:
            start = time.perf_counter()
            PARTS[part](suite)
            say(f"{part}: {time.perf_counter() - start:.0f} s")
    print(report.tables(suite.results))
    if output:
        report.write(suite.results, output)


if __name__ == "__main__":
    try:
        main()
    except programs.ProgramError as error:
        sys.exit(f"a program failed: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
