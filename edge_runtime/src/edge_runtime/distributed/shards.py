"""The work on one shard of a job: its files are classified, its rows encoded and written."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq

from ..bundle.manifest import MANIFEST_NAME
from ..errors import OutputError, one_line
from ..inference.batch import classify_chunk, own_classifier
from ..inference.classifier import Classifier
from ..inference.results import Counts, Result
from ..output import parquet
from ..output.row_format import RowFormat, written
from ..system.workers import chunked
from . import storage
from .job import Job, Shard, ShardSummary

Classify = Callable[[Iterable[str]], list[Result]]
_THREADS = 32  # they mostly wait for the store


def start_classifying(job: Job, going_on: Callable[[], object] = lambda: None) -> Classify:
    """Load the job's model in this process; the function returned classifies paths and URIs.

    going_on: called before each file. Raises BundleError.
    """
    with TemporaryDirectory() as folder:
        for name, data in job.model.items():
            (Path(folder) / name).write_bytes(data)
        model = Path(folder) if MANIFEST_NAME in job.model else Path(folder) / next(iter(job.model))
        classifier = own_classifier(Classifier, model, **job.arguments)
    return lambda paths: classify_anywhere(
        classifier, list(paths), job.batch_size, job.max_pixels, job.local, going_on
    )


def classify_anywhere(
    classifier: Classifier,
    paths: Sequence[str],
    batch_size: int,
    max_pixels: int,
    local: Callable[[str], str] = str,
    going_on: Callable[[], object] = lambda: None,
) -> list[Result]:
    """Classify local paths and URIs in batches: one Result for each, in their order.

    URIs are read ahead. local: maps a local path to the one to open. going_on: called before each
    file.
    """

    def classify(source: Callable[[str], str | bytes]) -> list[Result]:
        def next_source(path: str) -> str | bytes:
            going_on()
            return source(path)

        chunks = chunked(paths, batch_size)
        return [
            result
            for chunk in chunks
            for result in classify_chunk(classifier, chunk, max_pixels, next_source)
        ]

    if not any(map(storage.is_uri, paths)):
        return classify(local)

    def read(path: str) -> str | bytes:
        return storage.read(path) if storage.is_uri(path) else local(path)

    with ThreadPoolExecutor(_THREADS) as pool:
        ahead = storage.read_ahead(paths, read, pool)
        return classify(lambda path: next(ahead)())


def write_shard(job: Job, shard: Shard, classify: Classify) -> ShardSummary:
    """Classify the files of a shard and write their rows, unless an earlier run wrote them.

    Raises OSError when they cannot be written, OutputError when the earlier rows are of other
    files.
    """
    if not shard.paths:
        return ShardSummary(Counts(), False, shard.passed_over)
    name = job.shard_name(shard.number)
    if job.resume and (earlier := _earlier(job, name)) is not None:
        if [path for path, *_ in earlier] != [written(path) for path in shard.paths]:
            raise OutputError(
                f"{job.output}: cannot be resumed: {name} holds the rows of other files than are"
                " there now; give another -o"
            )
        counts = Counts()
        for _, status, label in earlier:
            counts.add(status, label)
        return ShardSummary(counts, True, shard.passed_over)
    results = classify(shard.paths)
    storage.write(job.inside(name), _encoded(job, results))
    return ShardSummary(Counts.of(results), False, shard.passed_over)


def table(results: Sequence[Result], top_k: int) -> pa.Table:
    """The rows as a table of strings, with scores as float64, and null where the CSV is empty."""
    return parquet.table(map(RowFormat("jsonl", top_k).fields, results), top_k)


def _encoded(job: Job, results: list[Result]) -> bytes:
    if job.format != "parquet":
        return job.row_format.header() + job.row_format.rows(results)
    stream = io.BytesIO()
    pq.write_table(table(results, job.arguments["top_k"]), stream)
    return stream.getvalue()


def _earlier(job: Job, name: str) -> list[tuple[str, str, str | None]] | None:
    """The path, status and label of each row in a shard's file; None if there is no such file."""
    try:
        data = storage.load(job.inside(name))
    except FileNotFoundError:
        return None
    if job.format == "parquet":
        columns = ["path", "status", "label"]
        try:
            found = pq.read_table(io.BytesIO(data), columns=columns)
        except (pa.ArrowException, OSError) as error:
            raise OutputError(f"{name}: cannot be read ({one_line(error)})") from None
        return list(zip(*(found[key].to_pylist() for key in columns), strict=True))
    stream = io.BytesIO(data)
    job.row_format.read_header(stream, name)
    return [(row.path, row.status, row.label) for row in job.row_format.read_rows(stream)]
