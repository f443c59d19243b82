"""Predict again and again in one process; memory, file descriptors and threads must not grow.

    python -m tests.campaigns.long_run [--predictions 1000000] [--batch 64] [--seed N]

The images are files of every format, good, blank and broken, read one by one and in batches. The
memory after a first tenth, in which caches fill, is compared with that at the end.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

from edge_runtime import Classifier
from edge_runtime.inference.batch import classify_chunk
from edge_runtime.inputs.image import ignore_decoder_warnings

from ..support.helpers import GOLDEN

PAGE = os.sysconf("SC_PAGE_SIZE")


def resident() -> int:
    """This process's memory in bytes (Linux)."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def native_threads() -> int:
    return len(os.listdir("/proc/self/task"))


def predict_many(
    classifier: Classifier, predictions: int, batch: int, seed: int, show: Callable[[int], object]
) -> None:
    """Half one by one as bytes, half in chunks of paths; `show` is called at each hundredth."""
    chance = random.Random(seed)
    paths = [str(path) for path in sorted(GOLDEN.iterdir()) if path.suffix != ".json"]
    encoded = [Path(path).read_bytes() for path in paths]
    paths += ["absent.png", __file__]
    done, hundredth = 0, max(1, predictions // 100)
    shown = 0
    while done < predictions:
        if chance.random() < 0.5:
            for data in chance.choices(encoded, k=batch):
                classifier.predict(data)
        else:
            classify_chunk(classifier, chance.choices(paths, k=chance.randint(1, batch)))
        done += batch
        while shown < min(done, predictions) // hundredth:
            shown += 1
            show(shown)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--predictions", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    ignore_decoder_warnings()
    classifier = Classifier()
    started = time.monotonic()
    after_tenth = 0

    def show(hundredths: int) -> None:
        nonlocal after_tenth
        if hundredths == 10:
            after_tenth = resident()
        if hundredths % 10 == 0:
            print(
                f"{hundredths:3} %  {time.monotonic() - started:6.0f} s  {resident() / 1e6:.1f} MB"
                f"  {descriptors()} descriptors  {native_threads()} threads",
                flush=True,
            )

    predict_many(classifier, options.predictions, options.batch, options.seed, show)
    growth = resident() / after_tenth - 1
    print(f"{options.predictions:,} predictions: memory grew by {growth:.2%}")
    assert threading.active_count() == 1


if __name__ == "__main__":
    main()
