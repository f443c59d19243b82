"""Decode NPY files to arrays of numbers, without trusting their headers.

numpy's own reader hands the header to Python's parser, and sets aside the memory that it asks for.
"""

from __future__ import annotations

import math
import os
import re
import struct

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .files import AT_MOST, MAX_PIXELS, file_bytes
from .formats import refuse_other_kinds

_MAGIC = b"\x93NUMPY"
_LENGTHS = {1: "<H", 2: "<I", 3: "<I"}  # how the header's length is written, by version
_LONGEST_HEADER = 1000
_MOST_AXES = 8
# A file may have so many bytes for each value that is allowed, and so many for its header.
_BYTES_A_VALUE, _HEADER_BYTES = 16, 1 << 20
# A Python dictionary, its keys in any order.
_HEADER = re.compile(
    r"\{(?=.*['\"]descr['\"]: *['\"]([^'\"]*)['\"])(?=.*['\"]fortran_order['\"]: *(True|False))"
    r"(?=.*['\"]shape['\"]: *\(([0-9, ]*)\)).*\}\s*",
    re.DOTALL,
)
_REAL = re.compile(r"[<>|=]?(b1|[iu][1248]|f(2|4|8|12|16))")


def decode(
    source: str | os.PathLike[str] | bytes, max_values: int = MAX_PIXELS
) -> NDArray[np.generic]:
    """Decode an NPY file, given by path or as its bytes: real numbers of any type and shape.

    max_values: above which it is refused as `too_large`.

    Raises InputError with its status.
    """
    if not isinstance(source, bytes):
        source = file_bytes(source, max_values * _BYTES_A_VALUE + _HEADER_BYTES)
    if not source:
        raise InputError("empty", "the file has no bytes")
    return read_npy(source, max_values)


def read_npy(data: bytes, most_values: int) -> NDArray[np.generic]:
    """The array in the bytes of an NPY file: real numbers of any type, of any shape.

    It shares memory with `data`. Raises InputError: `not_a_series`, `wrong_kind`, `corrupt`, or
    `too_large` for more than `most_values`.
    """
    if not data.startswith(_MAGIC):
        refuse_other_kinds(data[:12], "series")
        raise InputError("not_a_series", "not an NPY file")
    dtype, fortran, shape, start = _header(data)
    count, there = math.prod(shape), len(data) - start
    if count > most_values:
        raise InputError("too_large", f"{count} values are more than {most_values}{AT_MOST}")
    if there < count * dtype.itemsize:
        raise InputError(
            "corrupt", f"cut short: {there} of {count * dtype.itemsize} bytes of values are there"
        )
    flat = np.frombuffer(data, dtype, count, start)
    return flat.reshape(shape, order="F" if fortran else "C")


def _header(data: bytes) -> tuple[np.dtype[np.generic], bool, tuple[int, ...], int]:
    """(type of a value, whether the first axis runs fastest, shape, where the values start)."""
    length = _LENGTHS.get(data[6] if len(data) > 6 else 0)
    if length is None or len(data) < 12:
        raise InputError("corrupt", "its header is cut short, or of an unknown version")
    begin = 8 + struct.calcsize(length)
    start = begin + int(struct.unpack_from(length, data, 8)[0])
    text = data[begin : min(start, begin + _LONGEST_HEADER)].decode("latin-1")
    found = _HEADER.fullmatch(text)
    if found is None or start > begin + _LONGEST_HEADER or start > len(data):
        raise InputError("not_a_series", f"no plain array of numbers: its header is {text[:80]!r}")
    kind, fortran, sides = found[1], found[2] == "True", re.findall(r"\d+", found[3])
    if not _REAL.fullmatch(kind):
        raise InputError("not_a_series", f"holds {kind[:80]!r}, expected real numbers")
    shape = tuple(int(side) for side in sides if len(side) < 20)
    if len(shape) < len(sides) or len(shape) > _MOST_AXES:
        raise InputError("corrupt", f"its header claims the shape {found[3][:80]!r}")
    try:
        return np.dtype(kind), fortran, shape, start
    except TypeError:  # long floats are of one length or the other, by processor
        raise InputError("not_a_series", f"holds {kind!r}, which this device lacks") from None
