"""Coverage-guided fuzzing of WAV and NPY files, with atheris (the `fuzz` extra).

    python -m tests.fuzz.fuzz_signals [CORPUS_DIR] [-max_total_time=300] [libFuzzer's other options]

Any exception but InputError, or a tensor of another shape, is a finding.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports():
    from edge_runtime.bundle.preprocessing import LogMel, Series
    from edge_runtime.bundle.spec import InputSpec
    from edge_runtime.errors import InputError
    from edge_runtime.preprocessing.readers import reader_of

from ..campaigns.attack_signals import contents

READERS = [
    reader_of(
        InputSpec(height=8, width=10),
        LogMel(sample_rate=8000, window=256, hop=128, high_hz=4000.0),
    ),
    reader_of(InputSpec(height=1, width=50), Series()),
]
STATUSES = {"empty", "wrong_kind", "wrong_shape", "corrupt", "too_large"}


def one_input(data: bytes) -> None:
    for reader in READERS:
        refused, tensor = None, None
        try:
            tensor = reader.tensor(reader.decode(data, 100_000))
        except InputError as error:
            refused = (error.status, str(error))
        if refused is not None:
            assert refused[0] in STATUSES | {"not_a_sound", "not_a_series"}, refused
            assert "\n" not in refused[1], refused
        else:
            assert tensor is not None
            assert tensor.shape == reader.spec.shape
            assert tensor.dtype == "uint8"


def main() -> None:
    arguments = sys.argv
    folders = [Path(word) for word in arguments[1:] if not word.startswith("-")]
    if folders:
        folders[0].mkdir(parents=True, exist_ok=True)
        for name, (data, *_) in contents().items():
            if len(data) < 20_000:
                (folders[0] / name).write_bytes(data)
    atheris.Setup(arguments, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
