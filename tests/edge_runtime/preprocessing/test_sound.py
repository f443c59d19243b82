"""Sounds from whatever a caller holds: files, bytes, arrays of samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_runtime import Classifier, EdgeRuntimeError, InputError
from edge_runtime.bundle.spec import UNKNOWN
from edge_runtime.inputs.wav import decode

from ...support.small_bundles import RATE, sounds_bundle, tone, wav


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    return Classifier(sounds_bundle(tmp_path_factory.mktemp("sounds") / "bundle"))


def test_a_path_bytes_and_samples_are_read_alike(sounds: Classifier, tmp_path: Path) -> None:
    (tmp_path / "high.wav").write_bytes(wav(tone(2500)))
    samples = decode(tmp_path / "high.wav").samples
    integers = np.round(samples * 32768).astype(np.int16)
    sources = [str(tmp_path / "high.wav"), tmp_path / "high.wav", wav(tone(2500)), samples]
    sources += [samples.astype(np.float64), integers, integers.astype(np.int32) << 16]
    predictions = [sounds.predict(source) for source in sources]
    assert {prediction.label for prediction in predictions} == {"high"}
    assert len(set(predictions)) == 1
    assert sounds.predict_batch(sources) == predictions
    tensor = sounds.tensor(samples)
    assert (tensor.shape, tensor.dtype) == (sounds.spec.input.shape, np.uint8)
    assert sounds.predict(tensor) == predictions[0]
    assert sounds.predict(wav(tone(300))).label == "low"


def test_silence_is_unknown(sounds: Classifier) -> None:
    for silence in (wav(np.zeros(4000)), wav(np.full(4000, 0.5)), np.zeros(4000)):
        found = sounds.predict(silence)
        assert (found.label, found.score, found.index, found.top) == (UNKNOWN, 0.0, -1, ())


def test_an_array_that_is_no_sound_is_refused_with_its_type_and_shape(sounds: Classifier) -> None:
    wrong = [np.zeros((28, 28), np.uint8), np.zeros((9, 2)), np.zeros(0), np.zeros(9, complex)]
    for array in [*wrong, np.array("text"), np.ones(9, bool)]:
        with pytest.raises(ValueError, match=r"^samples are ") as refused:
            sounds.predict(array)
        assert f"samples are {array.dtype} of shape {array.shape}" in str(refused.value)
    with pytest.raises(InputError, match="a sample is nan"):
        sounds.predict(np.array([0.0, np.nan]))


def test_what_is_no_sound_at_all_is_refused_by_name(sounds: Classifier, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="cannot read a sound from Image; give a path"):
        sounds.predict(Image.new("L", (9, 9)))
    for name, data, status in (
        ("absent.wav", None, "not_found"),
        ("empty.wav", b"", "empty"),
        ("image.wav", b"\x89PNG\r\n\x1a\n", "wrong_kind"),
    ):
        if data is not None:
            (tmp_path / name).write_bytes(data)
        with pytest.raises(EdgeRuntimeError, match=name) as refused:
            sounds.predict(tmp_path / name)
        assert isinstance(refused.value, InputError)
        assert refused.value.status == status


def test_a_file_larger_than_its_limit_of_samples_can_need_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "junk.wav"
    path.write_bytes(b"RIFF")
    with path.open("r+b") as file:
        file.truncate(3 << 30)  # a hole: nothing is on the disk
    with pytest.raises(InputError, match="3221225472 bytes are more than") as refused:
        decode(path)
    assert refused.value.status == "too_large"


def test_a_recording_of_minutes_is_read_by_its_loudest_part(sounds: Classifier) -> None:
    long = np.zeros(100 * RATE)
    long[70 * RATE : 70 * RATE + 4000] = tone(2500)
    assert sounds.predict(wav(long)).label == "high"
