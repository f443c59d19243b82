"""Mistakes that are refused before TensorFlow is loaded, each in one line."""

import math

import pytest

from model_build import evaluation, models, pipeline
from model_build.arguments import ARCHITECTURES
from model_build.errors import BuildError


@pytest.fixture(autouse=True)
def nothing_is_loaded(monkeypatch):
    def load(*_):
        raise AssertionError("begins to load TensorFlow")

    monkeypatch.setattr(pipeline, "load_tensorflow", load)
    monkeypatch.setattr(evaluation, "load_tensorflow", load)


def refusal(function, **options):
    with pytest.raises(BuildError) as refused:
        function(**options)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("rate", [math.nan, math.inf, -math.inf, 0.0, -1.0])
def test_a_learning_rate_that_is_no_number_above_0_is_refused(tmp_path, rate):
    said = refusal(pipeline.build, output=tmp_path / "out", learning_rate=rate)
    assert said == f"--learning-rate {rate:g}: give a number above 0, such as 0.003"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("version", ["", "newest", "1 2", "1\n", "1" * 99])
def test_a_version_that_cannot_be_ordered_is_refused(tmp_path, version):
    said = refusal(pipeline.build, output=tmp_path / "out", version=version)
    assert said.endswith(": give one that begins with a number: 2.1")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("seed", [-1, 2**31 - 999, 2**32, 2**70])
def test_a_seed_that_cannot_be_drawn_from_is_refused(tmp_path, seed):
    said = f"--seed {seed}: give a whole number from 0 to 2147482648"
    assert refusal(pipeline.build, output=tmp_path, seed=seed) == said
    assert refusal(evaluation.evaluate, seed=seed) == said


def test_so_is_the_last_of_several_seeds():
    said = refusal(evaluation.evaluate, seed=2**31 - 1000, seeds=2)
    assert said.startswith("--seed 2147482648 (the last of --seeds would be 2147482649): give")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"architecture": "resnet"},
            "--architecture resnet: not known; choose auto, compact, lenet",
        ),
        ({"weights": "w.h5"}, "--weights w.h5: for a network of keras.applications; name it"),
        ({"architecture": "mobilenet_v2", "weights": "w.h5"}, "--weights w.h5: no such file"),
        ({"epochs": 0}, "--epochs 0: at least 1 is needed"),
        ({"batch_size": 0}, "--batch-size 0: at least 1 is needed"),
        ({"name": ""}, "--name '': give a plain folder name"),
        ({"name": "  "}, "--name '  ': give a plain folder name"),
        ({"name": "a/b"}, "--name 'a/b': give a plain folder name"),
        ({"name": "a\nb"}, "--name 'a\\nb': give a plain folder name"),
        ({"name": "a" * 250}, "give a plain folder name"),
    ],
)
def test_other_mistakes_too(tmp_path, options, words):
    assert words in refusal(pipeline.build, output=tmp_path, **options)


def test_a_file_is_no_folder_for_bundles(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for output in (tmp_path / "notes.txt", tmp_path / "notes.txt" / "below"):
        said = refusal(pipeline.build, output=output)
        assert said == f"--output {output}: {tmp_path / 'notes.txt'} is a file; give a folder"


def test_the_names_of_the_networks_are_those_of_the_models():
    assert tuple(models.ARCHITECTURES) == ARCHITECTURES
