"""Golden vectors: encoded images, the tensors they must become, the predictions they must give.

`golden/golden.json` of a bundle holds one object for each image (or sound, or series, by the
same names):
`image` (a path inside `golden/`), `about` (what it tests), `tensor` (what the image must become:
the input tensor's values, row by row, 0 to 255), `tensor_tolerance` (the largest difference
allowed for a value, because lossy decoders may differ), `probabilities` (what the model must
make of that tensor, one for each label), `label` (the label that it must predict).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..bundle.manifest import (
    MANIFEST_NAME,
    SIGNATURE_NAME,
    BundleFile,
    Manifest,
    check_labels,
    read_verified,
)
from ..errors import BundleError
from ..inference.classifier import Classifier
from ..inference.precision import Precision

GOLDEN_NAME = "golden/golden.json"
PROBABILITY_TOLERANCE = 1e-3
"""The largest difference of a probability that passes: processors round differently."""
PROVIDER_TOLERANCE = 5e-3
"""The same on another execution provider than the CPU's, which may compute in float16, TF32 or
bfloat16; also the limit of float16 artifacts. With all weights and activations of the digits'
model rounded to float16 the golden vectors differ by 2e-4 at most, with bfloat16 by 3.3e-3."""


@dataclass(frozen=True, slots=True)
class GoldenResult:
    """The outcome of one golden image on this device."""

    image: str
    about: str
    expected: str
    """The label that must be predicted."""
    label: str
    """The label that was predicted."""
    tensor_difference: int
    """Largest difference of a tensor value, 0 to 255."""
    probability_difference: float
    """Largest difference of a probability, 0 to 1, from the golden tensor."""
    passed: bool


def check_files(bundle: Path) -> tuple[list[BundleFile], list[BundleFile]]:
    """Check every file of the bundle that is here: (checked, absent).

    A device needs only `manifest.json`, one ONNX file and `golden/`, so other files may be
    absent. Raises BundleError for a file that is not the one the manifest describes, or
    that the manifest does not know.
    """
    manifest = Manifest.load(bundle)
    checked, absent = [], []
    for file in manifest.files:
        if os.path.lexists(bundle / file.path):
            read_verified(bundle, file)
            checked.append(file)
        else:
            absent.append(file)
    known = {file.path for file in manifest.files} | {MANIFEST_NAME, SIGNATURE_NAME}
    check_labels(bundle, manifest)
    for path in sorted(bundle.rglob("*")):
        name = path.relative_to(bundle).as_posix()
        if not path.is_dir() and name not in known:
            raise BundleError(f"{path}: not in the manifest; remove it or copy the bundle again")
    return checked, absent


def check_golden(bundle: Path, classifier: Classifier) -> Iterator[GoldenResult]:
    """Classify each golden image of the bundle and compare. Raises BundleError without them."""
    manifest = Manifest.load(bundle)
    files = {file.path: file for file in manifest.files}
    if GOLDEN_NAME not in files:
        raise BundleError(f"{bundle}: has no {GOLDEN_NAME}")
    data = read_verified(bundle, files[GOLDEN_NAME])
    try:
        vectors = json.loads(data)
        if not vectors:
            raise BundleError(f"{bundle / GOLDEN_NAME}: holds no golden vector, so proves nothing")
        for vector in vectors:
            yield _check_vector(bundle, classifier, files, vector)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise BundleError(f"{bundle / GOLDEN_NAME}: not as documented ({error!r})") from None


def tolerance(classifier: Classifier) -> float:
    """The largest difference of a probability that passes on the classifier's providers."""
    return PROVIDER_TOLERANCE if len(classifier.providers) > 1 else PROBABILITY_TOLERANCE


def prove(bundle: Path, precision: Precision = "fp32", providers: Sequence[str] = ()) -> None:
    """Check the hashes and the golden vectors. Raises BundleError for what does not pass.

    precision, providers: of the Classifier that runs them. An int8 model need not reach the
        probabilities, which are those of fp32, but the labels.
    """
    check_files(bundle)
    classifier = Classifier(bundle, precision=precision, providers=providers)
    for result in check_golden(bundle, classifier):
        same_label = result.label == result.expected
        if not result.passed and not (classifier.precision == "int8" and same_label):
            raise BundleError(
                f"{bundle}: golden vector {result.image} gave {result.label!r}, expected"
                f" {result.expected!r}; this device reads images differently from the machine that"
                " built the bundle"
            )


def _check_vector(
    bundle: Path, classifier: Classifier, files: Mapping[str, BundleFile], vector: Mapping[str, Any]
) -> GoldenResult:
    name = f"golden/{vector['image']}"
    if name not in files:
        raise BundleError(f"{bundle}: {name} is not in the manifest")
    found = classifier.tensor(read_verified(bundle, files[name]))
    expected = np.array(vector["tensor"], dtype=np.uint8).reshape(found.shape)
    tensor_difference = int(np.abs(found.astype(np.int16) - expected).max())
    probabilities = classifier.probabilities(expected[None])[0]
    difference = float(np.abs(probabilities - np.array(vector["probabilities"])).max())
    label = classifier.read_tensors(found[None])[0].label
    return GoldenResult(
        image=vector["image"],
        about=vector["about"],
        expected=vector["label"],
        label=label,
        tensor_difference=tensor_difference,
        probability_difference=difference,
        passed=label == vector["label"]
        and tensor_difference <= vector["tensor_tolerance"]
        and difference <= tolerance(classifier),
    )
