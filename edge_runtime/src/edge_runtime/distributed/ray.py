"""Past one machine: the same rows, with Ray Data handing out the work. Needs the `ray` extra.

from edge_runtime.ray import Predict

found = ray.data.read_binary_files("s3://scans/", include_paths=True)
rows = found.map_batches(Predict, batch_size=64, compute=ActorPoolStrategy(size=8), num_cpus=1)
"""

from __future__ import annotations

import logging
import os
import pickle
import shutil
import sys
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from ..errors import EdgeRuntimeError
from ..inference.results import Result
from ..inputs.files import MAX_PIXELS
from ..system.cpus import available_cpus
from ..system.signals import interrupts_held
from ..system.workers import chunked, work_in_order

# Nothing that this package starts sends statistics; Ray reads this when it is imported.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
with interrupts_held():
    try:
        import pyarrow as pa
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"Ray Data is not installed ({error.name}); pip install 'edge-runtime[ray]'"
        ) from None

    from ..inference.batch import classify_chunk, own_classifier
    from ..inference.classifier import Classifier
    from .job import Done, Job, Part, begin, check_node, finish, list_parts
    from .shards import Classify, classify_anywhere, make_part, start_reading, table

if TYPE_CHECKING:
    from ..inference.classifier import Precision

_OBJECT_STORE_BYTES = 80 << 20  # paths and counts pass through it, no images
_IN_FLIGHT = 2  # parts a worker
_LONGEST = 20  # bytes: the names of sockets below it, which Ray makes, end at 107
_WARY = 4 * _IN_FLIGHT


class Predict:
    """For `Dataset.map_batches`: a model that is loaded once by each worker.

    Takes batches with the column `path` (local paths or URIs, which the worker reads), and
    `bytes` if the files have been read already. Gives a pyarrow table with a row for each, in
    their order: `path`, `status`, `label`, `score`, `error`, then `label_2`, `score_2`, ... with
    `top_k`; statuses as in the command line's rows, null where a row has no value. A batch is in
    memory, with its `bytes`.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        *,
        precision: Precision = "fp32",
        top_k: int = 1,
        min_score: float = 0.0,
        threads: int = 1,
        batch_size: int = 64,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        """Load a model, as `Classifier` does and with its arguments; the path is the worker's.

        batch_size: images in one call of the model.
        max_pixels: width times height above which an image is `too_large`.

        Raises BundleError.
        """
        self._classifier = own_classifier(
            Classifier,
            model,
            precision=precision,
            top_k=top_k,
            min_score=min_score,
            threads=threads,
        )
        self._batch_size = batch_size
        self._max_pixels = max_pixels

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> pa.Table:
        """The rows of a batch of `path` and, if there, `bytes`."""
        paths = [str(path) for path in batch["path"]]
        if "bytes" not in batch:
            results = classify_anywhere(self._classifier, paths, self._batch_size, self._max_pixels)
        else:
            data = iter(batch["bytes"])
            results = [
                result
                for chunk in chunked(paths, self._batch_size)
                for result in classify_chunk(
                    self._classifier, chunk, self._max_pixels, lambda path: bytes(next(data))
                )
            ]
        return table(results, self._classifier.top_k)


def run(job: Job, *, workers: int | None = None, address: str | None = None) -> Generator[Done]:
    """Make all parts of a job, on a Ray of our own on this machine or on the cluster at `address`.

    Yields what became of each part, as they end. workers: processes; None for one for every
    `threads` processors. Raises OutputError, BundleError, EdgeRuntimeError and OSError.
    """
    begin(job)
    threads = job.arguments["threads"]
    with _connected(address, (workers or available_cpus()) * threads):
        if workers is None:
            workers = max(1, int(_processors() // threads))
        yield from _made(job, workers)


def _processors() -> float:
    found: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return found.get("CPU", 1)


def _made(job: Job, workers: int) -> Iterator[Done]:
    folders = [source for source in job.sources if os.path.isdir(job.local(source))]
    context = ray.data.DataContext.get_current().copy()
    context.enable_progress_bars = False
    context.target_max_block_size = 1  # a part is a block is a task
    here = ray.get_runtime_context().get_node_id()
    with ray.data.DataContext.current(context):
        parts = (
            ray.data.from_items([{"job": 0}])
            .map_batches(
                partial(_list, job), batch_size=1, num_cpus=0, label_selector={_NODE: here}
            )
            .map_batches(
                _PartMaker,
                fn_constructor_args=(job, folders),
                batch_size=1,
                num_cpus=job.arguments["threads"],
                compute=ray.data.ActorPoolStrategy(
                    min_size=1,
                    max_size=workers,
                    initial_size=workers,
                    max_tasks_in_flight_per_actor=_IN_FLIGHT,
                ),
            )
        )
    made = 0
    try:
        for batch in parts.iter_batches(batch_size=None, prefetch_batches=0):
            for number, done in map(pickle.loads, batch["answer"]):
                if isinstance(done, Exception):
                    raise done
                made += number >= 0
                yield done
    except ray.exceptions.RayError as error:
        last = str(error).strip().splitlines()[-1:]
        raise EdgeRuntimeError(f"Ray: {' '.join(last) or type(error).__name__}") from None
    finish(job, made)


_NODE = "ray.io/node-id"


def _list(job: Job, batch: object) -> Iterator[dict[str, list[bytes]]]:
    """The parts, one after another, as fast as they are taken; an error takes the last place."""
    try:
        for part in list_parts(job):
            yield {"part": [pickle.dumps(part)]}
    except (EdgeRuntimeError, OSError) as error:
        yield {"part": [pickle.dumps(error)]}


class _PartMaker:
    """A worker: makes one part after another."""

    def __init__(self, job: Job, folders: Sequence[str]) -> None:
        self._job = job
        self._folders = folders
        self._classify: Classify | None = None
        restarted = ray.get_runtime_context().was_current_actor_reconstructed
        self._wary = _WARY if restarted else 0

    def __call__(self, batch: Mapping[str, Sequence[bytes]]) -> dict[str, list[bytes]]:
        return {"answer": [pickle.dumps(self._answer(pickle.loads(p))) for p in batch["part"]]}

    def _answer(self, part: Part | Exception) -> tuple[int, Done | Exception]:
        if isinstance(part, Exception):
            return -1, part
        try:
            if self._classify is None:
                check_node(self._job, self._folders)
                self._classify = start_reading(self._job)
            classify = self._classify
            if self._wary:
                self._wary -= 1
                classify = self._classify_apart
            return part.number, make_part(self._job, part, classify)
        except (EdgeRuntimeError, OSError) as error:
            return -1, error

    def _classify_apart(self, paths: list[str]) -> list[Result]:
        """In a process of its own: what ended this worker's last one may be among the files."""
        chunks = chunked(paths, self._job.batch_size)
        start = partial(start_reading, self._job)
        return list(chain.from_iterable(work_in_order(start, chunks, 1, _lost)))


def _lost(path: str, reason: str) -> list[Result]:
    return [Result.crashed(path, reason)]


@contextmanager
def _connected(address: str | None, cpus: int) -> Iterator[None]:
    """With Ray; unless there is one in this process or at `address`, one that ends with this."""
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    if ray.is_initialized():
        yield
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    own = None
    if address is None:
        folder = tempfile.gettempdir()
        own = tempfile.mkdtemp(prefix="edge-", dir=folder if len(folder) <= _LONGEST else "/tmp")
        quiet |= {
            "num_cpus": cpus,
            "include_dashboard": False,
            "object_store_memory": _OBJECT_STORE_BYTES,
            # Ray takes 127.0.0.1 for the machine's address in its network.
            "_node_ip_address": "127.0.0.2" if sys.platform == "linux" else "127.0.0.1",
            "_temp_dir": own,
        }
    try:
        with interrupts_held():
            ray.init(address=address or "local", **quiet)
        yield
    except ConnectionError as error:
        raise EdgeRuntimeError(f"no Ray at {address} ({error})") from None
    finally:
        with interrupts_held():
            ray.shutdown()
            if own:
                shutil.rmtree(own, ignore_errors=True)
