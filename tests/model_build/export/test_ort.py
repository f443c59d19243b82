import shutil

import numpy as np
import pytest

from edge_runtime import Classifier
from model_build.export.ort import OPERATORS_NAME, ort_session, write_ort

from ..conftest import ROOT

REFERENCE = ROOT / "exported" / "digits"


# onnxruntime's tool leaves the files that it reads to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_ort_files_read_the_whole_test_split_as_the_onnx_files_do(dataset, tmp_path, precision):
    for name in ("model.onnx", "model.int8.onnx"):
        shutil.copy(REFERENCE / name, tmp_path)
    write_ort(tmp_path)
    session = ort_session(tmp_path / ("model.ort" if precision == "fp32" else "model.int8.ort"))
    classifier = Classifier(REFERENCE, precision=precision)
    tensors = np.stack([classifier.tensor(dataset.images[i]) for i in dataset.test])
    found = session.run(None, {"pixels": tensors})[0]
    expected = classifier.probabilities(tensors)
    assert (found.argmax(1) == expected.argmax(1)).all()
    assert np.abs(found - expected).max() <= 1e-5
    assert "labels" in session.get_modelmeta().custom_metadata_map
    operators = (tmp_path / OPERATORS_NAME).read_text()
    assert "FusedConv" in operators
    assert str(tmp_path) not in operators
