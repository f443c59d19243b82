"""What a bundle declares about its model: frozen types, JSON in and out, validation."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import BundleError
from .json_fields import ANY, check_line, is_plain_path, kind_of, number, numbers, only, take, whole

SCHEMA_VERSION = 1
MANIFEST_NAME = "manifest.json"
BUILT_IN = Path(__file__).parents[1] / "digits"
"""The digits model that travels in the wheel."""
SIGNATURE_NAME = "manifest.sig"
LABELS_NAME = "labels.txt"
UNKNOWN = "unknown"
"""The label of a reading below the minimum score, and of a blank image."""

MAX_SIDE = 4096
MAX_LENGTH = 65_536
"""The longest series, in values."""
MAX_SERIES_CHANNELS = 1024
MAX_VALUES = 1 << 24
"""Of a series; of a sound, the samples of a window by the windows, and by the bands."""
MAX_LABELS = 100_000
MAX_MANIFEST_BYTES = 16 << 20
MAX_FILE_BYTES = (2 << 30) - 1
"""The largest file of a bundle that is read; no ONNX file can be larger."""

_SEAL = '  "manifest_sha256": "'
_SEALED = re.compile(rb'\A(.*\n  "manifest_sha256": ")([0-9a-f]{64})"\n}\n\Z', re.DOTALL)

# The parameters that each kind of preprocessing takes.
PREPROCESSING_PARAMETERS: dict[str, tuple[str, ...]] = {
    "ink": ("max_stretch", "spread", "reach"),
    "fit": ("fill",),
    "crop": (),
    "stretch": (),
    "log_mel": (
        *("sample_rate", "window", "hop", "low_hz", "high_hz"),
        *("range_db", "silence_db"),
    ),
    "series": ("normalise", "low", "high"),
}
_READS = {"log_mel": "sound", "series": "series"}
PLURALS = {"image": "images", "sound": "sounds", "series": "series"}
"""What a model may read: one of it, and several."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """The model's input tensor: raw 8-bit values, batch first, channels last."""

    height: int
    """Rows, in pixels; of a sound its mel bands, the lowest first; of a series 1."""
    width: int
    """Columns, in pixels; of a sound its windows, of a series its values, in order of time."""
    channels: int = 1
    """1 for grey (or ink) and for sounds, 3 for red, green, blue; of a series its channels."""
    name: str = "pixels"
    dtype: str = "uint8"
    layout: str = "NHWC"

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of one input's tensor."""
        return self.height, self.width, self.channels


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How an image of any size, a sound of any length or a series becomes the input tensor."""

    kind: str
    """`ink`: find the writing, crop to it, light ink on a dark ground.
    `fit`: the whole image, proportions kept, the rest filled. `crop`: the largest centred
    part with the input's proportions. `stretch`: the whole image, proportions not kept.
    `log_mel`: a sound's power by mel band and time, in decibels below its loudest place.
    `series`: values over time, from a declared range to 0..255."""
    max_stretch: float = 2.0
    """`ink`: how far the shorter side of the crop may be stretched towards the longer, >= 1."""
    spread: float = 0.6
    """`ink`: how much the spread of the ink, against its edges, fixes the box, 0 to 1."""
    reach: float = 1.95
    """`ink`: half the box that the spread asks for, in standard deviations of the ink."""
    fill: int = 0
    """`fit`: the value of the pixels that the image does not cover, 0 to 255."""
    sample_rate: int = 16_000
    """`log_mel`: samples a second; sounds of other rates are resampled."""
    window: int = 400
    """`log_mel`: samples that one column is made of."""
    hop: int = 160
    """`log_mel`: samples from the start of one window to the next, at most `window`."""
    low_hz: float = 20.0
    """`log_mel`: where the lowest band begins."""
    high_hz: float = 8_000.0
    """`log_mel`: where the highest band ends, at most half of `sample_rate`."""
    range_db: float = 80.0
    """`log_mel`: decibels below the loudest place that become 0; that place becomes 255."""
    silence_db: float = -90.0
    """`log_mel`: a sound whose loudest place is below this is blank; 0 is the place of a sine
    from -1 to 1."""
    normalise: str = "each"
    """`series`: `each`: each channel of each series less its mean, by its standard deviation;
    `none`: the values as they are."""
    low: tuple[float, ...] = (-4.0,)
    """`series`: for each channel the value, normalised or not, that becomes 0."""
    high: tuple[float, ...] = (4.0,)
    """`series`: for each channel the value that becomes 255."""

    @property
    def reads(self) -> str:
        """What files it takes: `image`, `sound` or `series`."""
        return _READS.get(self.kind, "image")

    @property
    def knows_blank(self) -> bool:
        """Whether a tensor of zeros stands for an input that shows nothing."""
        return self.kind in ("ink", "log_mel") or (
            self.kind == "series" and self.normalise == "each"
        )

    def to_json(self) -> dict[str, Any]:
        """The kind and the parameters that it takes, no others."""
        values = {name: getattr(self, name) for name in PREPROCESSING_PARAMETERS[self.kind]}
        return {"kind": self.kind} | {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
        }


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What a host needs to run a model; it also travels inside the ONNX file."""

    name: str
    version: str
    labels: tuple[str, ...]
    """The class names; the position is the index of the output."""
    input: InputSpec
    preprocessing: Preprocessing
    output: str = "probabilities"
    """The name of the output tensor, (batch, len(labels)) float32, each row summing to 1."""
    min_score: float = 0.0
    """The recommended minimum score, a probability in [0, 1]; below it a reading is unsure."""

    def to_json(self) -> dict[str, Any]:
        """The JSON object that stands in a manifest."""
        return {
            "schema_version": SCHEMA_VERSION,
            "name": self.name,
            "version": self.version,
            "labels": list(self.labels),
            "input": asdict(self.input),
            "preprocessing": self.preprocessing.to_json(),
            "output": {"name": self.output, "kind": "probabilities", "dtype": "float32"},
            "min_score": self.min_score,
        }

    def to_metadata(self) -> dict[str, str]:
        """The same as text by key, for the `metadata_props` of an ONNX file."""
        return {key: json.dumps(value, ensure_ascii=False) for key, value in self.to_json().items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str) -> ModelSpec:
        """Validate `data`, found at `where` (named in messages).

        Raises BundleError for anything missing, unknown or out of range.
        """
        version = take(data, "schema_version", int, where)
        if version != SCHEMA_VERSION:
            raise BundleError(
                f"{where}: schema_version is {version}, this edge-runtime reads {SCHEMA_VERSION};"
                " install a matching edge-runtime or export the model again"
            )
        labels = take(data, "labels", list, where)
        if not 2 <= len(labels) <= MAX_LABELS:
            raise BundleError(f"{where}: {len(labels)} labels, expected 2 to {MAX_LABELS}")
        for label in labels:
            if not isinstance(label, str) or not label:
                raise BundleError(f"{where}: label {label!r} is not a non-empty string")
            check_line(label, "label", where)
        if len(set(labels)) != len(labels):
            twice = next(label for label in labels if labels.count(label) > 1)
            raise BundleError(f"{where}: label {twice!r} stands twice")
        output = take(data, "output", dict, where)
        only(output, {"name", "kind", "dtype"}, f"{where}: output")
        kind = take(output, "kind", str, f"{where}: output")
        if kind != "probabilities":
            raise BundleError(f"{where}: output kind is {kind!r}, expected 'probabilities'")
        how = _preprocessing_from_json(
            take(data, "preprocessing", dict, where), f"{where}: preprocessing"
        )
        shape = _input_from_json(take(data, "input", dict, where), how.reads, f"{where}: input")
        _check_fit(shape, how, f"{where}: preprocessing")
        return cls(
            name=check_line(take(data, "name", str, where), "name", where),
            version=check_line(take(data, "version", str, where), "version", where),
            labels=tuple(labels),
            input=shape,
            preprocessing=how,
            output=take(output, "name", str, f"{where}: output"),
            min_score=number(data, "min_score", 0.0, 1.0, where),
        )

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], where: str) -> ModelSpec:
        """Read what `to_metadata` wrote. Raises BundleError."""
        if "labels" not in metadata or "preprocessing" not in metadata:
            raise BundleError(
                f"{where}: carries no labels and preprocessing in its metadata;"
                " give the bundle's folder, or a model exported by model-build"
            )
        known = {key: text for key, text in metadata.items() if key in _SPEC_KEYS}
        try:
            data = {key: json.loads(text) for key, text in known.items()}
        except (ValueError, RecursionError) as error:
            raise BundleError(f"{where}: its metadata is not JSON ({error})") from None
        return cls.from_json(data, where)


_SPEC_KEYS = (
    "schema_version",
    "name",
    "version",
    "labels",
    "input",
    "preprocessing",
    "output",
    "min_score",
)


@dataclass(frozen=True, slots=True)
class BundleFile:
    """One file of a bundle and what was measured of it."""

    path: str
    """Relative to the bundle, with forward slashes."""
    bytes: int
    sha256: str
    format: str = "other"
    """`onnx`, `ort`, `tflite`, `saved_model`, `keras` or `other`."""
    precision: str | None = None
    """`fp32`, `float16` or `int8`."""
    measured: Mapping[str, float] = field(default_factory=dict)
    """Of a model: accuracy and agreement with Keras in [0, 1], max_difference of a probability."""

    def to_json(self) -> dict[str, Any]:
        """The JSON object that stands in a manifest."""
        entry: dict[str, Any] = {
            "path": self.path,
            "format": self.format,
            "bytes": self.bytes,
            "sha256": self.sha256,
        }
        if self.precision is not None:
            entry["precision"] = self.precision
        return entry | dict(self.measured)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A bundle's `manifest.json`."""

    spec: ModelSpec
    files: tuple[BundleFile, ...]
    calibration: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    def find(self, format: str, precision: str) -> BundleFile | None:
        """The file of that format and precision, or None."""
        for file in self.files:
            if file.format == format and file.precision == precision:
                return file
        return None

    def dumps(self) -> str:
        """The manifest as text: the same manifest always gives the same text."""
        data = self.spec.to_json() | {
            "files": [file.to_json() for file in self.files],
            "calibration": dict(self.calibration),
            "training": dict(self.training),
        }
        return sealed(data)

    @classmethod
    def loads(cls, text: str | bytes, where: str) -> Manifest:
        """Parse and validate. Raises BundleError."""
        raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        try:
            data = json.loads(raw.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise BundleError(
                f"{where}: not JSON ({error}): copy or build the bundle again"
            ) from None
        if not isinstance(data, dict):
            raise BundleError(f"{where}: expected a JSON object, found {kind_of(data)}")
        files = tuple(
            _file_from_json(entry, f"{where}: files[{index}]")
            for index, entry in enumerate(take(data, "files", list, where))
        )
        paths = [file.path for file in files]
        if len(set(paths)) != len(paths):
            twice = next(path for path in paths if paths.count(path) > 1)
            raise BundleError(f"{where}: file {twice!r} stands twice")
        manifest = cls(
            spec=ModelSpec.from_json(data, where),
            files=files,
            calibration=take(data, "calibration", dict, where),
            training=take(data, "training", dict, where),
        )
        _check_seal(raw, where)
        return manifest

    @classmethod
    def load(cls, bundle: Path) -> Manifest:
        """Read `manifest.json` of the bundle folder. Raises BundleError."""
        path = bundle / MANIFEST_NAME
        return cls.loads(read_file(path, MAX_MANIFEST_BYTES), str(path))


def sealed(data: Mapping[str, Any]) -> str:
    """A manifest's JSON text, closed by the SHA-256 of everything before it.

    The hash is of the bytes up to and with the quote in front of it. It protects against
    accident; whoever changes a manifest on purpose can seal it again.
    """
    rest = {key: value for key, value in data.items() if key != "manifest_sha256"}
    text = json.dumps(rest, indent=2, ensure_ascii=False, allow_nan=False)
    head = text.removesuffix("\n}") + ",\n" + _SEAL
    return f'{head}{hashlib.sha256(head.encode("utf-8")).hexdigest()}"\n}}\n'


def _check_seal(raw: bytes, where: str) -> None:
    found = _SEALED.match(raw)
    if found is None:
        raise BundleError(
            f'{where}: does not end with a "manifest_sha256" line, so that damage would go'
            " unseen: copy or build the bundle again"
        )
    said, made = found[2].decode("ascii"), hashlib.sha256(found[1]).hexdigest()
    if said != made:
        raise BundleError(
            f"{where}: SHA-256 is {made}, its last line says {said}; the manifest was altered"
            " or damaged: copy or build the bundle again"
        )


def read_file(path: Path, limit: int) -> bytes:
    """The bytes of a regular file of at most `limit` bytes. Raises BundleError."""
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for a writer.
        handle = os.open(
            path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        )
        with open(handle, "rb") as source:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise BundleError(f"{path}: is not a regular file")
            if found.st_size > limit:
                raise BundleError(f"{path}: has {found.st_size} bytes, expected at most {limit}")
            return source.read()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise BundleError(f"{path}: cannot be read ({reason})") from None


def read_model(bundle: Path, precision: str) -> tuple[Manifest, Path, bytes]:
    """A bundle's manifest and its ONNX file of that precision: where it stands and its bytes,
    whose hash has been checked. Raises BundleError.
    """
    manifest = Manifest.load(bundle)
    file = manifest.find("onnx", precision)
    if file is None:
        raise BundleError(f"{bundle}: the bundle has no {precision} ONNX file")
    return manifest, bundle / file.path, read_verified(bundle, file)


def read_verified(bundle: Path, file: BundleFile) -> bytes:
    """The bytes of one file of the bundle, after its size and SHA-256 have been checked.

    Raises BundleError, with both hashes in the message, when the file is not the one that
    the manifest describes, or is a link that leads out of the bundle.
    """
    path = bundle / file.path
    target = Path(os.path.realpath(path))
    if not target.is_relative_to(os.path.realpath(bundle)):
        raise BundleError(f"{path}: leads out of the bundle, to {target}")
    data = read_file(path, MAX_FILE_BYTES)
    found = hashlib.sha256(data).hexdigest()
    if found != file.sha256 or len(data) != file.bytes:
        raise BundleError(
            f"{path}: SHA-256 is {found} of {len(data)} bytes, the manifest says {file.sha256} of"
            f" {file.bytes}; the file was altered or damaged: copy or build the bundle again"
        )
    return data


def check_labels(bundle: Path, manifest: Manifest) -> None:
    """Check that labels.txt, for hosts that read no JSON, is whole and says the same labels.

    A device may lack the file. Raises BundleError.
    """
    for file in manifest.files:
        if file.path == LABELS_NAME and os.path.lexists(bundle / LABELS_NAME):
            text = read_verified(bundle, file)
            if text.decode("utf-8", "replace") != labels_text(manifest.spec.labels):
                raise BundleError(
                    f"{bundle / LABELS_NAME}: has other labels than {MANIFEST_NAME}; build the"
                    " bundle again"
                )


def labels_text(labels: Iterable[str]) -> str:
    """What labels.txt holds: a label a line, in the order of the model's output."""
    return "".join(f"{label}\n" for label in labels)


def _input_from_json(data: Mapping[str, Any], reads: str, where: str) -> InputSpec:
    only(data, {field.name for field in fields(InputSpec)}, where)
    high, wide, deep = {
        "image": (MAX_SIDE, MAX_SIDE, 3),
        "sound": (MAX_SIDE, MAX_SIDE, 1),
        "series": (1, MAX_LENGTH, MAX_SERIES_CHANNELS),
    }[reads]
    spec = InputSpec(
        height=whole(data, "height", 1, high, where),
        width=whole(data, "width", 1, wide, where),
        channels=whole(data, "channels", 1, deep, where),
        name=take(data, "name", str, where),
        dtype=take(data, "dtype", str, where),
        layout=take(data, "layout", str, where),
    )
    if spec.channels == 2 and reads == "image":
        raise BundleError(f"{where}: channels is 2, expected 1 or 3")
    if spec.dtype != "uint8":
        raise BundleError(f"{where}: dtype is {spec.dtype!r}, expected 'uint8'")
    if spec.layout != "NHWC":
        raise BundleError(f"{where}: layout is {spec.layout!r}, expected 'NHWC'")
    return spec


def _preprocessing_from_json(data: Mapping[str, Any], where: str) -> Preprocessing:
    kind = take(data, "kind", str, where)
    if kind not in PREPROCESSING_PARAMETERS:
        known = ", ".join(PREPROCESSING_PARAMETERS)
        raise BundleError(f"{where}: kind is {kind!r}, this edge-runtime knows {known}")
    only(data, {"kind", *PREPROCESSING_PARAMETERS[kind]}, f"{where}: {kind!r}")
    values: dict[str, Any] = {}
    if kind == "ink":
        values["max_stretch"] = number(data, "max_stretch", 1.0, 100.0, where)
        values["spread"] = number(data, "spread", 0.0, 1.0, where)
        values["reach"] = number(data, "reach", 0.1, 100.0, where)
    if kind == "fit":
        values["fill"] = whole(data, "fill", 0, 255, where)
    if kind == "log_mel":
        rate = values["sample_rate"] = whole(data, "sample_rate", 1000, 384_000, where)
        window = values["window"] = whole(data, "window", 4, MAX_LENGTH, where)
        values["hop"] = whole(data, "hop", 1, window, where)
        high = values["high_hz"] = number(data, "high_hz", 1.0, rate / 2, where)
        values["low_hz"] = number(data, "low_hz", 0.0, high - 1.0, where)
        values["range_db"] = number(data, "range_db", 1.0, 200.0, where)
        values["silence_db"] = number(data, "silence_db", -200.0, 0.0, where)
    if kind == "series":
        normalise = values["normalise"] = take(data, "normalise", str, where)
        if normalise not in ("each", "none"):
            raise BundleError(f"{where}: normalise is {normalise!r}, expected 'each' or 'none'")
        values["low"], values["high"] = numbers(data, "low", where), numbers(data, "high", where)
    return Preprocessing(kind, **values)


def _check_fit(shape: InputSpec, how: Preprocessing, where: str) -> None:
    """Check what the tensor's shape and the preprocessing say of each other."""
    if how.kind == "log_mel" and how.window * max(shape.height, shape.width) > MAX_VALUES:
        raise BundleError(
            f"{where}: {shape.width} windows of {how.window} samples, {shape.height} bands: either"
            f" may be {MAX_VALUES // how.window} at most"
        )
    if how.kind == "series":
        if shape.width * shape.channels > MAX_VALUES:
            raise BundleError(
                f"{where}: {shape.width} values of {shape.channels} channels are more than"
                f" {MAX_VALUES}"
            )
        if not len(how.low) == len(how.high) == shape.channels:
            raise BundleError(
                f"{where}: {len(how.low)} low and {len(how.high)} high values, expected one for"
                f" each of {shape.channels} channels"
            )
        for low, high in zip(how.low, how.high, strict=True):
            if not 0 < high - low < math.inf:
                raise BundleError(f"{where}: low is {low:g} and high {high:g}, expected low < high")


def _file_from_json(data: Any, where: str) -> BundleFile:
    if not isinstance(data, dict):
        raise BundleError(f"{where}: expected a JSON object, found {kind_of(data)}")
    path = take(data, "path", str, where)
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or str(pure) != path or not is_plain_path(path):
        raise BundleError(f"{where}: path {path!r} leaves the bundle or is not in plain form")
    sha256 = take(data, "sha256", str, where)
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise BundleError(f"{where}: sha256 {sha256!r} is not 64 hexadecimal digits")
    described = {"path", "format", "precision", "bytes", "sha256"}
    return BundleFile(
        path=path,
        bytes=whole(data, "bytes", 0, MAX_FILE_BYTES, where),
        sha256=sha256,
        format=take(data, "format", str, where),
        precision=take(data, "precision", str, where) if "precision" in data else None,
        measured={key: number(data, key, -ANY, ANY, where) for key in data if key not in described},
    )
