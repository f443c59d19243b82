import json
import re
import shutil

import numpy as np
import onnx
import pytest

from model_build.export.artifacts import ARTIFACTS, Artifact
from model_build.verification.parity import ArtifactReport, Gates, ParityReport, verify

from ..conftest import run


def check(folder, model, dataset, spec, artifacts=ARTIFACTS, gates=Gates(), count=70):
    part = dataset.test[:count]
    return verify(
        folder,
        artifacts,
        model,
        "digits",
        [dataset.images[i] for i in part],
        part,
        dataset.labels[part],
        dataset.tensors(part, spec.input),
        gates,
    )


def weaken(path):
    """Turn the sign of one weight matrix of an ONNX file."""
    proto = onnx.load(path)
    matrix = max(proto.graph.initializer, key=lambda i: len(i.dims) == 2)
    values = -onnx.numpy_helper.to_array(matrix)
    matrix.CopyFrom(onnx.numpy_helper.from_array(values, matrix.name))
    path.write_bytes(proto.SerializeToString())


def test_a_perturbed_artifact_fails_and_its_images_are_named(built, model, dataset, spec, tmp_path):
    folder = tmp_path / "bundle"
    shutil.copytree(built[0], folder)
    weaken(folder / "model.onnx")
    report = check(folder, model, dataset, spec)
    failure = next(line for line in report.failures if line.startswith("model.onnx"))
    (onnx_report,) = [a for a in report.artifacts if a.path == "model.onnx"]
    assert failure.startswith("model.onnx: labels differ from Keras on images ")
    assert set(onnx_report.disagreeing) <= set(dataset.test.tolist())
    assert str(onnx_report.disagreeing[0]) in failure


@pytest.mark.parametrize(
    ("gates", "path"),
    [
        (Gates(fp32_difference=0), "model.tflite"),
        (Gates(float16_difference=0), "model.float16.tflite"),
        (Gates(int8_accuracy_loss=-1, int8_p_value=2), "model.int8.onnx"),
    ],
)
def test_each_gate_can_fail(built, model, dataset, spec, gates, path):
    artifacts = [a for a in ARTIFACTS if a.path == path]
    (failure,) = check(built[0], model, dataset, spec, artifacts, gates).failures
    assert failure.startswith(path)
    assert "allowed" in failure


def test_features_that_are_not_those_of_keras_fail(built, model, dataset, spec, tmp_path):
    proto = onnx.load(built[0] / "model.onnx")
    (entry,) = [entry for entry in proto.metadata_props if entry.key == "evidence"]
    entry.value = re.sub(r', "bias": "[^"]*"', "", entry.value)
    onnx.save(proto, tmp_path / "model.onnx")
    artifacts = [a for a in ARTIFACTS if a.path == "model.onnx"]
    (failure,) = check(tmp_path, model, dataset, spec, artifacts, count=8).failures
    assert failure.startswith("model.onnx: a feature differs by ")


def test_an_int8_loss_counts_where_it_is_significant(built, model, dataset, spec, tmp_path):
    import keras

    worse = keras.models.clone_model(model)
    worse.set_weights(model.get_weights())
    logits = worse.get_layer("logits")
    logits.set_weights([-weights for weights in logits.get_weights()])
    worse.save(tmp_path / "model.keras")
    artifact = Artifact("model.keras", "keras", "int8")

    def report(count):
        return check(tmp_path, model, dataset, spec, [artifact], count=count)

    few, many = report(4), report(5)
    assert few.artifacts[0].accuracy == 0
    assert not few.failures  # p = 1/16
    assert many.failures == [
        "model.keras: accuracy is 100.00% below Keras, significantly (p = 0.031, one-sided McNemar"
        " test) more than the 0.30% allowed"
    ]
    assert many.dispensable == list(many.artifacts)
    said = json.loads(many.dumps())
    assert (said["passed"], said["left_out"]) == (True, ["model.keras"])


def test_not_a_number_does_not_pass_a_gate(built, model, dataset, spec, tmp_path):
    import keras

    broken = keras.models.clone_model(model)
    broken.set_weights([np.full_like(w, np.nan) for w in model.get_weights()])
    broken.save(tmp_path / "model.keras")
    assert check(tmp_path, model, dataset, spec, ARTIFACTS[:1]).failures


def test_verify_passes_on_what_build_wrote(built):
    done = run("verify", built[0], "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["passed"] is True
    assert 0 < report["features_difference"] < 1e-5
    assert "model.int8.onnx" in {artifact["path"] for artifact in report["artifacts"]}


def test_verify_refuses_an_altered_file(built, tmp_path):
    folder = tmp_path / "digits"
    shutil.copytree(built[0], folder)
    weaken(folder / "model.onnx")
    done = run("verify", folder)
    assert done.returncode == 3
    assert "model.onnx: SHA-256 is" in done.stderr


def test_what_is_read_a_part_at_a_time_is_reported_as_a_whole(
    built, model, dataset, spec, tmp_path, monkeypatch
):
    folder = tmp_path / "bundle"
    shutil.copytree(built[0], folder)
    weaken(folder / "model.onnx")
    artifacts = [a for a in ARTIFACTS if a.path in ("model.onnx", "model.int8.tflite")]

    def figures():
        report = check(folder, model, dataset, spec, artifacts)
        return [(a.accuracy, a.agreement, a.disagreeing, a.failure) for a in report.artifacts]

    whole = figures()
    monkeypatch.setattr("model_build.verification.parity._CHUNK", 16)
    assert figures() == whole
    # Of large images most are read at the largest batch size alone: 21 of these 70 at every one.
    monkeypatch.setattr("model_build.verification.parity.BATCHED_PIXELS", 0)
    assert figures() == whole
    assert check(folder, model, dataset, spec, artifacts[:1]).batched == 21


def artifact(path, **more):
    figures = {"bytes": 99_999_999, "milliseconds": 0.5, "failure": None}
    return ArtifactReport(
        path=path,
        format="onnx",
        precision="float16",
        accuracy=1.0,
        agreement=1.0,
        max_difference=1e-5,
        disagreeing=(),
        **figures | more,
    )


def test_the_table_keeps_within_80_columns_whatever_stands_in_it():
    long = "model.quantized_by_channel.with_ranges.int8.tflite"
    rows = [
        artifact("model.float16.tflite", failure="differs", milliseconds=1234.5),
        artifact(long),
    ]
    table = ParityReport("digits", 9, (1,), Gates(), tuple(rows)).table()
    head, first, second = table.splitlines()
    assert max(map(len, (head, first, second))) <= 80
    assert first.split() == [
        *("model.float16.tflite", "float16", "99,999,999", "100.00%", "100.00%", "1.0e-05"),
        *("1234.5", "FAIL"),
    ]
    assert second.startswith("model.qu")
    assert "8.tflite float16" in second
    assert head.index("gate") == first.index("FAIL")
