"""The manifest: what is written is read back, and what is not understood is refused."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_runtime import BundleError, Classifier
from edge_runtime.bundle.manifest import (
    BUILT_IN,
    MAX_MANIFEST_BYTES,
    BundleFile,
    Manifest,
    read_verified,
)
from edge_runtime.bundle.preprocessing import Crop, Fit, Ink, LogMel, Preprocessing, Series, Stretch
from edge_runtime.bundle.spec import InputSpec, ModelSpec

from ...support.helpers import edit_manifest, flip_byte

WHERE = "some/manifest.json"
TEXT = (BUILT_IN / "manifest.json").read_text("utf-8")

PREPROCESSINGS = [
    Ink(max_stretch=3.5),
    Fit(fill=255),
    Fit(oversampling=1.25),
    Crop(),
    Crop(oversampling=8.0),
    Stretch(),
    LogMel(sample_rate=8000, window=256, hop=80, high_hz=4000.0, range_db=60.0),
    Series(low=(-4.0, 0.0), high=(4.0, 1e300)),
    Series(normalise="none", low=(-1.5, 0.0), high=(2.5, 9.0)),
]
SHAPES = {
    "image": InputSpec(height=28, width=20, channels=3, name="x"),
    "sound": InputSpec(height=28, width=20, channels=1, name="x"),
    "series": InputSpec(height=1, width=60_000, channels=2, name="x"),
}


def spec_with(preprocessing: Preprocessing) -> ModelSpec:
    return ModelSpec(
        name="chars",
        version="2.0",
        labels=("ä", 'a "quoted", one', "日本"),
        input=SHAPES[preprocessing.reads],
        preprocessing=preprocessing,
        output="y",
        min_score=0.25,
    )


def test_the_built_in_manifest_is_written_back_byte_for_byte() -> None:
    assert Manifest.load(BUILT_IN).dumps() == TEXT


@pytest.mark.parametrize("preprocessing", PREPROCESSINGS, ids=lambda p: p.kind)
def test_a_manifest_and_onnx_metadata_carry_the_whole_spec(preprocessing: Preprocessing) -> None:
    spec = spec_with(preprocessing)
    file = BundleFile("a/b.onnx", 12, "0" * 64, "onnx", "int8", {"accuracy": 0.5})
    manifest = Manifest(spec, (file,), {"temperature": 1.5}, {"seed": 7})
    assert Manifest.loads(manifest.dumps(), WHERE) == manifest
    assert ModelSpec.from_metadata(spec.to_metadata() | {"foreign": "not JSON"}, "m.onnx") == spec


def test_only_the_parameters_of_its_kind_stand_in_a_preprocessing() -> None:
    assert Crop().to_json() == {"kind": "crop"}
    assert Fit(fill=9).to_json() == {"kind": "fit", "fill": 9}
    assert Stretch(oversampling=2).to_json() == {"kind": "stretch", "oversampling": 2}


def put(*keys: str | int, value: object) -> Callable[[Any], None]:
    def change(data: Any) -> None:
        for key in keys[:-1]:
            data = data[key]
        data[keys[-1]] = value

    return change


def drop(*keys: str | int) -> Callable[[Any], None]:
    def change(data: Any) -> None:
        for key in keys[:-1]:
            data = data[key]
        del data[keys[-1]]

    return change


REFUSED = {
    "a newer schema": (put("schema_version", value=99), ["schema_version is 99", "reads 1"]),
    "schema as text": (put("schema_version", value="1"), ["schema_version", "a string"]),
    "schema as true": (put("schema_version", value=True), ["schema_version", "true or false"]),
    "no labels": (drop("labels"), ["'labels' is missing"]),
    "one label": (put("labels", value=["a"]), ["1 labels", "expected 2"]),
    "a label twice": (put("labels", 3, value="0"), ["'0' stands twice"]),
    "an empty label": (put("labels", 3, value=""), ["non-empty"]),
    "a number as label": (put("labels", 3, value=3), ["label 3 is not a"]),
    "labels as text": (put("labels", value="0123456789"), ["'labels' is a string", "a list"]),
    "unknown kind": (put("preprocessing", "kind", value="blur"), ["'blur'", "knows ink"]),
    "unknown parameter": (put("preprocessing", "sigma", value=1), ["'ink'", "'sigma'"]),
    "another kind's parameter": (put("preprocessing", "fill", value=1), ["'ink'", "'fill'"]),
    "parameter missing": (drop("preprocessing", "max_stretch"), ["'max_stretch'", "a number"]),
    "parameter too small": (put("preprocessing", "max_stretch", value=0.5), ["0.5", "1 to 100"]),
    "parameter not finite": (put("preprocessing", "max_stretch", value=float("nan")), ["nan"]),
    "oversampling below one": (
        put("preprocessing", value={"kind": "crop", "oversampling": 0.5}),
        ["oversampling", "1 to 8"],
    ),
    "a number beyond floats": (put("min_score", value=10**400), ["min_score", "0 to 1"]),
    "min_score above one": (put("min_score", value=1.5), ["1.5", "0 to 1"]),
    "zero height": (put("input", "height", value=0), ["'height' is 0", "1 to 4096"]),
    "huge width": (put("input", "width", value=10**9), ["'width' is 1000000000", "4096"]),
    "height as a fraction": (put("input", "height", value=16.0), ["'height' is a number"]),
    "two channels": (put("input", "channels", value=2), ["channels is 2", "1 or 3"]),
    "floats as input": (put("input", "dtype", value="float32"), ["'float32'", "'uint8'"]),
    "channels first": (put("input", "layout", value="NCHW"), ["'NCHW'", "'NHWC'"]),
    "an unknown key of the input": (put("input", "mean", value=0.5), ["'mean' is not known"]),
    "an unknown key of the output": (put("output", "scale", value=1), ["'scale' is not known"]),
    "a line break in a label": (put("labels", 3, value="a\nb"), ["'a\\nb'", "line break"]),
    "half a character in a label": (put("labels", 3, value="\ud800"), ["control character"]),
    "an escape in the name": (put("name", value="\x1b[2J"), ["'\\x1b[2J'"]),
    "a file of a terabyte": (put("files", 0, "bytes", value=1 << 40), ["'bytes' is 1099511627776"]),
    "logits as output": (put("output", "kind", value="logits"), ["'logits'", "'probabilities'"]),
    "a path upwards": (put("files", 0, "path", value="../model.onnx"), ["'../model.onnx'"]),
    "a path inside and out": (put("files", 0, "path", value="a/../../x"), ["'a/../../x'"]),
    "an absolute path": (put("files", 0, "path", value="/etc/passwd"), ["'/etc/passwd'"]),
    "a Windows path": (put("files", 0, "path", value="..\\x"), ["leaves the bundle"]),
    "a NUL in a path": (put("files", 0, "path", value="a\0b"), ["'a\\x00b'"]),
    "a path twice": (put("files", 0, "path", value="model.onnx"), ["'model.onnx' stands twice"]),
    "a short hash": (put("files", 0, "sha256", value="abc"), ["'abc'", "64"]),
    "negative bytes": (put("files", 0, "bytes", value=-1), ["'bytes' is -1"]),
    "a file as text": (put("files", 0, value="model.onnx"), ["files[0]", "a string"]),
    "an accuracy as text": (
        put("files", 0, "accuracy", value="all"),
        ["files[0]", "'accuracy' is a string"],
    ),
}


def log_mel(**values: object) -> Callable[[Any], None]:
    """The manifest's preprocessing is `log_mel` with good values, but for these."""
    good = LogMel().to_json() | values
    return put("preprocessing", value={k: v for k, v in good.items() if v is not None})


def series(shape: tuple[int, int, int] = (1, 50, 2), **values: object) -> Callable[[Any], None]:
    """`series` of that height, width and channels, with good values, but for these."""
    good = {"kind": "series", "normalise": "each", "low": [-4, -4], "high": [4, 4]} | values

    def change(data: Any) -> None:
        data["preprocessing"] = {k: v for k, v in good.items() if v is not None}
        data["input"].update(zip(("height", "width", "channels"), shape, strict=True))

    return change


REFUSED_SIGNALS = {
    "a parameter missing": (log_mel(hop=None), ["'hop' is missing"]),
    "an unknown parameter": (log_mel(mels=40), ["'log_mel'", "'mels' is not known"]),
    "a low rate": (log_mel(sample_rate=999), ["999", "1000 to 384000"]),
    "a short window": (log_mel(window=3), ["'window' is 3"]),
    "a hop beyond the window": (log_mel(hop=401), ["'hop' is 401, expected 1 to 400"]),
    "half a hop": (log_mel(hop=0.5), ["'hop' is a number, expected a whole number"]),
    "above half of the rate": (log_mel(high_hz=8001), ["'high_hz' is 8001, expected 1 to 8000"]),
    "low above high": (log_mel(low_hz=4000, high_hz=4000), ["'low_hz' is 4000", "0 to 3999"]),
    "no range": (log_mel(range_db=0), ["'range_db' is 0", "1 to 200"]),
    "loud silence": (log_mel(silence_db=1), ["'silence_db' is 1", "-200 to 0"]),
    "rate as text": (log_mel(sample_rate="8k"), ["'sample_rate' is a string"]),
    "bands and columns beyond memory": (
        lambda data: [log_mel(window=65536)(data), data["input"].update(width=257)],
        ["257 windows of 65536 samples", "256 at most"],
    ),
    "sounds in colour": (
        lambda data: [log_mel()(data), data["input"].update(channels=3)],
        ["'channels' is 3, expected 1 to 1"],
    ),
    "a series of two rows": (series((2, 50, 2)), ["'height' is 2, expected 1 to 1"]),
    "a series too long": (series((1, 65_537, 2)), ["'width' is 65537, expected 1 to 65536"]),
    "a series too large": (series((1, 65_536, 1000)), ["65536 values of 1000 channels"]),
    "bounds of one channel": (series(low=[0]), ["1 low and 2 high values", "2 channels"]),
    "no bounds": (series(low=[], high=[]), ["0 low and 0 high values"]),
    "bounds the wrong way": (series(low=[-4, 4]), ["low is 4 and high 4, expected low < high"]),
    "a span beyond floats": (series(low=[-1e308] * 2, high=[1e308] * 2), ["expected low < high"]),
    "a bound that is no number": (series(low=["a", 0]), ["'low' is a string, expected a number"]),
    "a bound as a number": (series(low=-4), ["'low' is a whole number, expected a list"]),
    "another scaling": (series(normalise="all"), ["'all'", "'each' or 'none'"]),
    "no scaling": (series(normalise=None), ["'normalise' is missing"]),
}
REFUSED |= REFUSED_SIGNALS


@pytest.mark.parametrize(("change", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_understood_is_refused_in_one_line(
    change: Callable[[Any], None], words: list[str]
) -> None:
    data = json.loads(TEXT)
    change(data)
    with pytest.raises(BundleError) as refused:
        Manifest.loads(json.dumps(data), WHERE)
    message = str(refused.value)
    assert message.startswith(WHERE)
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"\xff\xfe{", b"[" * 100_000, b"9" * 5_000, b"[]", b"null"],
    ids=["empty", "cut", "not UTF-8", "nested", "long number", "a list", "null"],
)
def test_a_manifest_that_is_not_a_json_object_is_refused_in_one_line(text: bytes) -> None:
    with pytest.raises(BundleError, match="JSON") as refused:
        Manifest.loads(text, WHERE)
    assert str(refused.value).startswith(WHERE)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["{", "[" * 100_000], ids=["cut", "nested"])
def test_metadata_that_is_not_json_is_refused(text: str) -> None:
    metadata = spec_with(Crop()).to_metadata() | {"labels": text}
    with pytest.raises(BundleError, match=r"^m\.onnx: its metadata is not JSON"):
        ModelSpec.from_metadata(metadata, "m.onnx")


def test_a_missing_and_an_endless_manifest_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"holds no manifest\.json; give a bundle"):
        Manifest.load(tmp_path)
    (tmp_path / "manifest.json").write_bytes(b" " * (MAX_MANIFEST_BYTES + 1))
    with pytest.raises(BundleError, match=r"manifest\.json: has \d+ bytes, expected at most"):
        Manifest.load(tmp_path)


def test_every_file_of_the_bundle_has_the_hash_that_the_manifest_says() -> None:
    manifest = Manifest.load(BUILT_IN)
    here = [file for file in manifest.files if (BUILT_IN / file.path).exists()]
    assert {"model.onnx", "model.int8.onnx", "golden/golden.json"} <= {f.path for f in here}
    for file in here:
        assert len(read_verified(BUILT_IN, file)) == file.bytes


@pytest.mark.parametrize("damage", ["flipped", "cut", "longer", "absent"])
def test_a_damaged_file_is_refused_with_its_name_and_both_hashes(bundle: Path, damage: str) -> None:
    file = Manifest.load(bundle).find("onnx", "fp32")
    assert file is not None
    path = bundle / file.path
    if damage == "flipped":
        flip_byte(path)
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif damage == "longer":
        path.write_bytes(path.read_bytes() + b"\0")
    else:
        path.unlink()
    with pytest.raises(BundleError) as refused:
        read_verified(bundle, file)
    message = str(refused.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    if damage == "absent":
        assert "cannot be read" in message
    else:
        assert file.sha256 in message
        assert message.count("SHA-256 is ") == 1
        assert f" of {path.stat().st_size} bytes, " in message
        assert f" of {file.bytes};" in message
        found = message.split("SHA-256 is ")[1][:64]
        assert len(found) == 64
        assert found != file.sha256


def test_a_precision_that_the_bundle_lacks_is_not_found(bundle: Path) -> None:
    edit_manifest(bundle, lambda data: data["files"].clear())
    assert Manifest.load(bundle).find("onnx", "fp32") is None


def test_any_change_of_the_manifests_bytes_is_refused_with_both_hashes(bundle: Path) -> None:
    path = bundle / "manifest.json"
    data = path.read_bytes()
    changes = {
        "a digit": data.replace(b'"temperature": ', b'"temperature": 1'),
        "a space": data.replace(b'"calibration": {', b'"calibration":  {'),
        "a line break more": data + b"\n",
        "cut": data[:-1],
        "no seal": data[: data.index(b',\n  "manifest_sha256"')] + b"\n}\n",
        "another seal": data[:-11] + b"0000000" + data[-4:],
    }
    for name, changed in changes.items():
        assert changed != data, name
        path.write_bytes(changed)
        with pytest.raises(BundleError) as refused:
            Manifest.load(bundle)
        message = str(refused.value)
        assert message.startswith(f"{path}: ")
        assert "build the bundle again" in message
        assert "\n" not in message
        if name == "a digit":
            assert re.findall("[0-9a-f]{64}", message) == [
                hashlib.sha256(changed[:-68]).hexdigest(),
                Manifest.load(BUILT_IN).dumps()[-68:-4],
            ]


def test_the_seal_is_what_the_readme_says(bundle: Path) -> None:
    text = (bundle / "manifest.json").read_text("utf-8")
    head, _, seal = text.rpartition('"manifest_sha256": "')
    head += '"manifest_sha256": "'
    assert seal == hashlib.sha256(head.encode()).hexdigest() + '"\n}\n'


@pytest.mark.parametrize("what", ["manifest.json", "model.onnx", "labels.txt"])
def test_links_that_leave_the_bundle_pipes_and_folders_are_refused(bundle: Path, what: str) -> None:
    path = bundle / what
    outside = bundle.parent / "outside"
    path.rename(outside)
    if what != "manifest.json":
        path.symlink_to(outside)
        with pytest.raises(BundleError, match=r": leads out of the bundle, to ") as refused:
            Classifier(bundle)
        assert str(outside) in str(refused.value)
        path.unlink()
    for make in (os.mkfifo, os.mkdir):
        make(path)
        with pytest.raises(
            BundleError, match=r": (is not a regular file|cannot be read \(Is a dir)"
        ):
            Classifier(bundle)
        path.rmdir() if path.is_dir() else path.unlink()
    path.symlink_to(path.name)
    with pytest.raises(BundleError, match=r"cannot be read|leads out"):
        Classifier(bundle)


def test_a_link_inside_the_bundle_and_a_link_to_it_are_fine(bundle: Path) -> None:
    (bundle / "model.onnx").rename(bundle / "model-1.onnx")
    (bundle / "model.onnx").symlink_to("model-1.onnx")
    (bundle.parent / "current").symlink_to(bundle)
    assert Classifier(bundle.parent / "current").labels == Classifier().labels


def test_labels_txt_must_say_the_same_labels_where_it_is_there(bundle: Path) -> None:
    path = bundle / "labels.txt"
    flip_byte(path, 0)
    with pytest.raises(BundleError, match=r"labels\.txt: SHA-256 is "):
        Classifier(bundle)
    data = path.read_bytes()

    def describe(manifest: dict[str, Any]) -> None:
        (entry,) = [file for file in manifest["files"] if file["path"] == "labels.txt"]
        entry.update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())

    edit_manifest(bundle, describe)
    with pytest.raises(BundleError, match=r"labels\.txt: has other labels than manifest\.json"):
        Classifier(bundle)
    path.unlink()
    assert Classifier(bundle).labels == tuple("0123456789")
