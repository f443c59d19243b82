"""Check that an ONNX file holds all of its weights, before onnxruntime loads it; its metadata.

An ONNX file may name another file that holds weights; onnxruntime would read that one, whose hash
nobody has checked. The file is a protocol buffer; this walks every message that can hold a tensor.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..errors import BundleError

# Message -> field number -> the message in that field, from onnx.proto.
_FIELDS = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Function": {7: "Node", 11: "Attribute"},
    "Graph": {1: "Node", 5: "Tensor", 15: "Sparse"},
    "Node": {5: "Attribute"},
    "Attribute": {
        **{5: "Tensor", 10: "Tensor", 6: "Graph", 11: "Graph"},
        **{22: "Sparse", 23: "Sparse"},
    },
    "Sparse": {1: "Tensor", 2: "Tensor"},
    "Tensor": {},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # fields of Tensor
_METADATA = 14  # field of Model: entries of a key (1) and a value (2)
_DEEPEST = 100  # messages inside messages, as protocol buffers themselves are limited

_OTHERS = {b"TFL3": "a TFLite model", b"ORTM": "an ORT model"}  # by the bytes from the fifth on

_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5


def not_onnx(data: bytes, path: Path, reason: ValueError) -> BundleError:
    """The error for a file that is no ONNX file; it says what else it is, where that is known."""
    for start, kind in _OTHERS.items():
        if data[4:].startswith(start):
            return BundleError(f"{path}: is {kind}; give a bundle, or its model.onnx")
    return BundleError(f"{path}: is no ONNX file ({reason}); give a bundle, or its model.onnx")


def external_data(model: bytes) -> bool:
    """True if a tensor of the model lies in another file.

    Raises ValueError when the bytes are no protocol buffer.
    """
    waiting = [("Model", memoryview(model), 0)]
    while waiting:
        message, data, depth = waiting.pop()
        if depth > _DEEPEST:
            raise ValueError("messages are nested too deeply")
        for number, value in _fields(data):
            if message == "Tensor" and number in (_EXTERNAL_DATA, _DATA_LOCATION) and value:
                return True
            inner = _FIELDS[message].get(number)
            if inner is not None and isinstance(value, memoryview):
                waiting.append((inner, value, depth + 1))
    return False


def metadata_of(model: bytes) -> dict[str, str]:
    """The metadata of an ONNX file, as onnxruntime's `custom_metadata_map` has it.

    Raises ValueError when the bytes are no protocol buffer.
    """
    found = {}
    for number, entry in _fields(memoryview(model)):
        if number == _METADATA and isinstance(entry, memoryview):
            texts = {
                key: str(text, "utf-8") for key, text in _fields(entry) if not isinstance(text, int)
            }
            found[texts.get(1, "")] = texts.get(2, "")
    return found


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(number, value) of each field; fixed-size numbers as bytes, as none of them matters here."""
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        number, kind = key >> 3, key & 7
        if not number:
            raise ValueError("a field has the number 0")
        if kind == _VARINT:
            value, place = _varint(data, place)
            yield number, value
            continue
        if kind == _BYTES:
            length, place = _varint(data, place)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            length = 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"field {number} is of the unknown kind {kind}")
        if place + length > len(data):
            raise ValueError(f"field {number} is cut short")
        yield number, data[place : place + length]
        place += length


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(data):
            break
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise ValueError("a number is cut short")
