"""Coverage-guided fuzzing of image decoding and preprocessing, with atheris (the `fuzz` extra).

    python -m tests.fuzz.fuzz_image [CORPUS_DIR] [-max_total_time=300] [libFuzzer's other options]

Any exception but ImageError, or a tensor of another shape, is a finding.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports():
    from edge_runtime.bundle.preprocessing import Crop, Fit, Ink, Stretch
    from edge_runtime.bundle.spec import InputSpec
    from edge_runtime.errors import ImageError
    from edge_runtime.inputs.image import decode, ignore_decoder_warnings
    from edge_runtime.preprocessing.readers import reader_of

from ..campaigns.mutate_images import mended, mutants

INPUT = InputSpec(height=16, width=16)
READERS = [reader_of(INPUT, how) for how in (Ink(), Fit(), Crop(), Stretch())]
STATUSES = {"empty", "wrong_kind", "not_an_image", "corrupt", "too_large"}


def one_input(data: bytes) -> None:
    refused, tensor = None, None
    try:
        pixels = decode(mended(data), max_pixels=1_000_000)
        tensor = READERS[len(data) % len(READERS)].tensor(pixels)
    except ImageError as error:  # which would keep the image in memory, with its traceback
        refused = (error.status, str(error))
    if refused is not None:
        assert refused[0] in STATUSES, refused
        assert "\n" not in refused[1], refused
        return
    assert tensor is not None
    assert tensor.shape == INPUT.shape
    assert tensor.dtype == "uint8"


def main() -> None:
    ignore_decoder_warnings()
    warnings.simplefilter("ignore")
    arguments = sys.argv
    folders = [Path(word) for word in arguments[1:] if not word.startswith("-")]
    if folders:
        folders[0].mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(mutants(300, seed=0)):
            (folders[0] / f"seed-{number}").write_bytes(data)
    atheris.Setup(arguments, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
