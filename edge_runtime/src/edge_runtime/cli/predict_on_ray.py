"""`edge-runtime predict --engine ray`: the same rows, made by Ray."""

from __future__ import annotations

import os
import warnings
from contextlib import closing
from typing import TYPE_CHECKING, Any

from .exits import EXIT_USAGE, interruptible, stop

if TYPE_CHECKING:
    from ..output.row_format import FileFormat
    from .progress import Progress


def predict_on_ray(
    paths: tuple[str, ...],
    output: str,
    format: FileFormat,
    options: dict[str, Any],
    workers: int | None,
    address: str | None,
    progress: Progress,
) -> None:
    """Run a job on the cluster at `address`, or on a Ray of this run's own.

    options: of the Job, but for its model, which stands in its `arguments`.
    """
    warnings.filterwarnings("ignore", module=r"ray\.")  # of its own deprecations
    if address is None:
        # Ray's servers listen on every address: they serve only who has this run's token. It
        # reads these when it is imported.
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = os.urandom(32).hex()
    try:
        from ..distributed.ray import run
    except ModuleNotFoundError as error:
        stop(EXIT_USAGE, f"--engine ray: {error}")
    from ..distributed.job import Job, model_files
    from ..distributed.storage import plain

    arguments = dict(options.pop("arguments"))
    model = model_files(arguments.pop("model"), arguments["precision"])
    sources = tuple(map(plain, paths))
    job = Job(sources, plain(output), format, model, arguments, **options)
    with interruptible(), closing(run(job, workers=workers, address=address)) as shards:
        try:
            progress.count_shards(shards)
        except KeyboardInterrupt:
            progress.finish()
            raise
