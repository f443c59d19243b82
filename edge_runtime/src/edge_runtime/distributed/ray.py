"""Classification on many machines: Ray Data hands out the work. Needs the `ray` extra.

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
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from ..errors import EdgeRuntimeError
from ..inference.precision import PRECISIONS
from ..inference.results import Result, lost
from ..inputs.files import MAX_PIXELS
from ..system.arguments import whole_number
from ..system.cpus import available_cpus
from ..system.signals import interrupts_held
from ..system.watchdog import Watchdog
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
    from .job import Job, Shard, ShardSummary, begin, check_node, finish, list_shards
    from .shards import Classify, classify_anywhere, start_classifying, table, write_shard

if TYPE_CHECKING:
    from ..inference.classifier import MinScore
    from ..inference.precision import Precision

_OBJECT_STORE_BYTES = 80 << 20  # for paths and counts; images do not pass through it
_IN_FLIGHT = 2  # shards for each worker
_MAX_TEMP_BYTES = 20  # in the path: Ray makes sockets below it, whose paths end at 107 bytes
_SHARDS_APART = 4 * _IN_FLIGHT  # after a worker died: more than those that it had in hand


class Predict:
    """The class for `Dataset.map_batches`: each worker loads the model once.

    Batches have the column `path` (local paths or URIs, which the worker reads), and `bytes` if
    the files have been read already. The result is a pyarrow table with a row for each path, in
    their order: `path`, `status`, `label`, `score`, `error`, then `label_2`, `score_2`, ... with
    `top_k`; statuses as in the command line's rows, null where a row has no value. One batch is in
    memory at a time, with its `bytes`.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        *,
        precision: Precision = "fp32",
        top_k: int = 1,
        min_score: MinScore = 0.0,
        threads: int = 1,
        providers: Sequence[str] = (),
        batch_size: int = 64,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        """Load a model from a path on the worker's machine, with the arguments of `Classifier`.

        batch_size: images in one call of the model.
        max_pixels: width times height above which an image is `too_large`.

        Raises BundleError, TypeError and ValueError as Classifier does.
        """
        if precision not in PRECISIONS:
            raise ValueError(
                f"precision is {precision!r}, expected 'fp32' or 'int8'; each worker would measure"
                " 'auto' for itself"
            )
        self._classifier = own_classifier(
            Classifier,
            model,
            precision=precision,
            top_k=top_k,
            min_score=min_score,
            threads=threads,
            providers=providers,
        )
        self._batch_size = whole_number("batch_size", batch_size)
        self._max_pixels = whole_number("max_pixels", max_pixels)

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


def run(
    job: Job, *, workers: int | None = None, address: str | None = None
) -> Generator[ShardSummary]:
    """Run a job on the cluster at `address`, or on a Ray that is started on this machine.

    Yields the counts of each shard when it is done, in any order. workers: the number of
    processes; None for one for every `threads` processors. Raises OutputError, BundleError,
    EdgeRuntimeError and OSError.
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


def _made(job: Job, workers: int) -> Iterator[ShardSummary]:
    folders = [source for source in job.sources if os.path.isdir(job.local(source))]
    context = ray.data.DataContext.get_current().copy()
    context.enable_progress_bars = False
    context.target_max_block_size = 1  # one shard is one block is one task
    here = ray.get_runtime_context().get_node_id()
    with ray.data.DataContext.current(context):
        shards = (
            ray.data.from_items([{"job": 0}])
            .map_batches(
                partial(_list, job), batch_size=1, num_cpus=0, label_selector={_NODE: here}
            )
            .map_batches(
                _ShardWorker,
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
        for batch in shards.iter_batches(batch_size=None, prefetch_batches=0):
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
    """Yield the pickled shards of a job; an error comes in the place of the last one."""
    try:
        for shard in list_shards(job):
            yield {"shard": [pickle.dumps(shard)]}
    except (EdgeRuntimeError, OSError) as error:
        yield {"shard": [pickle.dumps(error)]}


class _ShardWorker:
    """A worker (a Ray actor): loads the model and works on one shard after another."""

    def __init__(self, job: Job, folders: Sequence[str]) -> None:
        self._job = job
        self._folders = folders
        self._classify: Classify | None = None
        self._watchdog = Watchdog(job.timeout)
        restarted = ray.get_runtime_context().was_current_actor_reconstructed
        self._left_apart = _SHARDS_APART if restarted else 0

    def __call__(self, batch: Mapping[str, Sequence[bytes]]) -> dict[str, list[bytes]]:
        return {"answer": [pickle.dumps(self._answer(pickle.loads(s))) for s in batch["shard"]]}

    def _answer(self, shard: Shard | Exception) -> tuple[int, ShardSummary | Exception]:
        if isinstance(shard, Exception):
            return -1, shard
        try:
            if self._classify is None:
                check_node(self._job, self._folders)
                self._classify = start_classifying(self._job, self._watchdog.go_on)
            classify = self._classify_here
            if self._left_apart:
                self._left_apart -= 1
                classify = self._classify_apart
            return shard.number, write_shard(self._job, shard, classify)
        except (EdgeRuntimeError, OSError) as error:
            return -1, error

    def _classify_here(self, paths: Iterable[str]) -> list[Result]:
        """Classify in this process, which ends when a file takes too long: Ray restarts it."""
        assert self._classify
        try:
            return self._classify(paths)
        finally:
            self._watchdog.rest()

    def _classify_apart(self, paths: Iterable[str]) -> list[Result]:
        """Classify in a process of its own: one of the files may have ended this worker before."""
        chunks = chunked(paths, self._job.batch_size)
        start = partial(start_classifying, self._job)
        answers = work_in_order(start, chunks, 1, lost, self._job.timeout)
        return list(chain.from_iterable(answers))


@contextmanager
def _connected(address: str | None, cpus: int) -> Iterator[None]:
    """Use the Ray of this process, else that at `address`, else one that ends with this context."""
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    if ray.is_initialized():
        yield
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    own = None
    if address is None:
        folder = tempfile.gettempdir()
        own = tempfile.mkdtemp(
            prefix="edge-", dir=folder if len(folder) <= _MAX_TEMP_BYTES else "/tmp"
        )
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
