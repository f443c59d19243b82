"""What a bundle declares about its model: frozen types, JSON in and out, validation."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from .errors import BundleError

SCHEMA_VERSION = 1
MANIFEST_NAME = "manifest.json"
BUILT_IN = Path(__file__).parent / "digits"
"""The digits model that travels in the wheel."""
UNKNOWN = "unknown"
"""The label of a reading below the minimum score, and of a blank image."""

MAX_SIDE = 4096
MAX_LABELS = 100_000
MAX_MANIFEST_BYTES = 16 << 20

# The parameters that each kind of preprocessing takes.
PREPROCESSING_PARAMETERS: dict[str, tuple[str, ...]] = {
    "ink": ("max_stretch", "spread", "reach"),
    "fit": ("fill",),
    "crop": (),
    "stretch": (),
}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class InputSpec:
    """The model's input tensor: raw 8-bit pixel values, batch first, channels last."""

    height: int
    """Rows, in pixels."""
    width: int
    """Columns, in pixels."""
    channels: int = 1
    """1 for grey (or ink), 3 for red, green, blue."""
    name: str = "pixels"
    dtype: str = "uint8"
    layout: str = "NHWC"

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of one image's tensor."""
        return self.height, self.width, self.channels


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How an image of any size becomes the input tensor."""

    kind: str
    """`ink`: find the writing, crop to it, light ink on a dark ground.
    `fit`: the whole image, proportions kept, the rest filled. `crop`: the largest centred
    part with the input's proportions. `stretch`: the whole image, proportions not kept."""
    max_stretch: float = 2.0
    """`ink`: how far the shorter side of the crop may be stretched towards the longer, >= 1."""
    spread: float = 0.6
    """`ink`: how much the spread of the ink, against its edges, fixes the box, 0 to 1."""
    reach: float = 1.95
    """`ink`: half the box that the spread asks for, in standard deviations of the ink."""
    fill: int = 0
    """`fit`: the value of the pixels that the image does not cover, 0 to 255."""

    def to_json(self) -> dict[str, Any]:
        """The kind and the parameters that it takes, no others."""
        return {"kind": self.kind} | {
            name: getattr(self, name) for name in PREPROCESSING_PARAMETERS[self.kind]
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
        version = _take(data, "schema_version", int, where)
        if version != SCHEMA_VERSION:
            raise BundleError(
                f"{where}: schema_version is {version}, this edge-runtime reads {SCHEMA_VERSION};"
                " install a matching edge-runtime or export the model again"
            )
        labels = _take(data, "labels", list, where)
        if not 2 <= len(labels) <= MAX_LABELS:
            raise BundleError(f"{where}: {len(labels)} labels, expected 2 to {MAX_LABELS}")
        if not all(isinstance(label, str) and label for label in labels):
            raise BundleError(f"{where}: labels must be non-empty strings")
        if len(set(labels)) != len(labels):
            twice = next(label for label in labels if labels.count(label) > 1)
            raise BundleError(f"{where}: label {twice!r} stands twice")
        output = _take(data, "output", dict, where)
        kind = _take(output, "kind", str, f"{where}: output")
        if kind != "probabilities":
            raise BundleError(f"{where}: output kind is {kind!r}, expected 'probabilities'")
        return cls(
            name=_take(data, "name", str, where),
            version=_take(data, "version", str, where),
            labels=tuple(labels),
            input=_input_from_json(_take(data, "input", dict, where), f"{where}: input"),
            preprocessing=_preprocessing_from_json(
                _take(data, "preprocessing", dict, where), f"{where}: preprocessing"
            ),
            output=_take(output, "name", str, f"{where}: output"),
            min_score=_number(data, "min_score", 0.0, 1.0, where),
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


_ANY = sys.float_info.max
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
    """`onnx`, `tflite`, `saved_model`, `keras` or `other`."""
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
        return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def loads(cls, text: str | bytes, where: str) -> Manifest:
        """Parse and validate. Raises BundleError."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BundleError(f"{where}: not JSON ({error})") from None
        if not isinstance(data, dict):
            raise BundleError(f"{where}: expected a JSON object, found {_kind(data)}")
        files = tuple(
            _file_from_json(entry, f"{where}: files[{index}]")
            for index, entry in enumerate(_take(data, "files", list, where))
        )
        paths = [file.path for file in files]
        if len(set(paths)) != len(paths):
            twice = next(path for path in paths if paths.count(path) > 1)
            raise BundleError(f"{where}: file {twice!r} stands twice")
        return cls(
            spec=ModelSpec.from_json(data, where),
            files=files,
            calibration=_take(data, "calibration", dict, where),
            training=_take(data, "training", dict, where),
        )

    @classmethod
    def load(cls, bundle: Path) -> Manifest:
        """Read `manifest.json` of the bundle folder. Raises BundleError."""
        path = bundle / MANIFEST_NAME
        try:
            with open(path, "rb") as file:
                text = file.read(MAX_MANIFEST_BYTES + 1)
        except OSError as error:
            raise BundleError(f"{path}: cannot be read ({error.strerror})") from None
        if len(text) > MAX_MANIFEST_BYTES:
            raise BundleError(f"{path}: larger than {MAX_MANIFEST_BYTES} bytes")
        return cls.loads(text, str(path))


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
    the manifest describes.
    """
    path = bundle / file.path
    try:
        with open(path, "rb") as source:
            data = source.read(file.bytes + 1)
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror})") from None
    found = hashlib.sha256(data).hexdigest()
    if found != file.sha256:
        longer = " (and it is longer)" if len(data) > file.bytes else ""
        raise BundleError(
            f"{path}: SHA-256 is {found}{longer}, the manifest says {file.sha256};"
            " the file was altered or damaged: copy or build the bundle again"
        )
    return data


def _input_from_json(data: Mapping[str, Any], where: str) -> InputSpec:
    spec = InputSpec(
        height=_whole(data, "height", 1, MAX_SIDE, where),
        width=_whole(data, "width", 1, MAX_SIDE, where),
        channels=_whole(data, "channels", 1, 3, where),
        name=_take(data, "name", str, where),
        dtype=_take(data, "dtype", str, where),
        layout=_take(data, "layout", str, where),
    )
    if spec.channels == 2:
        raise BundleError(f"{where}: channels is 2, expected 1 or 3")
    if spec.dtype != "uint8":
        raise BundleError(f"{where}: dtype is {spec.dtype!r}, expected 'uint8'")
    if spec.layout != "NHWC":
        raise BundleError(f"{where}: layout is {spec.layout!r}, expected 'NHWC'")
    return spec


def _preprocessing_from_json(data: Mapping[str, Any], where: str) -> Preprocessing:
    kind = _take(data, "kind", str, where)
    if kind not in PREPROCESSING_PARAMETERS:
        known = ", ".join(PREPROCESSING_PARAMETERS)
        raise BundleError(f"{where}: kind is {kind!r}, this edge-runtime knows {known}")
    parameters = PREPROCESSING_PARAMETERS[kind]
    unknown = sorted(set(data) - {"kind", *parameters})
    if unknown:
        raise BundleError(f"{where}: {kind!r} takes no parameter {unknown[0]!r}")
    values: dict[str, Any] = {}
    if kind == "ink":
        values["max_stretch"] = _number(data, "max_stretch", 1.0, 100.0, where)
        values["spread"] = _number(data, "spread", 0.0, 1.0, where)
        values["reach"] = _number(data, "reach", 0.1, 100.0, where)
    if kind == "fit":
        values["fill"] = _whole(data, "fill", 0, 255, where)
    return Preprocessing(kind, **values)


def _file_from_json(data: Any, where: str) -> BundleFile:
    if not isinstance(data, dict):
        raise BundleError(f"{where}: expected a JSON object, found {_kind(data)}")
    path = _take(data, "path", str, where)
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or str(pure) != path or not _plain(path):
        raise BundleError(f"{where}: path {path!r} leaves the bundle or is not in plain form")
    sha256 = _take(data, "sha256", str, where)
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise BundleError(f"{where}: sha256 {sha256!r} is not 64 hexadecimal digits")
    described = {"path", "format", "precision", "bytes", "sha256"}
    return BundleFile(
        path=path,
        bytes=_whole(data, "bytes", 0, 1 << 40, where),
        sha256=sha256,
        format=_take(data, "format", str, where),
        precision=_take(data, "precision", str, where) if "precision" in data else None,
        measured={
            key: _number(data, key, -_ANY, _ANY, where) for key in data if key not in described
        },
    )


def _plain(path: str) -> bool:
    return "\\" not in path and path.isprintable()


def _take(data: Mapping[str, Any], key: str, kind: type[T], where: str) -> T:
    if key not in data:
        raise BundleError(f"{where}: {key!r} is missing")
    value = data[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise BundleError(f"{where}: {key!r} is {_kind(value)}, expected {_NAMES[kind]}")
    return value


def _number(data: Mapping[str, Any], key: str, low: float, high: float, where: str) -> float:
    value = data.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BundleError(f"{where}: {key!r} is {_kind(value)}, expected a number")
    if not low <= value <= high:  # so not for NaN either
        raise BundleError(f"{where}: {key!r} is {value}, expected {low:g} to {high:g}")
    return value


def _whole(data: Mapping[str, Any], key: str, low: int, high: int, where: str) -> int:
    value = _take(data, key, int, where)
    if not low <= value <= high:
        raise BundleError(f"{where}: {key!r} is {value}, expected {low} to {high}")
    return value


_NAMES: dict[type, str] = {
    int: "a whole number",
    str: "a string",
    list: "a list",
    dict: "an object",
}


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    return _NAMES.get(type(value), "a number")
