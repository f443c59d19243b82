"""A real model with its weights in another file, made with onnx, is refused by the runtime."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from edge_runtime import BundleError, Classifier
from edge_runtime.bundle.manifest import BUILT_IN
from edge_runtime.bundle.onnx_weights import external_data


def test_a_model_saved_with_external_data_is_refused_also_beside_its_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = onnx.load(BUILT_IN / "model.onnx")
    path = tmp_path / "external.onnx"
    onnx.save_model(model, path, save_as_external_data=True, location="weights.bin")
    assert (tmp_path / "weights.bin").stat().st_size > 100_000
    monkeypatch.chdir(tmp_path)  # where onnxruntime would look for them
    with pytest.raises(BundleError, match="keeps weights in another file") as refused:
        Classifier(path)
    assert "\n" not in str(refused.value)
    onnx.save_model(onnx.load(path), tmp_path / "whole.onnx")
    assert not external_data((tmp_path / "whole.onnx").read_bytes())
    assert Classifier(tmp_path / "whole.onnx").labels == Classifier().labels
