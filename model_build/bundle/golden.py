"""Golden vectors: images encoded in several formats and conditions, and their answers.

They are of the validation part, and such that the fp32 and the int8 model read them rightly where
they can; nothing may be chosen on the test part.

The format is described in `edge_runtime.golden`.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from edge_runtime import Classifier
from edge_runtime.bundle.spec import ModelSpec
from edge_runtime.deployment.golden import GOLDEN_NAME
from edge_runtime.inputs.wav import Sound
from edge_runtime.preprocessing.base import Reader

from ..data.dataset import Dataset

ROUNDING_TOLERANCE = 1
"""Grey levels by which a tensor may differ: another processor may round to the other side."""
LOSSY_TOLERANCE = 8
"""Grey levels by which a tensor may differ after a lossy decoder, or a resize after it."""

_MOST_TRIED = 20
_ORIENTATION = 0x0112  # the EXIF tag
_QUARTER_TURN_RIGHT = 6  # "turn by 90 degrees clockwise to see it upright"


@dataclass(frozen=True)
class _Case:
    name: str
    about: str
    encode: Callable[[Any], bytes]
    tolerance: int = ROUNDING_TOLERANCE


def write(folder: Path, spec: ModelSpec, dataset: Dataset) -> None:
    """Write `golden/` for the bundle being built in `folder`, which holds its ONNX files."""
    paths = [folder / name for name in ("model.onnx", "model.int8.onnx")]
    classifiers = [Classifier(path) for path in paths if path.exists()]
    (folder / "golden").mkdir()
    vectors = []
    kind = spec.preprocessing.kind
    cases = _INK_CASES if kind == "ink" else _CASES[spec.preprocessing.reads]
    for case, pool in zip(cases, _pools_in_turn(dataset), strict=False):
        encoded = _encoded_example(case, pool, dataset, classifiers)
        (folder / "golden" / case.name).write_bytes(encoded)
        tensor = classifiers[0].tensor(encoded)
        (prediction,) = classifiers[0].read_tensors(tensor[None])
        probabilities = classifiers[0].probabilities(tensor[None])[0]
        vectors.append(
            {
                "image": case.name,
                "about": case.about,
                "tensor": tensor.ravel().tolist(),
                "tensor_tolerance": case.tolerance
                + _spared(encoded, tensor, classifiers[0].reader),
                "probabilities": [round(float(p), 7) for p in probabilities],
                "label": prediction.label,
            }
        )
    lines = ",\n".join(json.dumps(vector, ensure_ascii=False) for vector in vectors)
    (folder / GOLDEN_NAME).write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def _spared(encoded: bytes, tensor: NDArray[np.uint8], reader: Reader) -> int:
    """By how much the tensor would differ if a JPEG that is decoded at a fraction of its size were
    decoded whole and averaged, as ports do whose decoder knows no fractions; else 0.
    """
    if not encoded.startswith(b"\xff\xd8\xff"):
        return 0
    with Image.open(io.BytesIO(encoded)) as file:
        whole = ImageOps.exif_transpose(file)
    factor = round(whole.width / reader.decode(encoded).shape[1])
    averaged = reader.tensor(np.asarray(whole.reduce(factor))) if factor > 1 else tensor
    return int(np.abs(averaged.astype(np.int16) - tensor).max())


def _pools_in_turn(dataset: Dataset) -> Iterator[list[int]]:
    """The unused validation examples of each class in turn, while there are any."""
    pools = [
        [int(i) for i in dataset.validation if dataset.labels[i] == label]
        for label in range(len(dataset.class_names))
    ]
    while any(pools):
        yield from filter(None, pools)


def _encoded_example(
    case: _Case, pool: list[int], dataset: Dataset, classifiers: Sequence[Classifier]
) -> bytes:
    """Take an example out of the pool and encode it: the first that every model reads rightly."""
    tried = []
    for position in pool[:_MOST_TRIED]:
        example = dataset.images[position]
        if dataset.preprocessing.reads == "image":
            example = Image.fromarray(example)
        tried.append(case.encode(example))
        label = dataset.class_names[dataset.labels[position]]
        if all(classifier.predict(tried[-1]).label == label for classifier in classifiers):
            pool.remove(position)
            return tried[-1]
    pool.pop(0)
    return tried[0]


def _encoded(image: Image.Image, format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def _on_paper(image: Image.Image, side: int = 96, paper: int = 228, ink: int = 40) -> Image.Image:
    """Dark ink on light paper, enlarged, with a margin."""
    large = image.convert("L").resize((side, side), Image.Resampling.BICUBIC)
    levels = np.pad(np.asarray(large, dtype=np.float32) / 255, side // 4)
    return Image.fromarray(np.rint(paper + (ink - paper) * levels).astype(np.uint8))


def _coloured(image: Image.Image) -> Image.Image:
    """Blue ink on cream paper."""
    return ImageOps.colorize(_on_paper(image, paper=255, ink=0), (30, 50, 140), (245, 236, 208))


def _turned(image: Image.Image) -> bytes:
    """Lying on its side, with the EXIF tag that says so."""
    exif = Image.Exif()
    exif[_ORIENTATION] = _QUARTER_TURN_RIGHT
    return _encoded(_on_paper(image).rotate(90, expand=True), "JPEG", quality=92, exif=exif)


def _transparent(image: Image.Image) -> bytes:
    """Black ink, everything else transparent."""
    levels = image.convert("L").resize((48, 48), Image.Resampling.BICUBIC)
    black = Image.new("L", levels.size)
    return _encoded(Image.merge("RGBA", (black, black, black, levels)), "PNG")


def _deep(image: Image.Image) -> bytes:
    """16 bits a pixel."""
    values: NDArray[np.uint16] = np.asarray(_on_paper(image), dtype=np.uint16) * 257
    return _encoded(Image.fromarray(values), "PNG")


_INK_CASES = (
    _Case("0.png", "8-bit grey, as stored", lambda i: _encoded(i, "PNG")),
    _Case("1.png", "dark ink on paper", lambda i: _encoded(_on_paper(i), "PNG")),
    _Case("2.png", "blue ink on cream", lambda i: _encoded(_coloured(i), "PNG")),
    _Case("3.png", "transparent ground", _transparent),
    _Case("4.png", "16-bit grey", _deep),
    _Case("5.jpg", "JPEG", lambda i: _encoded(_on_paper(i), "JPEG"), LOSSY_TOLERANCE),
    _Case("6.jpg", "JPEG turned by EXIF", _turned, LOSSY_TOLERANCE),
    _Case("7.bmp", "BMP", lambda i: _encoded(_on_paper(i), "BMP")),
    _Case("8.gif", "GIF palette", lambda i: _encoded(_on_paper(i, 48), "GIF")),
    _Case("9.tif", "TIFF", lambda i: _encoded(_on_paper(i, 48), "TIFF")),
    _Case("a.webp", "WebP", lambda i: _encoded(_on_paper(i), "WEBP"), LOSSY_TOLERANCE),
    _Case(
        "b.png",
        "1-bit",
        lambda i: _encoded(_on_paper(i, 64).convert("1", dither=Image.Dither.NONE), "PNG"),
    ),
    _Case("c.png", "blank paper", lambda i: _encoded(Image.new("L", (64, 64), 228), "PNG")),
)
_PLAIN_CASES = (
    _Case("0.png", "PNG", lambda i: _encoded(i, "PNG")),
    _Case("1.jpg", "JPEG", lambda i: _encoded(i, "JPEG"), LOSSY_TOLERANCE),
    _Case("2.webp", "WebP", lambda i: _encoded(i, "WEBP"), LOSSY_TOLERANCE),
    _Case("3.bmp", "BMP", lambda i: _encoded(i, "BMP")),
)


def _wav(sound: Sound, form: int, dtype: str, scale: float, channels: int = 1) -> bytes:
    """A WAV file of PCM (form 1) or float (3) samples; `scale` is full scale."""
    samples = np.clip(sound.samples, -1, 1 - 1 / scale) * scale
    values = np.repeat(samples[:, None], channels, axis=1)
    if form == 1:
        values = np.rint(values)
    data = values.astype(dtype).tobytes()
    size = np.dtype(dtype).itemsize
    head = struct.pack(
        "<4sIHHIIHH4sI",
        *(b"fmt ", 16, form, channels, sound.rate, sound.rate * channels * size, channels * size),
        *(8 * size, b"data", len(data)),
    )
    return struct.pack("<4sI4s", b"RIFF", 4 + len(head) + len(data), b"WAVE") + head + data


def _npy(values: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values, allow_pickle=False)
    return stream.getvalue()


_SOUND_CASES = (
    _Case("0.wav", "16-bit", lambda s: _wav(s, 1, "<i2", 32768.0)),
    _Case("1.wav", "32-bit float", lambda s: _wav(s, 3, "<f4", 1e9)),
    _Case("2.wav", "two channels", lambda s: _wav(s, 1, "<i2", 32768.0, 2)),
    _Case("3.wav", "32-bit", lambda s: _wav(s, 1, "<i4", 2147483648.0)),
)
_SERIES_CASES = (
    _Case("0.npy", "as stored", _npy),
    _Case("1.npy", "64-bit float", lambda v: _npy(v.astype("<f8"))),
    _Case("2.npy", "other byte order", lambda v: _npy(v.astype(">f8"))),
)
_CASES = {"image": _PLAIN_CASES, "sound": _SOUND_CASES, "series": _SERIES_CASES}
