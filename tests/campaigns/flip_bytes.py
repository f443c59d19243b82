"""Flip single bytes anywhere in the files that the runtime loads; every flip must be refused.

    python -m tests.campaigns.flip_bytes [--flips 2000] [--seed N]

Each flip changes one byte of a copied bundle, to any other value, and loads what holds that
file: the classifier, the int8 classifier, or the golden vectors.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import Counter
from pathlib import Path

from edge_runtime import BundleError, Classifier
from edge_runtime.bundle.manifest import Manifest
from edge_runtime.deployment.golden import check_files, check_golden

from ..support.helpers import copy_bundle


def loaded_files(bundle: Path) -> list[Path]:
    names = ("manifest.json", "model.onnx", "model.int8.onnx", "labels.txt", "golden/*")
    return sorted(path for name in names for path in bundle.glob(name))


def refusal(bundle: Path, path: Path) -> str:
    """Why the bundle is refused when this file of it is read; empty when it is not."""
    try:
        if path.parent.name == "golden":
            check_files(bundle)
            list(check_golden(bundle, Classifier(bundle)))
        else:
            Classifier(bundle, precision="int8" if "int8" in path.name else "fp32")
    except BundleError as error:
        return str(error)
    return ""


def flip(bundle: Path, flips: int, seed: int) -> Counter[str]:
    """How many flips of each file were refused; half of the places are drawn by size, half by file.

    Raises AssertionError for one that was not, or not in one line with the file's name.
    """
    chance = random.Random(seed)
    files = loaded_files(bundle)
    sizes = [path.stat().st_size for path in files]
    refused: Counter[str] = Counter()
    for number in range(flips):
        (path,) = chance.choices(files, sizes if number % 2 else None)
        whole = path.read_bytes()
        place, value = chance.randrange(len(whole)), chance.randrange(1, 256)
        changed = bytearray(whole)
        changed[place] ^= value
        path.write_bytes(changed)
        message = refusal(bundle, path)
        assert message, f"{path}: byte {place} changed by {value:#x} was not refused"
        assert message.startswith(f"{path}: "), message
        assert "\n" not in message, message
        refused[path.relative_to(bundle).as_posix()] += 1
        path.write_bytes(whole)
    Manifest.load(bundle)
    return refused


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--flips", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as top:
        refused = flip(copy_bundle(Path(top, "bundle")), options.flips, options.seed)
    for name, count in sorted(refused.items()):
        print(f"{name:<24}{count:>6}")
    print(f"{refused.total()} of {options.flips} flips refused")


if __name__ == "__main__":
    main()
