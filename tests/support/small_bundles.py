"""Bundles of every kind of input, written by hand: no TensorFlow, no onnx.

The model is one matrix: of sounds it tells a low from a high tone by where the power is, of
series a rise from a fall, of images which part is the lightest, or which colour there is most of.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_runtime import Classifier
from edge_runtime.bundle.evidence import CHANNELS_LAST, Dense, Evidence, FeatureMap
from edge_runtime.bundle.manifest import BundleFile, Manifest
from edge_runtime.bundle.preprocessing import LogMel, Series, Stretch
from edge_runtime.bundle.spec import InputSpec, ModelSpec

from .helpers import encoded

RATE = 8000
SOUNDS = ModelSpec(
    name="tones",
    version="1",
    labels=("low", "high"),
    input=InputSpec(height=24, width=30, name="sound"),
    preprocessing=LogMel(sample_rate=RATE, window=256, hop=128, low_hz=50.0, high_hz=4000.0),
)
SERIES = ModelSpec(
    name="slopes",
    version="1",
    labels=("rise", "fall"),
    input=InputSpec(height=1, width=50, name="series"),
    preprocessing=Series(),
)


COLOURS = ModelSpec(
    name="colours",
    version="1",
    labels=("red", "green", "blue"),
    input=InputSpec(height=6, width=8, channels=3, name="pixels"),
    preprocessing=Stretch(),
)
FLAT = Evidence("flat", Dense("weights", None))
PIXELS = Evidence("flat", FLAT.logits, FeatureMap("raw", CHANNELS_LAST, (0.5, 0.5), (1.0, 1.0)))
"""What the models say of themselves: each pixel has its place."""
COLOUR_WEIGHTS = np.array([[3, -1, 0], [0, 2, -1], [-2, 0, 4]], np.float32) / 100


def onnx_model(
    spec: ModelSpec, weights: NDArray[np.float32], evidence: Evidence | None = None
) -> bytes:
    """softmax(flattened input x weights), with its description; weights: (values, labels)."""
    return _onnx_model(spec, weights, _node("Flatten", "flat", "raw", axis=1), evidence)


def colours_model(evidence: Evidence | None) -> bytes:
    """softmax(mean of the pixels x weights), with its description."""
    mean = _node("ReduceMean", "flat", "raw", axes=[1, 2], keepdims=0)
    return _onnx_model(COLOURS, COLOUR_WEIGHTS, mean, evidence)


def _onnx_model(
    spec: ModelSpec, weights: NDArray[np.float32], flatten: bytes, evidence: Evidence | None
) -> bytes:
    nodes = [
        _node("Cast", "raw", spec.input.name, to=1),
        flatten,
        _node("MatMul", "scores", "flat", "weights"),
        _node("Softmax", spec.output, "scores", axis=1),
    ]
    matrix = b"".join(_field(1, side) for side in weights.shape)
    matrix += _field(2, 1) + _field(8, b"weights") + _field(9, weights.astype("<f4").tobytes())
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, b"graph") + _field(5, matrix)
    graph += _field(11, _value(spec.input.name, 2, spec.input.shape))
    graph += _field(12, _value(spec.output, 1, (len(spec.labels),)))
    model = _field(1, 8) + _field(7, graph) + _field(8, _field(2, 17))
    metadata = spec.to_metadata() | ({} if evidence is None else evidence.to_metadata())
    for key, text in metadata.items():
        model += _field(14, _field(1, key.encode()) + _field(2, text.encode()))
    return model


def _node(kind: str, output: str, *inputs: str, **attributes: int | list[int]) -> bytes:
    node = b"".join(_field(1, name.encode()) for name in inputs) + _field(2, output.encode())
    node += _field(4, kind.encode())
    for name, value in attributes.items():
        several = isinstance(value, list)
        values = b"".join(_field(8, each) for each in value) if several else _field(3, value)
        node += _field(5, _field(1, name.encode()) + values + _field(20, 7 if several else 2))
    return node


def _value(name: str, kind: int, shape: tuple[int, ...]) -> bytes:
    sides = [_field(2, b"batch"), *(_field(1, side) for side in shape)]
    tensor = _field(1, kind) + _field(2, b"".join(_field(1, side) for side in sides))
    return _field(1, name.encode()) + _field(2, _field(1, tensor))


def _field(number: int, value: int | bytes) -> bytes:
    """A field of a protocol buffer: a whole number, or bytes with their length."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    data = bytearray()
    while value > 127:
        data.append(value & 127 | 128)
        value >>= 7
    return bytes([*data, value])


def sounds_model(evidence: Evidence | None = None) -> bytes:
    """Low: the power is in the lower half of the bands."""
    height, width, _ = SOUNDS.input.shape
    low = np.repeat(np.arange(height) < height // 2, width)
    weights = np.stack([low, ~low], axis=1).astype(np.float32) / 1000
    return onnx_model(SOUNDS, weights, evidence)


def series_model() -> bytes:
    """Rise: the second half is higher."""
    slope = np.linspace(-1, 1, SERIES.input.width)
    return onnx_model(SERIES, np.stack([slope, -slope], axis=1).astype(np.float32) / 100)


def tone(hertz: float, seconds: float = 0.5, rate: int = RATE) -> NDArray[np.float64]:
    """A sine from -0.5 to 0.5 that swells and fades."""
    time = np.arange(round(seconds * rate)) / rate
    swell = np.sin(np.pi * np.arange(len(time)) / len(time))
    shaped: NDArray[np.float64] = 0.5 * swell * np.sin(2 * np.pi * hertz * time)
    return shaped


def wav(
    samples: NDArray[Any], rate: int = RATE, form: str = "<i2", code: int | None = None
) -> bytes:
    """A WAV file of (T,) or (T, channels) samples from -1 to 1.

    form: numpy's name of a sample's type, or `3u1` for 24 bits; code: 1 for PCM, 3 for floats.
    """
    frames = samples.reshape(len(samples), -1)
    if form == "3u1":
        wide = np.round(frames * (2**23 - 1)).astype("<i4")
        data = wide.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    elif np.dtype(form).kind == "f":
        data = frames.astype(form).tobytes()
    else:
        half = 2 ** (8 * np.dtype(form).itemsize - 1)
        data = (np.round(frames * (half - 1)) + half * (form == "u1")).astype(form).tobytes()
    code = code or (3 if form.startswith("<f") else 1)
    bits = 8 * np.dtype(form).itemsize
    return riff(format_chunk(code, frames.shape[1], rate, bits), chunk(b"data", data))


def format_chunk(code: int, channels: int, rate: int, bits: int, more: bytes = b"") -> bytes:
    block = channels * bits // 8
    data = struct.pack("<HHIIHH", code, channels, rate, rate * block & 0xFFFFFFFF, block, bits)
    return chunk(b"fmt ", data + more)


def chunk(kind: bytes, data: bytes, size: int | None = None) -> bytes:
    """A chunk of a WAV file; size: what it claims, when that is not so."""
    return (
        kind + struct.pack("<I", len(data) if size is None else size) + data + bytes(len(data) % 2)
    )


def riff(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def npy(values: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


def rise(noise: float = 0.0, seed: int = 0) -> NDArray[np.float64]:
    """A rising series; the negative falls."""
    steps = np.arange(SERIES.input.width, dtype=np.float64)
    return steps + noise * np.random.default_rng(seed).normal(size=len(steps))


def write_bundle(folder: Path, spec: ModelSpec, model: bytes, golden: dict[str, bytes]) -> Path:
    """A whole bundle; golden: encoded files by name, whose answers are those it gives here."""
    (folder / "golden").mkdir(parents=True)
    (folder / "lone.onnx").write_bytes(model)
    classifier = Classifier(folder / "lone.onnx")
    (folder / "lone.onnx").rename(folder / "model.onnx")
    vectors = []
    for name, data in golden.items():
        tensor = classifier.tensor(data)
        (folder / "golden" / name).write_bytes(data)
        vectors.append(
            {
                "image": name,
                "about": "as it was here",
                "tensor": tensor.ravel().tolist(),
                "tensor_tolerance": 1,
                "probabilities": classifier.probabilities(tensor[None])[0].tolist(),
                "label": classifier.predict(data).label,
            }
        )
    (folder / "golden/golden.json").write_text(json.dumps(vectors), "utf-8")
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in spec.labels), "utf-8")
    files = []
    for path in sorted(folder.rglob("*.*")):
        data, name = path.read_bytes(), path.relative_to(folder).as_posix()
        form = {"format": "onnx", "precision": "fp32"} if name == "model.onnx" else {}
        files.append(BundleFile(name, len(data), hashlib.sha256(data).hexdigest(), **form))
    (folder / "manifest.json").write_text(Manifest(spec, tuple(files)).dumps(), "utf-8")
    return folder


def sounds_bundle(folder: Path) -> Path:
    golden = {
        "low.wav": wav(tone(300)),
        "high.wav": wav(np.stack([tone(2500, rate=44100)] * 2, 1), rate=44100),
        "silence.wav": wav(np.zeros(4000)),
    }
    return write_bundle(folder, SOUNDS, sounds_model(), golden)


def series_bundle(folder: Path) -> Path:
    golden = {
        "rise.npy": npy(rise(3)),
        "fall.npy": npy(-rise(3).astype(np.float32)[:, None]),
        "flat.npy": npy(np.ones(50, np.int16)),
    }
    return write_bundle(folder, SERIES, series_model(), golden)


def images_bundle(folder: Path, labels: Sequence[str], min_score: float = 0.5) -> Path:
    """Images in strips from left to right, one for each label: the lightest strip is the answer."""
    width = 2 * len(labels)
    spec = ModelSpec(
        name=folder.name,
        version="1",
        labels=tuple(labels),
        input=InputSpec(height=4, width=width, name="pixels"),
        preprocessing=Stretch(),
        min_score=min_score,
    )
    strips = np.repeat(np.eye(len(labels), dtype=np.float32), 2, axis=0) / 200
    model = onnx_model(spec, np.tile(strips, (4, 1)))
    return write_bundle(folder, spec, model, {"last.png": strip_png(labels, len(labels) - 1)})


def colours_bundle(folder: Path) -> Path:
    """Images by the colour that there is most of."""
    red = encoded(Image.new("RGB", (8, 6), (200, 0, 0)), "PNG")
    return write_bundle(folder, COLOURS, colours_model(PIXELS), {"red.png": red})


def strip_png(labels: Sequence[str], place: int, light: int = 255) -> bytes:
    """A PNG for `images_bundle`: black, with the strip of that label in that grey."""
    pixels = np.zeros((4, 2 * len(labels)), np.uint8)
    pixels[:, 2 * place : 2 * place + 2] = light
    return encoded(Image.fromarray(pixels), "PNG")
