"""What a host must know of a model: labels, input, preprocessing; JSON in and out, validated."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..errors import BundleError
from .json_fields import check_line, number, numbers, only, take, whole

SCHEMA_VERSION = 1
UNKNOWN = "unknown"
"""The label of a reading below the minimum score, and of a blank image."""

MAX_SIDE = 4096
MAX_LENGTH = 65_536
"""The longest series, in values."""
MAX_SERIES_CHANNELS = 1024
MAX_VALUES = 1 << 24
"""Of a series; of a sound, the samples of a window by the windows, and by the bands."""
MAX_LABELS = 100_000

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
