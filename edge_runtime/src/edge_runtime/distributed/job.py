"""A run in parts: which files are in which, and the folder or URI that holds their rows.

A part is a number of files in the order of the walk, and the unit that is handed to a worker,
tried again and written: its name and its bytes follow from the job, so that writing it twice
changes nothing. Needs the `ray` extra, but not Ray.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import FileType

from .. import __version__
from ..bundle.manifest import LABELS_NAME, MANIFEST_NAME, MAX_FILE_BYTES, read_file, read_model
from ..errors import EdgeRuntimeError, OutputError
from ..inference.batch import classify_chunk, own_classifier
from ..inference.classifier import Classifier
from ..inference.results import Result
from ..inputs import files
from ..output.formats import Sink, written
from ..system.workers import chunked
from . import storage

PartFormat = Literal["parquet", "csv", "jsonl"]
Classify = Callable[[list[str]], list[Result]]

PART_FILES = 4096
RUN_NAME, DONE_NAME = "_run.json", "_SUCCESS"
_THREADS = 32  # that wait for a store


class Part(NamedTuple):
    """Files whose rows stand in one file."""

    number: int
    """From 0; -1 when there are no paths."""
    paths: list[str]
    passed_over: int
    """Other files that the walk met on the way to these."""


class Done(NamedTuple):
    """What became of a part."""

    files: int
    failed: int
    earlier: bool
    """Its rows were there already."""
    passed_over: int


@dataclass(frozen=True)
class Job:
    """What is to be read, by which model, and where the rows go; it can be sent to any node."""

    sources: tuple[str, ...]
    output: str
    format: PartFormat
    model: dict[str, bytes] = field(repr=False)
    """The files of the model, by name: every node runs this one."""
    arguments: dict[str, Any]
    """Of the Classifier, but for the model."""
    reads: str = "image"
    """What the model reads, a key of `files.ENDINGS`."""
    recursive: bool = True
    all_files: bool = False
    batch_size: int = 64
    max_pixels: int = files.MAX_PIXELS
    resume: bool = False
    part_files: int = PART_FILES
    folder: str = field(default_factory=os.getcwd)
    """Where local paths start."""

    def description(self) -> dict[str, Any]:
        """All that the rows and their parts follow from."""
        model = hashlib.sha256()
        for name, data in sorted(self.model.items()):
            model.update(f"{name} {len(data)} ".encode() + data)
        return {
            "edge_runtime": __version__,
            "model": model.hexdigest(),
            **{key: self.arguments[key] for key in ("precision", "top_k", "min_score")},
            "max_pixels": self.max_pixels,
            "sources": [written(source) for source in self.sources],
            "recursive": self.recursive,
            "all_files": self.all_files,
            "format": self.format,
            "part_files": self.part_files,
        }

    def local(self, path: str) -> str:
        """A local path from whatever folder a worker is in; a URI as it is."""
        return path if storage.is_uri(path) else os.path.join(self.folder, path)

    def inside(self, name: str) -> str:
        """A file of the output."""
        return f"{self.local(self.output).rstrip('/')}/{name}"

    def part_name(self, number: int) -> str:
        """In the order of the parts, also when sorted as text up to 10 million."""
        return f"part-{number:07}.{self.format}"

    @property
    def sink(self) -> Sink:
        """What makes the text of the rows, unless they are Parquet."""
        return Sink("jsonl" if self.format == "jsonl" else "csv", self.arguments["top_k"])


def model_files(model: Path, precision: str) -> dict[str, bytes]:
    """The files that a Classifier needs of a bundle or a lone `.onnx` file. Raises BundleError."""
    if not model.is_dir():
        return {model.name: read_file(model, MAX_FILE_BYTES)}
    _, path, data = read_model(model, precision)
    found = {MANIFEST_NAME: read_file(model / MANIFEST_NAME, MAX_FILE_BYTES), path.name: data}
    if os.path.lexists(model / LABELS_NAME):
        found[LABELS_NAME] = read_file(model / LABELS_NAME, MAX_FILE_BYTES)
    return found


def start_reading(job: Job) -> Classify:
    """Load the job's model in this process; what is returned reads paths and URIs.

    Raises BundleError.
    """
    with TemporaryDirectory() as folder:
        for name, data in job.model.items():
            (Path(folder) / name).write_bytes(data)
        model = Path(folder) if MANIFEST_NAME in job.model else Path(folder) / next(iter(job.model))
        classifier = own_classifier(model, **job.arguments)
    return lambda paths: classify_anywhere(
        classifier, paths, job.batch_size, job.max_pixels, job.local
    )


def classify_anywhere(
    classifier: Classifier,
    paths: Sequence[str],
    batch_size: int,
    max_pixels: int,
    local: Callable[[str], str] = str,
) -> list[Result]:
    """`classify_chunk` in batches, for local paths and URIs; `local` says where a path is."""
    if not any(map(storage.is_uri, paths)):
        chunks = chunked(paths, batch_size)
        return [r for chunk in chunks for r in classify_chunk(classifier, chunk, max_pixels, local)]

    def source(path: str) -> str | bytes:
        return storage.read(path) if storage.is_uri(path) else local(path)

    with ThreadPoolExecutor(_THREADS) as pool:
        ahead = storage.read_ahead(paths, source, pool)
        return [
            result
            for chunk in chunked(paths, batch_size)
            for result in classify_chunk(classifier, chunk, max_pixels, lambda path: next(ahead)())
        ]


def begin(job: Job) -> None:
    """Make the output ready. Raises OutputError when it is another run's, or not empty."""
    output = job.output
    if storage.info(job.local(output)).type == FileType.File:
        raise OutputError(f"{output}: is a file; the parts need a folder of their own")
    names = {found.base_name for found in storage.listed(job.local(output))}
    if names and not job.resume:
        raise OutputError(
            f"{output}: is not empty; --resume goes on with the run in it, or give another -o"
        )
    if names and RUN_NAME not in names:
        raise OutputError(
            f"{output}: cannot be resumed: it holds files but no {RUN_NAME}; give another -o"
        )
    if not names:
        try:
            storage.write(job.inside(RUN_NAME), _described(job))
        except OSError as error:
            raise OutputError(f"{output}: cannot be written ({storage.one_line(error)})") from None
        return
    earlier = json.loads(storage.load(job.inside(RUN_NAME)))
    for key, now in job.description().items():
        if earlier.get(key) != now:
            raise OutputError(
                f"{output}: cannot be resumed: it was written with {key} {earlier.get(key)!r}, this"
                f" run has {now!r}; give another -o"
            )
    if DONE_NAME in names:
        storage.delete(job.inside(DONE_NAME))


def _described(job: Job) -> bytes:
    return json.dumps(job.description(), indent=1).encode() + b"\n"


def check_node(job: Job, folders: Sequence[str]) -> None:
    """Check that this node has the output and the local folders that the job was made with.

    Raises EdgeRuntimeError: rows that say `not_found` of files that are elsewhere would be wrong.
    """
    node = socket.gethostname()
    absent = [folder for folder in folders if not os.path.isdir(job.local(folder))]
    if absent:
        raise EdgeRuntimeError(
            f"{absent[0]}: is not on node {node}; share the folder with every node or give a URI"
        )
    try:
        same = storage.load(job.inside(RUN_NAME)) == _described(job)
    except OSError:
        same = False
    if not same:
        raise EdgeRuntimeError(
            f"{job.output}: node {node} does not see this run's {RUN_NAME} there; share the folder"
            f" with every node or give a URI (this node has edge-runtime {__version__})"
        )


def list_parts(job: Job) -> Iterator[Part]:
    """Walk the sources; a part is in memory at a time. Raises EdgeRuntimeError."""
    passed_over: list[int] = [0]

    def pass_over(path: str) -> None:
        passed_over[0] += 1

    number = -1
    for number, paths in enumerate(chunked(_paths(job, pass_over), job.part_files)):
        count, passed_over[0] = passed_over[0], 0
        yield Part(number, paths, count)
    if passed_over[0]:
        yield Part(-1, [], passed_over[0])


def _paths(job: Job, pass_over: Callable[[str], object]) -> Iterator[str]:
    rules: dict[str, Any] = {
        "recursive": job.recursive,
        "all_files": job.all_files,
        "endings": files.ENDINGS[job.reads],
        "passed_over": pass_over,
    }
    for source in job.sources:
        if storage.is_uri(source):
            yield from storage.walk(source, **rules)
        else:
            top = job.local(source)
            for path in files.walk([top], **rules):
                yield source + path[len(top) :]


def make_part(job: Job, part: Part, classify: Classify) -> Done:
    """Read a part's files and write its rows, unless they are there.

    Raises OSError when they cannot be written, OutputError when those there are of other files.
    """
    if not part.paths:
        return Done(0, 0, False, part.passed_over)
    name = job.part_name(part.number)
    if job.resume and (earlier := _earlier(job, name)) is not None:
        if [path for path, _ in earlier] != [written(path) for path in part.paths]:
            raise OutputError(
                f"{job.output}: cannot be resumed: {name} holds the rows of other files than are"
                " there now; give another -o"
            )
        failed = sum(status != "ok" for _, status in earlier)
        return Done(len(earlier), failed, True, part.passed_over)
    results = classify(part.paths)
    storage.write(job.inside(name), _encoded(job, results))
    failed = sum(result.status != "ok" for result in results)
    return Done(len(results), failed, False, part.passed_over)


def finish(job: Job, parts: int) -> None:
    """Say that the output is whole. Raises OutputError when it does not hold just these parts."""
    expected = {job.part_name(number) for number in range(parts)}
    found = {found.base_name for found in storage.listed(job.local(job.output))}
    present = {name for name in found if name.startswith("part-")}
    if odd := sorted(present ^ expected):
        what = "has rows of files that are gone" if odd[0] in present else "has disappeared"
        raise OutputError(f"{job.output}: {odd[0]} {what}; give another -o")
    for name in found:
        if name.startswith(".part-"):  # of a worker that was killed
            storage.delete(job.inside(name))
    storage.write(job.inside(DONE_NAME), b"")


def table(results: Sequence[Result], top_k: int) -> pa.Table:
    """The rows as columns: text, and scores as float64; null where the CSV has nothing."""
    columns: dict[str, tuple[list[Any], pa.DataType]] = {
        "path": ([written(r.path) for r in results], pa.string()),
        "status": ([r.status for r in results], pa.string()),
        "label": ([r.prediction and r.prediction.label for r in results], pa.string()),
        "score": ([r.prediction and round(r.prediction.score, 6) for r in results], pa.float64()),
        "error": ([r.error and written(r.error) for r in results], pa.string()),
    }
    tops = [r.prediction.top if r.prediction else () for r in results]
    for place in range(2, top_k + 1):
        there = [top[place - 1] if len(top) >= place else None for top in tops]
        columns[f"label_{place}"] = ([s and s.label for s in there], pa.string())
        columns[f"score_{place}"] = ([s and round(s.score, 6) for s in there], pa.float64())
    return pa.table({name: pa.array(*column) for name, column in columns.items()})


def _encoded(job: Job, results: list[Result]) -> bytes:
    if job.format != "parquet":
        return job.sink.header() + job.sink.rows(results)
    stream = io.BytesIO()
    pq.write_table(table(results, job.arguments["top_k"]), stream)
    return stream.getvalue()


def _earlier(job: Job, name: str) -> list[tuple[str, str]] | None:
    """The path and status of each row of a part; None if it is not there."""
    try:
        data = storage.load(job.inside(name))
    except FileNotFoundError:
        return None
    if job.format == "parquet":
        try:
            found = pq.read_table(io.BytesIO(data), columns=["path", "status"])
        except (pa.ArrowException, OSError) as error:
            raise OutputError(f"{name}: cannot be read ({storage.one_line(error)})") from None
        return list(zip(*(found[key].to_pylist() for key in ("path", "status")), strict=True))
    stream = io.BytesIO(data)
    job.sink.read_header(stream, name)
    return [(row.path, row.status) for row in job.sink.read_rows(stream)]
