"""From NPY files or arrays of values over time to the input tensor of a model of series."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bundle.spec import InputSpec, Preprocessing
from ..errors import InputError
from ..inputs.files import MAX_PIXELS, file_bytes
from ..inputs.npy import read_npy

ACCEPTED = "a series: give a path, bytes, or an array (T,) or (T, channels)"
"""What a caller may give, for an error message."""
_BYTES_A_VALUE = 16  # a file of as many values as are read may have so many, and
_BYTES_BESIDE = 1 << 20


def decode(
    source: str | os.PathLike[str] | bytes, max_values: int = MAX_PIXELS
) -> NDArray[np.generic]:
    """Decode an NPY file, given by path or as its bytes: real numbers of any type and shape.

    Raises InputError with its status.
    """
    if not isinstance(source, bytes):
        source = file_bytes(source, max_values * _BYTES_A_VALUE + _BYTES_BESIDE)
    if not source:
        raise InputError("empty", "the file has no bytes")
    return read_npy(source, max_values)


def locate(values: NDArray[Any], spec: InputSpec, how: Preprocessing) -> NDArray[np.uint8] | None:
    """The (1, length, channels) uint8 tensor of a (length,) or (length, channels) series; with
    `normalise` `each`, None of one that never changes.

    Raises InputError for an array of another shape, or with values that are not finite.
    """
    if values.dtype.kind not in "biuf":
        raise InputError("not_a_series", f"values are {values.dtype}, expected real numbers")
    shape = (spec.width, spec.channels)
    if values.shape != shape and (values.shape, spec.channels) != (shape[:1], 1):
        one = f"({spec.width},) or " if spec.channels == 1 else ""
        raise InputError("wrong_shape", f"shape is {values.shape}, this model reads {one}{shape}")
    series = values.reshape(shape).astype(np.float64)
    if not np.isfinite(series).all():
        at = np.argwhere(~np.isfinite(series))[0, 0]
        raise InputError("corrupt", f"value {at} is {series[at].max()}, expected finite numbers")
    if how.normalise == "each":
        series /= np.abs(series).max(axis=0, where=series != 0, initial=1e-300)
        series -= series.mean(axis=0)
        deviations = series.std(axis=0)
        if not deviations.any():
            return None
        series /= np.where(deviations > 0, deviations, 1.0)
    low, high = np.array(how.low), np.array(how.high)
    levels = (np.clip(series, low, high) - low) / (high - low) * 255
    tensor: NDArray[np.uint8] = np.rint(levels).astype(np.uint8)[None]
    return tensor
