"""The bundle that is committed."""

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
