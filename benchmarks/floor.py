"""The floor: floor.py FOLDER MODEL PROCESSES SIDE reads, decodes and runs the model, no more.

Each process has a session of its own with one thread, and runs it once for every 64 images, always
on the same tensors: nothing is prepared and no row is written. JPEGs are decoded at the fraction of
their size at which both sides keep SIDE pixels.
"""

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime
from PIL import Image

BATCH = 64


@cache
def session(model: str) -> Any:
    """The session of this process."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options)


def run(files: list[str], model: str, side: int) -> int:
    """Decode the files, run the model on as many tensors, and count them."""
    for file in files:
        with Image.open(file) as image:
            image.draft(None, (side, side))
            image.load()
    (tensor,) = session(model).get_inputs()
    tensors = np.zeros((len(files), *tensor.shape[1:]), np.uint8)
    return len(session(model).run(None, {tensor.name: tensors})[0])


if __name__ == "__main__":
    folder, model, processes, side = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    files = [os.path.join(folder, file) for file in sorted(os.listdir(folder))]
    batches = [files[i : i + BATCH] for i in range(0, len(files), BATCH)]
    with ProcessPoolExecutor(processes) as pool:
        many = len(batches)
        print(sum(pool.map(run, batches, [model] * many, [side] * many)))
