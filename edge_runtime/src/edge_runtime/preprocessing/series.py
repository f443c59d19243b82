"""From NPY files or arrays of values over time to the input tensor of a model of series."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bundle.preprocessing import Series
from ..bundle.spec import InputSpec
from ..errors import InputError
from ..inputs import npy
from ..inputs.files import decode_source
from .base import Reader, Source

_ACCEPTED = "a path, bytes, an open file or an array (T,) or (T, channels)"


class SeriesReader(Reader):
    """Reads series: NPY files, or arrays (T,) or (T, channels) of real numbers."""

    decode = staticmethod(npy.decode)

    def __init__(self, spec: InputSpec, preprocessing: Series) -> None:
        super().__init__(spec, preprocessing)
        self._normalise = preprocessing.normalise == "each"
        self._low, self._high = np.array(preprocessing.low), np.array(preprocessing.high)

    def read(self, source: Source, /) -> NDArray[Any]:
        """The values of a path, an NPY file's bytes, or an array, which is returned as it is."""
        if isinstance(source, np.ndarray):
            return source
        return decode_source(source, npy.decode, "a series", _ACCEPTED)

    def prepare(self, decoded: NDArray[Any], /) -> NDArray[np.uint8] | None:
        """The (1, length, channels) uint8 tensor of a (length,) or (length, channels) series.

        With `normalise` `each`, None for one that never changes. Raises InputError for an array
        of another shape, or with values that are not finite.
        """
        spec = self.spec
        if decoded.dtype.kind not in "biuf":
            raise InputError("not_a_series", f"values are {decoded.dtype}, expected real numbers")
        shape = (spec.width, spec.channels)
        if decoded.shape != shape and (decoded.shape, spec.channels) != (shape[:1], 1):
            one = f"({spec.width},) or " if spec.channels == 1 else ""
            raise InputError(
                "wrong_shape", f"shape is {decoded.shape}, this model reads {one}{shape}"
            )
        series = decoded.reshape(shape).astype(np.float64)
        if not np.isfinite(series).all():
            at = np.argwhere(~np.isfinite(series))[0, 0]
            raise InputError(
                "corrupt", f"value {at} is {series[at].max()}, expected finite numbers"
            )
        if self._normalise:
            series /= np.abs(series).max(axis=0, where=series != 0, initial=1e-300)
            series -= series.mean(axis=0)
            deviations = series.std(axis=0)
            if not deviations.any():
                return None
            series /= np.where(deviations > 0, deviations, 1.0)
        low, high = self._low, self._high
        levels = (np.clip(series, low, high) - low) / (high - low) * 255
        tensor: NDArray[np.uint8] = np.rint(levels).astype(np.uint8)[None]
        return tensor
