"""A single flipped byte in any file that is loaded: refused. The short version of flip_bytes.py."""

from __future__ import annotations

from pathlib import Path

from .flip_bytes import flip, loaded_files


def test_every_flipped_byte_is_refused_in_one_line(bundle: Path) -> None:
    assert flip(bundle, 200, seed=1).total() == 200


def test_the_flips_reach_every_file_that_is_loaded(bundle: Path) -> None:
    names = {path.relative_to(bundle).as_posix() for path in loaded_files(bundle)}
    assert {"manifest.json", "labels.txt", "model.onnx", "model.int8.onnx"} <= names
    assert "golden/golden.json" in names
