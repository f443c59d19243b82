"""From WAV files or arrays of samples to the input tensor of a model of sounds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bundle.preprocessing import LogMel
from ..bundle.spec import InputSpec
from ..errors import InputError
from ..inputs import wav
from ..inputs.files import decode_source
from ..inputs.wav import Sound, unit_scaled
from .base import Reader, Source
from .log_mel import clip, log_mel

_ACCEPTED = "a path, bytes, an open file or an array (T,) of samples at the model's rate"


class SoundReader(Reader):
    """Reads sounds: WAV files, or arrays (T,) of samples at the model's rate."""

    decode = staticmethod(wav.decode)

    def __init__(self, spec: InputSpec, preprocessing: LogMel) -> None:
        super().__init__(spec, preprocessing)
        self._how = preprocessing

    def read(self, source: Source, /) -> Sound | NDArray[Any]:
        """The sound of a path or a WAV file's bytes; a Sound or an array as it is."""
        if isinstance(source, np.ndarray | Sound):
            return source
        return decode_source(source, wav.decode, "a sound", _ACCEPTED)

    def prepare(self, decoded: Sound | NDArray[Any], /) -> NDArray[np.uint8] | None:
        """The (mels, windows, 1) uint8 tensor of a sound; None for silence.

        decoded: a Sound, or (T,) samples at the model's rate: floats from -1 to 1, or integers
            from the whole range of their type.

        Raises InputError for an array that holds no sound.
        """
        if isinstance(decoded, np.ndarray):
            if decoded.ndim != 1 or not decoded.size or decoded.dtype.kind not in "iuf":
                raise InputError(
                    "not_a_sound",
                    f"samples are {decoded.dtype} of shape {decoded.shape}, expected numbers of"
                    " shape (T,)",
                )
            decoded = Sound(unit_scaled(decoded), self._how.sample_rate)
        part = clip(decoded.samples, decoded.rate, self.spec, self._how)
        return log_mel(part, self.spec, self._how)
