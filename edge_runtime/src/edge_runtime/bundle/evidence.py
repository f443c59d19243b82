"""The tensors inside an ONNX file that its answer is read from, and a copy that gives them.

`model-build` writes their names into the metadata of `model.onnx`, which has one output all the
same: further ones are appended to its bytes in memory, by who wants them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import BundleError
from .json_fields import kind_of, numbers, only, typed

KEY = "evidence"
"""Of the metadata."""
CHANNELS_FIRST, CHANNELS_LAST = _LAYOUTS = ("NCHW", "NHWC")
_GRAPH, _OUTPUT, _NAME = 7, 12, 1  # fields of ModelProto, GraphProto and ValueInfoProto


@dataclass(frozen=True, slots=True)
class Dense:
    """The names of a dense layer's constants."""

    weights: str
    """(inputs, outputs) float32."""
    bias: str | None
    """(outputs,) float32; None where all are 0."""

    def to_json(self) -> dict[str, str]:
        """The JSON object that stands in the metadata."""
        return {"weights": self.weights} | ({} if self.bias is None else {"bias": self.bias})

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str) -> Dense:
        """Raises BundleError."""
        only(data, {"weights", "bias"}, where)
        bias = typed(data, "bias", str, where) if "bias" in data else None
        return cls(typed(data, "weights", str, where), bias)


@dataclass(frozen=True, slots=True)
class FeatureMap:
    """The last tensor whose values have a place in the input."""

    name: str
    layout: str
    """`NCHW`, (batch, channels, height, width), or `NHWC`."""
    first: tuple[float, float]
    """Where the middle of the first place lies, down and across, in pixels of the input tensor."""
    step: tuple[float, float]
    """From the middle of one to that of the next."""

    def to_json(self) -> dict[str, Any]:
        """The JSON object that stands in the metadata."""
        return {**asdict(self), "first": list(self.first), "step": list(self.step)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str) -> FeatureMap:
        """Raises BundleError."""
        only(data, {"name", "layout", "first", "step"}, where)
        layout = typed(data, "layout", str, where)
        if layout not in _LAYOUTS:
            raise BundleError(f"{where}: layout is {layout!r}, expected {' or '.join(_LAYOUTS)}")
        first, step = numbers(data, "first", where), numbers(data, "step", where)
        if not len(first) == len(step) == 2 or min(step) <= 0:
            raise BundleError(
                f"{where}: first is {first} and step {step}, expected two numbers each"
            )
        name = typed(data, "name", str, where)
        return cls(name, layout, (first[0], first[1]), (step[0], step[1]))


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an answer is read from."""

    embedding: str
    """The name of (batch, features): what the last dense layer reads."""
    logits: Dense
    """The last dense layer."""
    feature_map: FeatureMap | None = None
    """The embedding is its means, or `hidden` makes it of all its values; None where it is made
    otherwise, so that no map says exactly where an answer comes from."""
    hidden: Dense | None = None
    """A dense layer with ReLU that reads all values of the feature map, channels last."""

    def to_metadata(self) -> dict[str, str]:
        """An entry for the `metadata_props` of an ONNX file."""
        data: dict[str, Any] = {"embedding": self.embedding, "logits": self.logits.to_json()}
        if self.feature_map is not None:
            data["feature_map"] = self.feature_map.to_json()
        if self.hidden is not None:
            data["hidden"] = self.hidden.to_json()
        return {KEY: json.dumps(data)}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], path: str) -> Evidence:
        """Read what `to_metadata` wrote. Raises BundleError, also for a file that has no entry."""
        if KEY not in metadata:
            raise BundleError(
                f"{path}: does not say which of its tensors are features; explain and embed need"
                " the fp32 file of a bundle of this version: build it again"
            )
        where = f"{path}: {KEY}"
        try:
            data = json.loads(metadata[KEY])
        except (ValueError, RecursionError) as error:
            raise BundleError(f"{where}: is not JSON ({error})") from None
        if not isinstance(data, dict):
            raise BundleError(f"{where}: expected a JSON object, found {kind_of(data)}")
        only(data, {"embedding", "logits", "feature_map", "hidden"}, where)

        def part(key: str) -> tuple[Mapping[str, Any], str]:
            return typed(data, key, dict, where), f"{where}: {key}"

        return cls(
            typed(data, "embedding", str, where),
            Dense.from_json(*part("logits")),
            FeatureMap.from_json(*part("feature_map")) if "feature_map" in data else None,
            Dense.from_json(*part("hidden")) if "hidden" in data else None,
        )

    @property
    def tensors(self) -> tuple[str, ...]:
        """All of the names."""
        dense = [layer for layer in (self.logits, self.hidden) if layer is not None]
        names = [self.embedding, self.feature_map.name if self.feature_map else None]
        names += [name for layer in dense for name in (layer.weights, layer.bias)]
        return tuple(name for name in names if name is not None)


def with_outputs(model: bytes, names: tuple[str, ...]) -> bytes:
    """The ONNX file with these tensors of its graph as further outputs.

    Protocol buffers are merged where they are written one after the other (protobuf's "Last One
    Wins": repeated fields are appended), so no byte of the model is looked at.
    """
    outputs = [_field(_OUTPUT, _field(_NAME, name.encode("utf-8"))) for name in names]
    return model + _field(_GRAPH, b"".join(outputs))


def _field(number: int, value: bytes) -> bytes:
    """A field of a protocol buffer that holds bytes."""
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    data = bytearray()
    while value > 127:
        data.append(value & 127 | 128)
        value >>= 7
    return bytes([*data, value])
