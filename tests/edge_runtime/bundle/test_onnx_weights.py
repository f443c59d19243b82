"""A model must be whole in itself: weights that are named as another file are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime import BundleError, Classifier
from edge_runtime.bundle.manifest import BUILT_IN
from edge_runtime.bundle.onnx_weights import external_data, metadata_of
from edge_runtime.inference.session import open_session

from ...conftest import Run
from ...support.helpers import GOLDEN

MODELS = [BUILT_IN / "model.onnx", BUILT_IN / "model.int8.onnx"]


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


INSIDE = field(1, 4) + field(2, 1) + field(8, b"w") + field(9, bytes(4))
OUTSIDE = (
    field(1, 4)
    + field(2, 1)
    + field(8, b"w")
    + field(13, field(1, b"location") + field(2, b"weights.bin"))
    + field(14, 1)
)


def nested(*numbers: int) -> Callable[[bytes], bytes]:
    """A model with a tensor in those fields, the outermost first."""

    def around(tensor: bytes) -> bytes:
        for number in reversed(numbers):
            tensor = field(number, tensor)
        return tensor

    return around


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_the_metadata_are_those_that_onnxruntime_reads(model: Path) -> None:
    data = model.read_bytes()
    session = open_session(data, 1, model)
    assert metadata_of(data) == session.get_modelmeta().custom_metadata_map != {}
    assert metadata_of(field(14, field(1, "é".encode()))) == {"é": ""}
    for bad in (field(14, field(1, b"\xff")), data[:-1]):
        with pytest.raises(ValueError):  # noqa: PT011  which one, no caller asks
            metadata_of(bad)


PLACES = {
    "an initializer": nested(7, 5),
    "the values of a sparse initializer": nested(7, 15, 1),
    "the indices of a sparse initializer": nested(7, 15, 2),
    "a constant": nested(7, 1, 5, 5),
    "a list of constants": nested(7, 1, 5, 10),
    "a sparse constant": nested(7, 1, 5, 22, 1),
    "a list of sparse constants": nested(7, 1, 5, 23, 1),
    "a branch": nested(7, 1, 5, 6, 5),
    "a list of branches": nested(7, 1, 5, 11, 5),
    "a function": nested(25, 7, 5, 5),
    "a function's default": nested(25, 11, 5),
    "training": nested(20, 1, 5),
    "a step of training": nested(20, 2, 1, 5, 5),
}


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.name)
def test_the_models_of_the_bundle_are_whole(path: Path) -> None:
    assert not external_data(path.read_bytes())


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_external_data_is_found_wherever_a_tensor_can_be(
    place: Callable[[bytes], bytes],
) -> None:
    model = MODELS[0].read_bytes()
    assert external_data(place(OUTSIDE))
    assert external_data(model + place(OUTSIDE)), "a message in two parts is one message"
    assert not external_data(place(INSIDE))
    assert not external_data(model + place(INSIDE))


def test_a_model_with_external_data_is_refused_before_it_is_opened(
    run: Run, tmp_path: Path
) -> None:
    """Hand-made: the real model, one of its weights declared again as lying in another file."""
    path = tmp_path / "external.onnx"
    path.write_bytes(MODELS[0].read_bytes() + PLACES["an initializer"](OUTSIDE))
    (tmp_path / "weights.bin").write_bytes(bytes(4))
    with pytest.raises(BundleError, match=r"external\.onnx: keeps weights in another file"):
        Classifier(path)
    done = run("predict", GOLDEN / "7.bmp", "--model", "external.onnx", status=3)
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"\x0b",
        b"\x3a",
        b"\x3a\xff\xff\xff\xff\x0f",
        b"\x08" + b"\xff" * 11,
        b"\x00\x00",
        b"\x09\0\0",
        b"ORTM",
    ],
    ids=["group", "no length", "too long", "endless number", "field 0", "cut number", "ORTM"],
)
def test_what_is_no_protocol_buffer_is_refused_in_one_line(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  a few words each
        external_data(data)
    (tmp_path / "x.onnx").write_bytes(data)
    with pytest.raises(BundleError, match=r"x\.onnx: is no ONNX file \("):
        Classifier(tmp_path / "x.onnx")


def test_deep_nesting_ends() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        external_data(nested(7, *(1, 5, 6) * 1000)(b""))
