"""Where an answer comes from, in models whose every pixel is known."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from edge_runtime import BundleError, Classifier, Explanation
from edge_runtime.bundle.evidence import Evidence, with_outputs

from ...support.helpers import flip_byte
from ...support.small_bundles import (
    COLOUR_WEIGHTS,
    FLAT,
    PIXELS,
    SOUNDS,
    colours_bundle,
    colours_model,
    images_bundle,
    sounds_model,
    tone,
)

HALVES = np.zeros((6, 8, 3), np.uint8)
HALVES[:, :4] = 250, 10, 0
HALVES[:, 4:] = 0, 20, 240


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return colours_bundle(tmp_path_factory.mktemp("bundle") / "colours")


@pytest.fixture(scope="module")
def colours(folder: Path) -> Classifier:
    return Classifier(folder)


def test_each_place_has_what_it_adds_to_the_logit(colours: Classifier) -> None:
    logits = HALVES.mean((0, 1)) @ COLOUR_WEIGHTS
    shares = np.exp(logits) / np.exp(logits).sum()
    for index, label in enumerate(colours.labels):
        found = colours.explain(HALVES, label)
        above_the_mean = COLOUR_WEIGHTS[:, index] - COLOUR_WEIGHTS.mean(axis=1)
        assert np.allclose(found.map, HALVES @ above_the_mean / 48, atol=1e-6)
        assert found.map.dtype == np.float32
        assert found.logit == pytest.approx(logits[index] - logits.mean(), abs=1e-5)
        assert found.map.sum() == pytest.approx(found.logit, abs=1e-5)
        assert found.label == label
        assert found.score == pytest.approx(shares[index], abs=1e-6)


def test_by_default_the_answer_is_explained(colours: Classifier) -> None:
    found, answer = colours.explain(HALVES), colours.predict(HALVES)
    assert isinstance(found, Explanation)
    assert (found.label, found.score) == (answer.label, answer.score)
    assert colours.explain(np.repeat(HALVES, 3, axis=1)).map.shape == (6, 8)


def test_the_embedding_is_what_the_last_layer_reads(colours: Classifier) -> None:
    found = colours.embed(HALVES)
    assert (found.shape, found.dtype) == ((3,), np.float32)
    assert np.allclose(found, HALVES.mean((0, 1)), atol=1e-4)
    assert np.allclose(colours.embed(HALVES / 255), found, atol=1e-4)


def test_the_picture_is_coloured_where_the_label_is_seen(colours: Classifier) -> None:
    picture = colours.explain(HALVES, "blue").overlay()
    assert picture.size == (320, 240)
    changed = np.abs(np.asarray(picture, int) - np.kron(HALVES, np.ones((40, 40, 1), int))).max(2)
    assert changed[:, 200:].min() > 50
    assert changed[:, :120].max() <= 1


def test_a_lone_file_is_explained_as_its_bundle(colours: Classifier, folder: Path) -> None:
    lone = Classifier(folder / "model.onnx")
    assert np.array_equal(lone.explain(HALVES).map, colours.explain(HALVES).map)


def test_threads_share_it_and_copies_explain_the_same(folder: Path) -> None:
    fresh = Classifier(folder)
    with ThreadPoolExecutor(8) as threads:
        maps = list(threads.map(lambda _: fresh.explain(HALVES).map, range(40)))
    other = pickle.loads(pickle.dumps(fresh))
    assert all(np.array_equal(each, other.explain(HALVES).map) for each in maps)
    assert np.array_equal(fresh.embed(HALVES), other.embed(HALVES))


def test_sounds_are_embedded_and_not_explained(tmp_path: Path) -> None:
    path = tmp_path / "sounds.onnx"
    path.write_bytes(sounds_model(FLAT))
    sounds = Classifier(path)
    assert sounds.embed(tone(300)).shape == (SOUNDS.input.height * SOUNDS.input.width,)
    with pytest.raises(BundleError, match="reads sounds; explain is for images"):
        sounds.explain(tone(300))


def test_features_without_a_place_are_embedded_and_not_explained(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(colours_model(FLAT))
    assert Classifier(path).embed(HALVES).shape == (3,)
    with pytest.raises(BundleError, match="no map says exactly"):
        Classifier(path).explain(HALVES)


def test_a_model_that_names_no_features_says_so(tmp_path: Path) -> None:
    old = Classifier(images_bundle(tmp_path / "old", ["a", "b"]))
    for call in (old.explain, old.embed):
        with pytest.raises(BundleError, match=r"model\.onnx: does not say .* build it again"):
            call(np.zeros((4, 4), np.uint8))


def test_the_file_is_checked_when_it_is_read_again(tmp_path: Path) -> None:
    bundle = colours_bundle(tmp_path / "bundle")
    classifier = Classifier(bundle)
    flip_byte(bundle / "model.onnx", 300)
    with pytest.raises(BundleError, match="SHA-256"):
        classifier.embed(HALVES)
    assert classifier.predict(HALVES).label == "blue"


def test_a_name_that_is_no_tensor_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(colours_model(Evidence("nowhere", FLAT.logits)))
    with pytest.raises(BundleError, match="onnxruntime cannot load it"):
        Classifier(path).embed(HALVES)


def test_an_unknown_label_is_refused(colours: Classifier) -> None:
    with pytest.raises(ValueError, match="label is 'pink', expected one of red, green, blue"):
        colours.explain(HALVES, "pink")


def test_appending_outputs_leaves_the_model_as_it_is(tmp_path: Path) -> None:
    model = colours_model(PIXELS)
    path = tmp_path / "more.onnx"
    path.write_bytes(with_outputs(model, PIXELS.tensors))
    assert path.read_bytes().startswith(model)
    tensors = HALVES[None]
    (tmp_path / "model.onnx").write_bytes(model)
    plain = Classifier(tmp_path / "model.onnx")
    assert np.array_equal(Classifier(path).probabilities(tensors), plain.probabilities(tensors))
