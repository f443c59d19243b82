"""NPY files: arrays of real numbers are read; a header is taken for what the file bears out."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime import InputError
from edge_runtime.inputs.npy import read_npy

from ...support.small_bundles import npy

MOST = 1000
EIGHT = np.zeros(8)
TYPES = ["?", "i1", "u1", "<i2", ">i2", "<u4", "<i8", "<u8", "<f2", "<f4", ">f4", "<f8"]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(), (0,), (7,), (3, 5), (2, 3, 4)])
def test_what_numpy_saves_is_read_as_it_was(dtype: str, shape: tuple[int, ...]) -> None:
    values = (np.arange(np.prod(shape)) % 5).reshape(shape).astype(dtype)
    for array in (values, np.asfortranarray(values)):
        found = read_npy(npy(array), MOST)
        assert found.dtype == array.dtype
        assert found.shape == array.shape
        assert np.array_equal(found, array)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_the_format_is_read(version: tuple[int, int]) -> None:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.arange(9.0), version)
    assert read_npy(stream.getvalue(), MOST).tolist() == list(range(9))


def test_a_header_may_be_spaced_and_ordered_in_another_way() -> None:
    head = b"{'shape': (4,),'descr':'<i2', 'fortran_order':False}"
    assert read_npy(file_with(head, np.arange(4, dtype="<i2")), MOST).tolist() == [0, 1, 2, 3]


def file_with(header: bytes, values: NDArray[Any] = EIGHT, length: int | None = None) -> bytes:
    length = len(header) if length is None else length
    return b"\x93NUMPY\1\0" + struct.pack("<H", length) + header + values.tobytes()


def header(descr: str = "<f8", shape: str = "(8,)", order: str = "False") -> bytes:
    return f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()


class Trap:
    """Pickled, it would run code where it is read."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('the pickle was run')",)


def pickled() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array([Trap()], object), allow_pickle=True)
    return stream.getvalue()


REFUSED = {
    "prose": (b"no array at all", "not_a_series", "not an NPY file"),
    "a sound": (b"RIFF\1\0\0\0WAVEfmt ", "wrong_kind", "a WAV sound; this model reads series"),
    "an image": (b"\xff\xd8\xff\xe0" + bytes(99), "wrong_kind", "an image"),
    "a zip of arrays": (b"PK\3\4" + bytes(99), "not_a_series", "not an NPY file"),
    "the magic alone": (b"\x93NUMPY", "corrupt", "cut short"),
    "version 9": (b"\x93NUMPY\x09\0" + bytes(99), "corrupt", "unknown version"),
    "objects": (pickled(), "not_a_series", "holds '|O', expected real numbers"),
    "text": (npy(np.array(["a"])), "not_a_series", "holds '<U1'"),
    "complex numbers": (npy(np.ones(3, complex)), "not_a_series", "holds '<c16'"),
    "dates": (npy(np.zeros(3, "datetime64[s]")), "not_a_series", "holds '<M8[s]'"),
    "a table": (npy(np.zeros(3, "i4,f8")), "not_a_series", "no plain array of numbers"),
    "a type of subarrays": (file_with(header("(3,)f4")), "not_a_series", "holds '(3,)f4'"),
    "code": (file_with(b"__import__('os').abort()"), "not_a_series", "its header is"),
    "code inside": (file_with(header(shape="(exit(),)")), "not_a_series", "its header is"),
    "nested": (file_with(b"{" + b"(" * 900), "not_a_series", "its header is"),
    "a long header": (file_with(header() + b" " * 5000), "not_a_series", "its header is"),
    "a header past the end": (file_with(header(), length=60_000), "not_a_series", "its header"),
    "a terabyte": (file_with(header(shape="(137438953472,)")), "too_large", "137438953472 values"),
    "too many digits": (file_with(header(shape=f"({'9' * 50},)")), "corrupt", "the shape"),
    "many axes": (file_with(header(shape=f"({'1, ' * 99})")), "corrupt", "the shape"),
    "below zero": (file_with(header(shape="(-1,)")), "not_a_series", "its header is"),
    "cut short": (npy(np.ones(9))[:-1], "corrupt", "cut short: 71 of 72 bytes"),
}


@pytest.mark.parametrize(("data", "status", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_refused_in_one_line(data: bytes, status: str, words: str) -> None:
    with pytest.raises(InputError) as refused:
        read_npy(data, MOST)
    assert refused.value.status == status
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_size_that_is_only_claimed_costs_no_memory() -> None:
    with pytest.raises(InputError, match="cut short"):
        read_npy(file_with(header(shape="(137438953472,)")), 1 << 60)
