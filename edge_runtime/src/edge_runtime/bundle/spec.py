"""The specification of a model: labels, input tensor, preprocessing; to and from JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..errors import BundleError
from .json_fields import check_line, integer, number, only, typed
from .preprocessing import MAX_LENGTH, Preprocessing, preprocessing_from_json

SCHEMA_VERSION = 1
UNKNOWN = "unknown"
"""The label of a prediction below the minimum score, and of a blank input."""

MAX_SIDE = 4096
"""The largest height and width of the tensor: pixels, or for sounds bands and windows."""
MAX_SERIES_CHANNELS = 1024
MAX_LABELS = 100_000


@dataclass(frozen=True, slots=True)
class InputSpec:
    """The model's input tensor without its batch axis: raw 8-bit values, channels last."""

    height: int
    """Rows, in pixels; for sounds the mel bands, the lowest first; for series 1."""
    width: int
    """Columns, in pixels; for sounds the windows, for series the values, in order of time."""
    channels: int = 1
    """1 for grey (or ink) and for sounds, 3 for red, green, blue; for series their channels."""
    name: str = "pixels"
    dtype: str = "uint8"
    layout: str = "NHWC"

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of one input's tensor."""
        return self.height, self.width, self.channels


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """All that a host needs to run a model; it is also in the metadata of the ONNX file."""

    name: str
    version: str
    labels: tuple[str, ...]
    """The class names; the position is the index of the output."""
    input: InputSpec
    preprocessing: Preprocessing
    output: str = "probabilities"
    """The name of the output tensor, (batch, len(labels)) float32, each row summing to 1."""
    min_score: float = 0.0
    """The recommended minimum score, a probability in [0, 1]; a prediction below it is unsure."""

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
        """The same as JSON text for each key, for the `metadata_props` of an ONNX file."""
        return {key: json.dumps(value, ensure_ascii=False) for key, value in self.to_json().items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str) -> ModelSpec:
        """Validate `data`, found at `where` (named in messages).

        Raises BundleError for anything missing, unknown or out of range.
        """
        version = typed(data, "schema_version", int, where)
        if version != SCHEMA_VERSION:
            raise BundleError(
                f"{where}: schema_version is {version}, this edge-runtime reads {SCHEMA_VERSION};"
                " install a matching edge-runtime or export the model again"
            )
        labels = typed(data, "labels", list, where)
        if not 2 <= len(labels) <= MAX_LABELS:
            raise BundleError(f"{where}: {len(labels)} labels, expected 2 to {MAX_LABELS}")
        for label in labels:
            if not isinstance(label, str) or not label:
                raise BundleError(f"{where}: label {label!r} is not a non-empty string")
            check_line(label, "label", where)
        if len(set(labels)) != len(labels):
            twice = next(label for label in labels if labels.count(label) > 1)
            raise BundleError(f"{where}: label {twice!r} stands twice")
        output = typed(data, "output", dict, where)
        only(output, {"name", "kind", "dtype"}, f"{where}: output")
        kind = typed(output, "kind", str, f"{where}: output")
        if kind != "probabilities":
            raise BundleError(f"{where}: output kind is {kind!r}, expected 'probabilities'")
        preprocessing = preprocessing_from_json(
            typed(data, "preprocessing", dict, where), f"{where}: preprocessing"
        )
        tensor = _input_from_json(
            typed(data, "input", dict, where), preprocessing.reads, f"{where}: input"
        )
        preprocessing.check_shape(tensor.shape, f"{where}: preprocessing")
        return cls(
            name=check_line(typed(data, "name", str, where), "name", where),
            version=check_line(typed(data, "version", str, where), "version", where),
            labels=tuple(labels),
            input=tensor,
            preprocessing=preprocessing,
            output=typed(output, "name", str, f"{where}: output"),
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


def _input_from_json(data: Mapping[str, Any], reads: str, where: str) -> InputSpec:
    only(data, {field.name for field in fields(InputSpec)}, where)
    high, wide, deep = {
        "image": (MAX_SIDE, MAX_SIDE, 3),
        "sound": (MAX_SIDE, MAX_SIDE, 1),
        "series": (1, MAX_LENGTH, MAX_SERIES_CHANNELS),
    }[reads]
    spec = InputSpec(
        height=integer(data, "height", 1, high, where),
        width=integer(data, "width", 1, wide, where),
        channels=integer(data, "channels", 1, deep, where),
        name=typed(data, "name", str, where),
        dtype=typed(data, "dtype", str, where),
        layout=typed(data, "layout", str, where),
    )
    if spec.channels == 2 and reads == "image":
        raise BundleError(f"{where}: channels is 2, expected 1 or 3")
    if spec.dtype != "uint8":
        raise BundleError(f"{where}: dtype is {spec.dtype!r}, expected 'uint8'")
    if spec.layout != "NHWC":
        raise BundleError(f"{where}: layout is {spec.layout!r}, expected 'NHWC'")
    return spec
