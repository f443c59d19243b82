"""How exports are measured on validation examples."""

from model_build.data.dataset import Labelled
from model_build.export.artifacts import Artifact
from model_build.training.metrics import forward
from model_build.verification.judge import MOST, ValidationJudge


def test_the_judge_measures_what_the_libraries_of_the_users_give(built, model, dataset, spec):
    examples = dataset.labelled(dataset.validation, spec.input)
    judge = ValidationJudge(forward(model, examples.tensors), examples)
    exact = Artifact("model.onnx", "onnx", "fp32")
    beside = judge.compare(exact, built[0] / exact.path)
    assert (beside.examples, beside.changed) == (len(examples.labels), 0)
    assert judge.distance(exact, built[0] / exact.path) < 1e-6
    for name, format in (("model.int8.onnx", "onnx"), ("model.int8.tflite", "tflite")):
        rounded = Artifact(name, format, "int8")
        assert judge.compare(rounded, built[0] / name).loss < 0.1
        assert 1e-5 < judge.distance(rounded, built[0] / name) < 0.1


def test_of_many_examples_some_of_all_parts_are_looked_at(built, model, dataset, spec):
    part = dataset.labelled(dataset.validation, spec.input)
    many = Labelled(part.tensors.repeat(20, axis=0), part.labels.repeat(20))
    artifact = Artifact("model.onnx", "onnx", "fp32")
    beside = ValidationJudge(forward(model, many.tensors), many).compare(
        artifact, built[0] / artifact.path
    )
    assert len(part.labels) < beside.examples <= MOST < len(many.labels)
    once = ValidationJudge(forward(model, part.tensors), part).compare(
        artifact, built[0] / artifact.path
    )
    assert abs(beside.accuracy - once.accuracy) < 0.02
