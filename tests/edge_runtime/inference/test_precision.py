"""The choice of a precision by time: it follows the measurement, is said, and never mixes rows."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime import Classifier
from edge_runtime.bundle.manifest import BUILT_IN, Manifest
from edge_runtime.errors import BundleError
from edge_runtime.inference import precision
from edge_runtime.inference.precision import choose_precision

from ...conftest import Run
from ...support.helpers import GOLDEN, edit_manifest, without_metadata
from ...support.small_bundles import onnx_model


@pytest.mark.parametrize("quicker", ["fp32", "int8"])
def test_the_quicker_model_is_taken(monkeypatch: pytest.MonkeyPatch, quicker: str) -> None:
    times = {"fp32": 2.0, "int8": 2.0} | {quicker: 1.5}
    monkeypatch.setattr(precision, "_time", lambda *arguments: times)
    choice = choose_precision(BUILT_IN)
    assert choice == (quicker, times)
    assert str(choice).startswith(f"{quicker} (fp32 ")
    assert Classifier(precision="auto").precision == quicker


def test_both_models_are_timed() -> None:
    choice = choose_precision(BUILT_IN)
    assert set(choice.milliseconds) == {"fp32", "int8"}
    assert min(choice.milliseconds, key=choice.milliseconds.__getitem__) == choice.precision
    assert all(time > 0 for time in choice.milliseconds.values())


def test_where_there_is_no_other_model_nothing_is_measured(bundle: Path) -> None:
    lone = Classifier(bundle / "model.onnx", precision="auto")
    assert lone.precision is None
    (bundle / "model.int8.onnx").unlink()
    assert choose_precision(bundle) == ("fp32", {})
    assert Classifier(bundle, precision="auto").precision == "fp32"


def test_a_model_that_takes_something_else_is_told_as_one(bundle: Path) -> None:
    spec = Manifest.load(bundle).spec
    other = replace(spec, input=replace(spec.input, name="other"))
    weights = np.zeros((np.prod(spec.input.shape), len(spec.labels)), np.float32)
    model = without_metadata(onnx_model(other, weights))
    (bundle / "model.int8.onnx").write_bytes(model)

    def describe(manifest: dict[str, Any]) -> None:
        (file,) = (file for file in manifest["files"] if file["path"] == "model.int8.onnx")
        file.update(bytes=len(model), sha256=hashlib.sha256(model).hexdigest())

    edit_manifest(bundle, describe)
    with pytest.raises(BundleError, match=r"model.int8.onnx: takes \['other'\]"):
        choose_precision(bundle)


def test_a_run_says_which_it_took_and_writes_its_rows(run: Run) -> None:
    paths = ("predict", str(GOLDEN), "--workers", "2")
    auto = run(*paths, "--precision", "auto")
    said = re.search(
        r"precision auto: (fp32|int8) \(fp32 [0-9.e-]+ ms, int8 ", auto.stderr.decode()
    )
    assert said
    assert run(*paths, "--precision", said[1]).stdout == auto.stdout
    assert b"precision" not in run(*paths, "--precision", "auto", "--quiet").stderr


def test_rows_are_never_gone_on_with_in_a_precision_that_may_be_another(
    run: Run, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.csv"
    ended = run(
        *("predict", str(GOLDEN), "-o", str(rows), "--resume", "--precision", "auto"), status=2
    )
    assert b"--precision fp32 or int8" in ended.stderr
    assert not rows.exists()
