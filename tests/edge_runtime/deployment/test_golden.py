"""The golden vectors: they pass here, and each kind of difference is found."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_runtime import BundleError, Classifier
from edge_runtime.bundle.manifest import BUILT_IN, Manifest
from edge_runtime.deployment.golden import GOLDEN_NAME, check_files, check_golden

from ...support.helpers import VECTORS, edit_manifest, flip_byte

Vectors = list[dict[str, Any]]


def edit_golden(bundle: Path, change: Callable[[Vectors], object]) -> None:
    """Change golden.json and describe it rightly in the manifest."""
    path = bundle / GOLDEN_NAME
    vectors = json.loads(path.read_text("utf-8"))
    replace_golden(bundle, json.dumps(change(vectors) or vectors).encode())


def replace_golden(bundle: Path, data: bytes) -> None:
    (bundle / GOLDEN_NAME).write_bytes(data)

    def describe(manifest: dict[str, Any]) -> None:
        (entry,) = [file for file in manifest["files"] if file["path"] == GOLDEN_NAME]
        entry.update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())

    edit_manifest(bundle, describe)


def failing(bundle: Path) -> list[str]:
    results = check_golden(bundle, Classifier(bundle))
    return [result.image for result in results if not result.passed]


def test_every_golden_vector_passes_on_this_device(classifier: Classifier) -> None:
    results = list(check_golden(BUILT_IN, classifier))
    assert [result.image for result in results] == [vector["image"] for vector in VECTORS]
    assert [result.image for result in results if not result.passed] == []


def test_the_vectors_cover_every_format_every_digit_and_a_blank() -> None:
    endings = {Path(vector["image"]).suffix for vector in VECTORS}
    assert {".png", ".jpg", ".bmp", ".gif", ".tif", ".webp"} <= endings
    assert {vector["label"] for vector in VECTORS} == {*"0123456789", "unknown"}


DIFFERENCES: dict[str, Callable[[dict[str, Any]], object]] = {
    "one value of the tensor": lambda v: v["tensor"].__setitem__(
        100, (v["tensor"][100] + v["tensor_tolerance"] + 1) % 256
    ),
    "one probability": lambda v: v["probabilities"].__setitem__(0, v["probabilities"][0] + 0.002),
    "the label": lambda v: v.update(label="0" if v["label"] != "0" else "1"),
}


@pytest.mark.parametrize("change", DIFFERENCES.values(), ids=DIFFERENCES)
def test_a_difference_in_one_vector_fails_that_vector_alone(
    bundle: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    edit_golden(bundle, lambda vectors: [change(vectors[2]), None][1])
    assert failing(bundle) == [VECTORS[2]["image"]]


def test_a_difference_within_the_tolerances_passes(bundle: Path) -> None:
    def change(vectors: Vectors) -> None:
        for vector in vectors:
            vector["probabilities"] = [p + 0.0005 for p in vector["probabilities"]]

    edit_golden(bundle, change)
    assert failing(bundle) == []


MALFORMED: dict[str, Callable[[Vectors], Any]] = {
    "none": lambda vectors: [vectors.clear(), []][1],
    "no list": lambda vectors: {"vectors": 3},
    "a key missing": lambda vectors: vectors[0].pop("tensor") and None,
    "a tensor too short": lambda vectors: vectors[0]["tensor"].pop() and None,
    "an image unknown": lambda vectors: vectors[0].update(image="absent.png"),
    "an image outside": lambda vectors: vectors[0].update(image="../labels.txt"),
}


@pytest.mark.parametrize("change", MALFORMED.values(), ids=MALFORMED)
def test_golden_vectors_that_are_malformed_are_a_bundle_error(
    bundle: Path, change: Callable[[Vectors], Any]
) -> None:
    edit_golden(bundle, change)
    with pytest.raises(BundleError) as refused:
        list(check_golden(bundle, Classifier(bundle)))
    assert str(bundle) in str(refused.value)


def test_golden_vectors_that_are_not_json_or_not_there_are_a_bundle_error(bundle: Path) -> None:
    replace_golden(bundle, b"[")
    with pytest.raises(BundleError, match=r"golden\.json"):
        list(check_golden(bundle, Classifier(bundle)))
    edit_manifest(
        bundle,
        lambda data: data.update(files=[f for f in data["files"] if "golden" not in f["path"]]),
    )
    with pytest.raises(BundleError, match=r"has no golden/golden\.json"):
        list(check_golden(bundle, Classifier()))


def test_every_file_here_is_checked_and_the_others_are_counted(bundle: Path) -> None:
    for name in ("model.int8.onnx", "labels.txt"):
        (bundle / name).unlink()
    checked, absent = check_files(bundle)
    assert {"model.int8.onnx", "labels.txt"} <= {file.path for file in absent}
    assert {"model.onnx", GOLDEN_NAME} <= {file.path for file in checked}
    assert len(checked) + len(absent) == len(Manifest.load(bundle).files)


def test_a_file_with_a_flipped_byte_is_refused_even_when_it_is_no_model(bundle: Path) -> None:
    flip_byte(bundle / "golden" / "0.png", -20)
    with pytest.raises(BundleError, match=r"golden/0\.png: SHA-256 is "):
        check_files(bundle)


def test_a_file_that_the_manifest_does_not_know_is_refused(bundle: Path) -> None:
    (bundle / "golden" / "extra.png").touch()
    with pytest.raises(BundleError, match=r"golden/extra\.png: not in the manifest"):
        check_files(bundle)
