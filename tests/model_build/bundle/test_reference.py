"""The bundle that is committed, and the model that travels in the runtime's wheel."""

import subprocess
import sys
import zipfile

import numpy as np
import pytest

from edge_runtime import Classifier
from edge_runtime.bundle.manifest import Manifest
from edge_runtime.deployment.golden import check_files

from ..conftest import ROOT

REFERENCE = ROOT / "exported" / "digits"


def test_the_reference_bundle_is_whole_and_small():
    checked, absent = check_files(REFERENCE)
    assert absent == []
    assert sum(file.bytes for file in checked) < 4_000_000


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_reference_reads_the_test_digits_as_its_manifest_says(dataset, precision):
    classifier = Classifier(REFERENCE, precision=precision)
    found = classifier.predict_batch(dataset.images[i] for i in dataset.test)
    right = np.array([p.index for p in found]) == dataset.labels[dataset.test]
    (accuracy,) = [
        file.measured["accuracy"]
        for file in Manifest.load(REFERENCE).files
        if (file.format, file.precision) == ("onnx", precision)
    ]
    assert right.mean() == pytest.approx(accuracy)


def test_the_reference_was_gated():
    for file in Manifest.load(REFERENCE).files:
        if file.precision == "fp32" and file.measured:
            assert file.measured["agreement"] == 1
            assert file.measured["max_difference"] <= 1e-5


def test_the_wheel_holds_the_reference_model(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", tmp_path, "./edge_runtime"],
        cwd=ROOT,
        check=True,
    )
    (wheel,) = tmp_path.glob("edge_runtime-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {n for n in archive.namelist() if n.startswith("edge_runtime/digits/")}
        for name in names:
            same = REFERENCE / name.removeprefix("edge_runtime/digits/")
            assert archive.read(name) == same.read_bytes(), name
    assert {"manifest.json", "model.onnx", "model.int8.onnx", "labels.txt"} <= {
        n.rpartition("/")[2] for n in names
    }
    assert "edge_runtime/digits/golden/golden.json" in names
