"""NPY files: their bytes as an array of numbers, whatever their header claims."""

from __future__ import annotations

import io
import math

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from .errors import InputError
from .files import refuse_other_kinds

_READERS = {
    (1, 0): npy_format.read_array_header_1_0,
    (2, 0): npy_format.read_array_header_2_0,
}
_MOST_AXES = 8


def read_npy(data: bytes, most_values: int) -> NDArray[np.generic]:
    """The array in the bytes of an NPY file: real numbers of any type, of any shape.

    It shares memory with `data`. Raises InputError: `not_a_series`, `wrong_kind`, `corrupt`, or
    `too_large` for more than `most_values`.
    """
    if not data.startswith(npy_format.MAGIC_PREFIX):
        refuse_other_kinds(data[:12], "series")
        raise InputError("not_a_series", "not an NPY file")
    stream = io.BytesIO(data)
    try:
        version = npy_format.read_magic(stream)
        if version not in _READERS:
            raise InputError("not_a_series", f"NPY version {version[0]}.{version[1]}, expected 1.0")
        shape, fortran, dtype = _READERS[version](stream)
    except (*(ValueError, TypeError, SyntaxError, EOFError), *(RecursionError, MemoryError)):
        raise InputError("corrupt", "its header cannot be understood") from None
    check_numbers(dtype)
    if len(shape) > _MOST_AXES or any(side < 0 for side in shape):
        raise InputError("corrupt", f"its header claims the shape {str(shape)[:80]}")
    count, start = math.prod(shape), stream.tell()
    if count > most_values:
        raise InputError("too_large", f"{count} values are more than {most_values}")
    if len(data) - start < count * dtype.itemsize:
        raise InputError(
            "corrupt",
            f"cut short: {len(data) - start} of {count * dtype.itemsize} bytes of values are there",
        )
    flat = np.frombuffer(data, dtype, count, start)
    return flat.reshape(shape, order="F" if fortran else "C")


def check_numbers(dtype: np.dtype[np.generic]) -> None:
    """Raise InputError with `not_a_series` unless values of this type are real numbers."""
    if dtype.kind not in "biuf":
        raise InputError("not_a_series", f"holds {str(dtype)[:80]}, expected real numbers")
