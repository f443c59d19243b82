"""The classifier: one answer however an image is given, and no answer from a wrong model."""

from __future__ import annotations

import copy
import io
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edge_runtime import BundleError, Classifier, ImageError, Prediction
from edge_runtime.inference import session

from ...support.helpers import (
    DIGITS,
    GOLDEN,
    LEAST_SURE,
    TIMEOUT,
    VECTORS,
    drawn_seven,
    edit_manifest,
    environment,
    flip_byte,
    without_metadata,
)

PATHS = [GOLDEN / vector["image"] for vector in DIGITS]
LABELS = [vector["label"] for vector in DIGITS]
BLANK = np.full((20, 20), 255, np.uint8)


def test_the_golden_digits_are_read_rightly(classifier: Classifier) -> None:
    readings = classifier.predict_batch(PATHS)
    assert [reading.label for reading in readings] == LABELS
    assert [classifier.labels[reading.index] for reading in readings] == LABELS
    assert all(0 < reading.score <= 1 for reading in readings)


def test_a_tensor_is_read_as_the_image_that_it_was_made_of(classifier: Classifier) -> None:
    expected = classifier.predict_batch(PATHS)
    tensors = [classifier.tensor(path) for path in PATHS]
    assert [classifier.predict(tensor) for tensor in tensors] == expected
    mixed: list[Any] = [PATHS[0], *tensors[1:]]
    assert classifier.predict_batch(mixed) == expected


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_path_bytes_pillow_image_and_array_give_the_same_answer(
    classifier: Classifier, path: Path
) -> None:
    expected = classifier.predict(path)
    assert classifier.predict(str(path)) == expected
    assert classifier.predict(path.read_bytes()) == expected
    with Image.open(path) as image:
        assert classifier.predict(image) == expected
        if image.mode in ("L", "RGB") and not image.getexif():
            assert classifier.predict(np.asarray(image)) == expected


def test_a_lone_onnx_file_reads_as_its_bundle_does(classifier: Classifier, bundle: Path) -> None:
    lone = bundle.parent / "elsewhere.onnx"
    (bundle / "model.onnx").rename(lone)
    alone = Classifier(lone)
    assert alone.spec == classifier.spec
    assert alone.manifest is None
    assert alone.predict_batch(PATHS) == classifier.predict_batch(PATHS)


def test_int8_gives_the_same_labels(classifier: Classifier) -> None:
    int8 = Classifier(precision="int8")
    assert [reading.label for reading in int8.predict_batch(PATHS)] == LABELS
    tensors = np.stack([classifier.tensor(path) for path in PATHS])
    assert not np.array_equal(int8.probabilities(tensors), classifier.probabilities(tensors))


def test_several_at_once_read_as_one_by_one(classifier: Classifier) -> None:
    together = classifier.predict_batch(PATHS * 3)
    one_by_one = [classifier.predict(path) for path in PATHS] * 3
    assert [reading.label for reading in together] == [reading.label for reading in one_by_one]
    scores = np.array([[a.score, b.score] for a, b in zip(together, one_by_one, strict=True)])
    assert np.abs(scores[:, 0] - scores[:, 1]).max() < 1e-6
    assert classifier.predict_batch([]) == []


def test_threads_may_share_a_classifier(classifier: Classifier) -> None:
    expected = [classifier.predict(path) for path in PATHS]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(classifier.predict, PATHS * 25))
    assert found == expected * 25


def test_top_k_holds_the_best_labels_with_their_probabilities_best_first() -> None:
    classifier = Classifier(top_k=3)
    tensors = np.stack([classifier.tensor(path) for path in PATHS])
    for reading, probabilities in zip(
        classifier.predict_batch(PATHS), classifier.probabilities(tensors), strict=True
    ):
        best = sorted(range(10), key=lambda index: -probabilities[index])[:3]
        assert [score.label for score in reading.top] == [classifier.labels[i] for i in best]
        assert [score.score for score in reading.top] == [float(probabilities[i]) for i in best]
        assert (reading.label, reading.score) == reading.top[0]


def test_top_k_beyond_the_labels_holds_every_label_once() -> None:
    reading = Classifier(top_k=99).predict(PATHS[0])
    assert sorted(score.label for score in reading.top) == sorted("0123456789")
    assert sum(score.score for score in reading.top) == pytest.approx(1, abs=1e-5)


def test_a_reading_below_the_minimum_score_is_unknown_and_keeps_its_score(
    classifier: Classifier,
) -> None:
    sure = classifier.predict(LEAST_SURE)
    unsure = Classifier(min_score=(1 + sure.score) / 2).predict(LEAST_SURE)
    assert unsure == Prediction("unknown", sure.score, -1, sure.top)
    assert Classifier(min_score=sure.score).predict(LEAST_SURE) == sure


def test_a_blank_image_is_unknown_with_score_zero_whatever_the_minimum() -> None:
    for classifier in (Classifier(), Classifier(top_k=3), Classifier(precision="int8")):
        assert classifier.predict(BLANK) == Prediction("unknown", 0.0, -1, ())
        mixed = classifier.predict_batch([PATHS[0], BLANK, PATHS[1]])
        assert [reading.label for reading in mixed] == [LABELS[0], "unknown", LABELS[1]]


def test_an_unreadable_image_raises_with_its_status_and_name(classifier: Classifier) -> None:
    with pytest.raises(ImageError, match=r"no/such\.png: no such file") as refused:
        classifier.predict_batch([PATHS[0], "no/such.png"])
    assert refused.value.status == "not_found"


@pytest.mark.parametrize(("option", "value"), [("top_k", 0), ("min_score", 1.5), ("min_score", -1)])
def test_options_out_of_range_are_refused(option: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{option} is {value}"):
        Classifier(**{option: value})


@pytest.mark.parametrize("name", ["model.onnx", "model.int8.onnx"])
def test_a_flipped_byte_is_refused_by_name_and_only_in_the_model_that_is_run(
    bundle: Path, name: str
) -> None:
    flip_byte(bundle / name)
    damaged, sound = ("fp32", "int8") if name == "model.onnx" else ("int8", "fp32")
    with pytest.raises(BundleError) as refused:
        Classifier(bundle, precision=damaged)  # type: ignore[arg-type]
    assert str(refused.value).startswith(f"{bundle / name}: SHA-256 is ")
    assert Classifier(bundle, precision=sound).predict(PATHS[7]).label  # type: ignore[arg-type]


def set_labels(labels: list[str]) -> Callable[[dict[str, Any]], None]:
    return lambda data: data.update(labels=labels)


MISMATCHES: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "a label missing": (set_labels(list("012345678")), "gives 10 classes, its description 9"),
    "a label too many": (set_labels(list("0123456789a")), "gives 10 classes, its description 11"),
    "a label twice": (set_labels(list("0123456788")), "label '8' stands twice"),
    "another height": (lambda data: data["input"].update(height=15), "15, 16, 1"),
    "another width": (lambda data: data["input"].update(width=15), "16, 15, 1"),
    "colour": (lambda data: data["input"].update(channels=3), "16, 16, 3"),
    "another input name": (lambda data: data["input"].update(name="image"), "says 'image'"),
    "another output name": (lambda data: data["output"].update(name="y"), "and 'y'"),
    "no int8": (
        lambda data: data.update(files=[f for f in data["files"] if f.get("precision") != "int8"]),
        "no int8 ONNX file",
    ),
}


@pytest.mark.parametrize(("change", "words"), MISMATCHES.values(), ids=MISMATCHES)
def test_a_manifest_that_describes_another_model_is_refused_in_one_line(
    bundle: Path, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    edit_manifest(bundle, change)
    with pytest.raises(BundleError) as refused:
        Classifier(bundle, precision="int8" if "int8" in words else "fp32")
    assert words in str(refused.value)
    assert str(bundle) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_files_that_are_no_model_are_refused_in_one_line(tmp_path: Path, bundle: Path) -> None:
    model = (bundle / "model.onnx").read_bytes()
    cases = {
        "absent": (None, "cannot be read"),
        "empty": (b"", "onnxruntime cannot load it"),
        "text": (b"this is no model\n" * 9, "is no ONNX file"),
        "cut": (model[: len(model) // 2], "is no ONNX file"),
        "bare": (without_metadata(model), "carries no labels and preprocessing"),
    }
    for name, (data, words) in cases.items():
        path = tmp_path / f"{name}.onnx"
        if data is not None:
            path.write_bytes(data)
        with pytest.raises(BundleError) as refused:
            Classifier(path)
        assert str(refused.value).startswith(f"{path}: ")
        assert words in str(refused.value)
        assert "\n" not in str(refused.value)


def test_no_file_is_left_in_the_home_folder(home: Path) -> None:
    code = f"from edge_runtime import Classifier; Classifier().predict({str(PATHS[0])!r})"
    subprocess.run([sys.executable, "-c", code], env=environment(home), timeout=TIMEOUT, check=True)
    assert list(home.rglob("*")) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"top_k": 0},
        {"top_k": 2.5},
        {"top_k": True},
        {"threads": 0},
        {"threads": -1},
        {"threads": "2"},
        {"min_score": 1.5},
        {"min_score": float("nan")},
        {"min_score": "0.5"},
        {"precision": "fp16"},
    ],
    ids=str,
)
def test_a_wrong_argument_is_named_when_a_classifier_is_made(wrong: dict[str, Any]) -> None:
    ((name, value),) = wrong.items()
    with pytest.raises((TypeError, ValueError), match=rf"^{name} is '?{value}'?, expected "):
        Classifier(**wrong)


@pytest.mark.parametrize("name", ["batch_size", "workers"])
@pytest.mark.parametrize("value", [0, -1, 2.5, "3", None, True], ids=str)
def test_a_wrong_argument_is_named_when_a_folder_is_asked_for(
    classifier: Classifier, name: str, value: Any
) -> None:
    with pytest.raises((TypeError, ValueError), match=f"^{name} is '?{value}'?, expected "):
        classifier.predict_folder(GOLDEN, **{name: value})


def test_numpys_integers_are_whole_numbers() -> None:
    classifier = Classifier(top_k=np.int64(2), threads=np.uint8(1))
    assert len(classifier.predict(PATHS[0]).top) == 2
    assert len(list(classifier.predict_folder(GOLDEN, batch_size=np.int32(3)))) == len(VECTORS)


def test_a_classifier_says_what_it_is(classifier: Classifier, bundle: Path) -> None:
    text = repr(classifier)
    assert classifier.spec.name in text
    assert all(label in text for label in classifier.labels)
    assert "fp32" in text
    assert "int8" in repr(Classifier(precision="int8"))
    assert "lone file" in repr(Classifier(bundle / "model.onnx"))


def test_a_classifier_is_pickled_and_copied_by_its_arguments(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bundle.parent)
    made = Classifier("bundle", precision="int8", top_k=2, min_score=0.25)
    pickled = pickle.dumps(made)
    monkeypatch.chdir("/")
    for other in (pickle.loads(pickled), pickle.loads(pickle.dumps(Classifier(top_k=2)))):
        assert other.predict(PATHS[0]).top[0].label == LABELS[0]
    monkeypatch.chdir(bundle.parent)
    other = copy.deepcopy(made)
    assert (other.top_k, other.min_score) == (2, 0.25)
    assert other.predict_batch(PATHS) == made.predict_batch(PATHS)


@pytest.mark.parametrize(
    "one",
    [str(PATHS[0]), PATHS[0], PATHS[0].read_bytes(), bytearray(1), memoryview(b""), io.BytesIO()],
    ids=type,
)
def test_a_batch_is_not_one_input(classifier: Classifier, one: Any) -> None:
    with pytest.raises(TypeError, match="takes a list of inputs"):
        classifier.predict_batch(one)


def test_a_file_in_memory_or_open_is_read_as_its_path(classifier: Classifier) -> None:
    expected = classifier.predict(PATHS[0])
    data = PATHS[0].read_bytes()
    sources: list[Any] = [bytearray(data), memoryview(data), io.BytesIO(data)]
    for source in sources:
        assert classifier.predict(source) == expected
    with open(PATHS[0], "rb") as file:
        assert classifier.predict(file) == expected
        with pytest.raises(ImageError, match="no more bytes; seek") as refused:
            classifier.predict(file)
    assert refused.value.status == "empty"
    sources[2].seek(0)
    together = classifier.predict_batch(sources)
    assert {reading.label for reading in together} == {expected.label}
    text: Any = io.StringIO("text")
    with pytest.raises(TypeError, match="file of text; open it with mode 'rb'"):
        classifier.predict(text)


def test_arrays_of_other_types_are_read_as_their_8_bits(classifier: Classifier) -> None:
    seven = drawn_seven()
    expected = classifier.predict(seven)
    assert expected.label == "7"
    assert classifier.predict(seven / 255) == expected
    assert classifier.predict(np.round(seven / 255 * 16), scale=16).label == "7"
    assert classifier.predict(seven > 127).label == "7"
    assert classifier.predict(np.dstack([255 - seven] * 3 + [seven])).label == "7"
    batch = classifier.predict_batch([seven.astype(int)] * 2, scale=255)
    assert [reading.label for reading in batch] == ["7", "7"]
    assert np.array_equal(classifier.tensor(seven * 2.0, scale=510), classifier.tensor(seven))


@pytest.mark.parametrize(
    ("source", "scale", "error", "words"),
    [
        (np.zeros((8, 8), int), None, TypeError, "int64.*scale="),
        (np.ones((8, 8)) * 16, None, ValueError, "from 16 to 16, expected 0 to 1; scale="),
        (np.ones((8, 8)), 0, ValueError, "scale is 0.0, expected a finite number above 0"),
        (np.ones((8, 8)), float("nan"), ValueError, "scale is nan"),
        (np.ones((8, 8)), "16", TypeError, "scale is '16', expected a number"),
        (PATHS[0], 16, ValueError, "scale is for arrays of pixels"),
        (np.zeros(64, np.uint8), None, ValueError, r"shape \(64,\), expected \(H, W\)"),
        ([[0, 1], [1, 0]], None, TypeError, "from list; give a path"),
        (None, None, TypeError, "from NoneType; give a path"),
    ],
    ids=str,
)
def test_what_is_no_image_is_the_callers_mistake(
    classifier: Classifier, source: Any, scale: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        classifier.predict(source, scale=scale)


@pytest.mark.parametrize(
    "tensors",
    [np.zeros((16, 16, 1), np.uint8), np.zeros((1, 16, 16, 1)), np.zeros((1, 8, 8, 1), np.uint8)],
    ids=["no batch", "floats", "another size"],
)
def test_tensors_of_another_shape_or_type_are_the_callers_mistake(
    classifier: Classifier, tensors: Any
) -> None:
    with pytest.raises(ValueError, match="expected uint8 of"):
        classifier.probabilities(tensors)


def test_one_call_may_ask_for_other_labels_and_another_minimum_score(
    classifier: Classifier, tmp_path: Path
) -> None:
    sure = classifier.predict(LEAST_SURE)
    above = (1 + sure.score) / 2
    three = classifier.predict(LEAST_SURE, top_k=3)
    assert three == Classifier(top_k=3).predict(LEAST_SURE)
    unsure = Prediction("unknown", sure.score, -1, sure.top)
    assert classifier.predict(LEAST_SURE, min_score=above) == unsure
    assert classifier.predict_batch([LEAST_SURE], min_score=above, top_k=1) == [unsure]
    shutil.copyfile(LEAST_SURE, tmp_path / LEAST_SURE.name)
    for workers in (1, 2):
        (result,) = classifier.predict_folder(tmp_path, min_score=above, workers=workers)
        assert result.prediction == unsure
    assert classifier.predict(LEAST_SURE) == sure
    for wrong in ({"top_k": 0}, {"min_score": 2}, {"min_score": "high"}, {"top_k": "3"}):
        asked: Any = wrong
        with pytest.raises((TypeError, ValueError), match=f"^{next(iter(wrong))} is "):
            classifier.predict(LEAST_SURE, **asked)


def test_the_recommended_minimum_score_is_the_models_own(
    classifier: Classifier, bundle: Path
) -> None:
    sure = classifier.predict(LEAST_SURE)
    edit_manifest(bundle, lambda data: data.update(min_score=(1 + sure.score) / 2))
    recommended = Classifier(bundle, min_score="recommended")
    assert recommended.min_score == recommended.spec.min_score == (1 + sure.score) / 2
    assert recommended.predict(LEAST_SURE).label == "unknown"
    assert Classifier(bundle).predict(LEAST_SURE, min_score="recommended").label == "unknown"
    assert pickle.loads(pickle.dumps(recommended)).predict(LEAST_SURE).label == "unknown"
    assert recommended.predict(LEAST_SURE, min_score=0) == sure


@pytest.mark.parametrize("shape", [(40, 30), (40, 30, 3), (40, 30, 4)])
def test_a_batch_is_not_one_array(classifier: Classifier, shape: tuple[int, ...]) -> None:
    with pytest.raises(TypeError, match="takes a list of inputs, not ndarray"):
        classifier.predict_batch(np.zeros(shape, np.uint8))
    assert len(classifier.predict_batch(np.zeros((2, 40, 30), np.uint8))) == 2


def test_many_large_inputs_are_run_a_few_at_a_time_and_answered_the_same(
    monkeypatch: pytest.MonkeyPatch, classifier: Classifier
) -> None:
    tensors = np.array([vector["tensor"] for vector in VECTORS], np.uint8).reshape(-1, 16, 16, 1)
    monkeypatch.setattr(session, "_BYTES_AT_ONCE", 5 * 256)
    few = Classifier()
    calls = []
    run = session.run_session

    def counted(*arguments: Any) -> Any:
        calls.append(len(arguments[2]["pixels"]))
        return run(*arguments)

    monkeypatch.setattr(session, "run_session", counted)
    assert np.array_equal(few.probabilities(tensors), classifier.probabilities(tensors))
    assert calls == [5, 5, 3, 13]
