"""An int8 file that fails its gate: left out of the bundle, or with --strict the end of it."""

import functools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge_runtime import BundleError, Classifier
from edge_runtime.deployment.benchmark import bench
from edge_runtime.deployment.golden import prove
from model_build import pipeline
from model_build.cli.main import main
from model_build.verification.parity import Gates

from ..conftest import run

NEVER = Gates(int8_accuracy_loss=-1, int8_p_value=2)
"""Gates that no int8 file passes."""
INT8 = ("model.int8.onnx", "model.int8.ort", "model.int8.tflite")


@pytest.fixture(scope="module")
def builds(tmp_path_factory):
    """(data, folder of bundles, what --strict gave, what the same without it gave)."""
    folder = tmp_path_factory.mktemp("light")
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 2
    images = rng.integers(0, 90, (90, 8, 8)) + 150 * labels[:, None, None]
    data = folder / "light.npz"
    np.savez(data, x=images.astype(np.uint8), y=labels)
    build = ("build", "--data", data, "--output", folder / "out", "--epochs", 3)
    command = [str(word) for word in (*build, "--c-array", "--ort")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "build", functools.partial(pipeline.build, gates=NEVER))
        strict = CliRunner().invoke(main, [*command, "--strict"])
        before = {path.name for path in (folder / "out").iterdir()}
        lenient = CliRunner().invoke(main, command)
    return data, folder / "out" / "light", strict, before, lenient


def test_strict_is_status_4_and_no_bundle(builds):
    _, bundle, strict, before, _ = builds
    assert strict.exit_code == 4, strict.output
    assert before == {f".{bundle.name}.training"}
    for path in INT8:
        assert f"model-build: {path}: accuracy is " in strict.stderr
    assert "verification failed; no bundle was written" in strict.stderr.splitlines()[-1]


def test_the_run_after_a_failed_gate_needs_no_training(builds):
    _, _, strict, _, lenient = builds
    assert strict.stderr.count("epoch ") == 3 + 1  # and "kept epoch"
    assert "going on with the training that " in lenient.stderr
    assert lenient.stderr.count("epoch ") == 1 + 1  # the last, for the record


def test_without_strict_the_bundle_goes_without_and_says_so_in_a_line(builds):
    _, bundle, _, _, lenient = builds
    assert lenient.exit_code == 0, lenient.output
    for path in INT8:
        (line,) = [line for line in lenient.stderr.splitlines() if line.startswith(path)]
        assert line.startswith(f"{path} is left out of the bundle: accuracy is ")
        assert f"\n{path} " in lenient.stdout  # its figures
        assert not (bundle / path).exists()
    assert not (bundle / "model.int8.h").exists()
    assert {"model.onnx", "model.tflite", "model.ort"} <= {path.name for path in bundle.iterdir()}
    card = (bundle / "MODEL_CARD.md").read_text("utf-8")
    assert "**`model.int8.onnx` is left out of the bundle: accuracy is " in card
    report = json.loads((bundle / "parity_report.json").read_text("utf-8"))
    assert (report["passed"], sorted(report["left_out"])) == (True, sorted(INT8))
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    assert not [file for file in manifest["files"] if file.get("precision") == "int8"]
    assert manifest["training"]["quantization"]["model.int8.onnx"]["calibration"] == "plain"


def test_a_bundle_without_int8_verifies_and_runs(builds):
    data, bundle, *_ = builds
    done = run("verify", bundle, "--data", data)
    assert done.returncode == 0, done.stderr
    assert "model.int8.onnx is not in the bundle: " in done.stderr
    prove(bundle)
    assert set(bench(bundle, seconds=0.01).models) == {"fp32"}
    with pytest.raises(BundleError, match="has no int8 ONNX file, but fp32; give"):
        Classifier(bundle, precision="int8")
    program = str(Path(sys.executable).parent / "edge-runtime")
    command = [program, "predict", "--model", bundle, "--precision", "int8", bundle / "golden"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        f"edge-runtime: {bundle}: the bundle has no int8 ONNX file, but fp32; give --precision fp32"
    ]
