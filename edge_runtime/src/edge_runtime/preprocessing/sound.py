"""From WAV files or arrays of samples to the input tensor of a model of sounds."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bundle.spec import InputSpec, Preprocessing
from ..errors import InputError
from ..inputs.files import MAX_PIXELS, file_bytes
from ..inputs.wav import Sound, read_wav, unit_scaled
from .log_mel import clip, log_mel

ACCEPTED = "a sound: give a path, bytes, or an array (T,) of samples at the model's rate"
"""What a caller may give, for an error message."""
_BYTES_A_SAMPLE = 4  # a file of as many samples as are read may have so many, and
_BYTES_BESIDE = 1 << 20


def decode(source: str | os.PathLike[str] | bytes, max_samples: int = MAX_PIXELS) -> Sound:
    """Decode a WAV file, given by path or as its bytes; several channels become one.

    Raises InputError with its status.
    """
    if not isinstance(source, bytes):
        source = file_bytes(source, max_samples * _BYTES_A_SAMPLE + _BYTES_BESIDE)
    if not source:
        raise InputError("empty", "the file has no bytes")
    return read_wav(source, max_samples)


def locate(
    sound: Sound | NDArray[Any], spec: InputSpec, how: Preprocessing
) -> NDArray[np.uint8] | None:
    """The (mels, windows, 1) uint8 tensor of a sound, or None of silence.

    sound: as `decode` made it, or (T,) samples at the model's rate: floats from -1 to 1, or
        integers from the whole range of their type.

    Raises InputError for an array that holds no sound.
    """
    if isinstance(sound, np.ndarray):
        if sound.ndim != 1 or not sound.size or sound.dtype.kind not in "iuf":
            raise InputError(
                "not_a_sound",
                f"samples are {sound.dtype} of shape {sound.shape}, expected numbers of shape (T,)",
            )
        sound = Sound(unit_scaled(sound), how.sample_rate)
    return log_mel(clip(sound.samples, sound.rate, spec, how), spec, how)
