"""A job on many machines: its shards, and the folder or URI that holds their rows.

A shard is a number of files in the order of the walk. It is the unit of work: one worker classifies
it, writes its rows to one file (`part-0000000.csv`, as such files are commonly called), and another
one may try it again. The name and the bytes of that file follow from the job, so that writing it
twice changes nothing. Needs the `ray` extra, but not Ray.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pyarrow.fs import FileType

from .. import __version__
from ..bundle.integrity import MAX_FILE_BYTES, read_file
from ..bundle.manifest import LABELS_NAME, MANIFEST_NAME, read_model
from ..errors import EdgeRuntimeError, OutputError, one_line
from ..inference.results import Counts
from ..inputs.files import FILE_SECONDS, MAX_PIXELS
from ..inputs.formats import ENDINGS
from ..inputs.walk import walk
from ..output.row_format import FileFormat, RowFormat, written
from ..system.workers import chunked
from . import storage

SHARD_FILES = 4096  # at most these are read again when a worker is lost
RUN_NAME = "_run.json"  # describes the job that the output belongs to
DONE_NAME = "_SUCCESS"  # empty; Spark and Hadoop mark a complete output by this name too


class Shard(NamedTuple):
    """Files that one worker classifies; their rows stand in one file."""

    number: int
    """From 0; -1 when there are no paths."""
    paths: list[str]
    passed_over: int
    """The number of other files that the walk met on the way to these."""


class ShardSummary(NamedTuple):
    """The counts of a shard that is done."""

    counts: Counts
    earlier: bool
    """True if an earlier run wrote its rows."""
    passed_over: int


@dataclass(frozen=True)
class Job:
    """The files to classify, the model, the options and the output; can be pickled for any node."""

    sources: tuple[str, ...]
    output: str
    format: FileFormat
    model: dict[str, bytes] = field(repr=False)
    """The bytes of the model's files, by name, so that every node runs the same model."""
    arguments: dict[str, Any]
    """Of the Classifier, without `model`."""
    reads: str = "image"
    """The kind of files, a key of `inputs.formats.ENDINGS`."""
    recursive: bool = True
    all_files: bool = False
    batch_size: int = 64
    max_pixels: int = MAX_PIXELS
    timeout: float = FILE_SECONDS
    resume: bool = False
    shard_files: int = SHARD_FILES
    folder: str = field(default_factory=os.getcwd)
    """The folder that relative paths start from."""

    def description(self) -> dict[str, Any]:
        """Everything that the rows and the files of the shards depend on, for RUN_NAME."""
        model = hashlib.sha256()
        for name, data in sorted(self.model.items()):
            model.update(f"{name} {len(data)} ".encode() + data)
        return {
            "edge_runtime": __version__,
            "model": model.hexdigest(),
            **{key: self.arguments[key] for key in ("precision", "top_k", "min_score")},
            "providers": self.arguments.get("providers") or None,  # absent in older outputs
            "max_pixels": self.max_pixels,
            "sources": [written(source) for source in self.sources],
            "recursive": self.recursive,
            "all_files": self.all_files,
            "format": self.format,
            "part_files": self.shard_files,
        }

    def local(self, path: str) -> str:
        """Make a local path absolute, as workers are in other folders; a URI stays as it is."""
        return path if storage.is_uri(path) else os.path.join(self.folder, path)

    def inside(self, name: str) -> str:
        """The path or URI of a file in the output."""
        return f"{self.local(self.output).rstrip('/')}/{name}"

    def shard_name(self, number: int) -> str:
        """The name of a shard's file; names sort in the order of the shards, up to 10 million."""
        return f"part-{number:07}.{self.format}"

    @property
    def row_format(self) -> RowFormat:
        """The format of the rows, unless they are Parquet."""
        return RowFormat("jsonl" if self.format == "jsonl" else "csv", self.arguments["top_k"])


def model_files(model: Path, precision: str) -> dict[str, bytes]:
    """Read the files that a Classifier needs, of a bundle or a lone `.onnx` file, by name.

    Raises BundleError.
    """
    if not model.is_dir():
        return {model.name: read_file(model, MAX_FILE_BYTES)}
    _, path, data = read_model(model, precision)
    found = {MANIFEST_NAME: read_file(model / MANIFEST_NAME, MAX_FILE_BYTES), path.name: data}
    if os.path.lexists(model / LABELS_NAME):
        found[LABELS_NAME] = read_file(model / LABELS_NAME, MAX_FILE_BYTES)
    return found


def begin(job: Job) -> None:
    """Prepare the output folder, and note the job in it or compare it with the one noted there.

    Raises OutputError when it is not empty (without `resume`) or was written by another job.
    """
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
            raise OutputError(f"{output}: cannot be written ({one_line(error)})") from None
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
    """Check that this node sees the job's output and local folders.

    Without them, its rows would call files `not_found` that are on another node. Raises
    EdgeRuntimeError.
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


def list_shards(job: Job) -> Iterator[Shard]:
    """Walk the sources and yield their files in shards; one shard is in memory at a time.

    Raises EdgeRuntimeError when a folder cannot be listed.
    """
    passed_over: list[int] = [0]

    def pass_over(path: str) -> None:
        passed_over[0] += 1

    number = -1
    for number, paths in enumerate(chunked(_paths(job, pass_over), job.shard_files)):
        count, passed_over[0] = passed_over[0], 0
        yield Shard(number, paths, count)
    if passed_over[0]:
        yield Shard(-1, [], passed_over[0])


def _paths(job: Job, pass_over: Callable[[str], object]) -> Iterator[str]:
    rules: dict[str, Any] = {
        "recursive": job.recursive,
        "all_files": job.all_files,
        "endings": ENDINGS[job.reads],
        "passed_over": pass_over,
    }
    for source in job.sources:
        if storage.is_uri(source):
            yield from storage.walk(source, **rules)
        else:
            top = job.local(source)
            for path in walk([top], **rules):
                yield source + path[len(top) :]


def finish(job: Job, shards: int) -> None:
    """Mark the output as complete, with DONE_NAME.

    shards: their number. Raises OutputError when the output holds the files of more or fewer.
    """
    expected = {job.shard_name(number) for number in range(shards)}
    found = {found.base_name for found in storage.listed(job.local(job.output))}
    present = {name for name in found if name.startswith("part-")}
    if odd := sorted(present ^ expected):
        what = "has rows of files that are gone" if odd[0] in present else "has disappeared"
        raise OutputError(f"{job.output}: {odd[0]} {what}; give another -o")
    for name in found:
        if name.startswith(".part-"):  # of a worker that was killed
            storage.delete(job.inside(name))
    storage.write(job.inside(DONE_NAME), b"")
