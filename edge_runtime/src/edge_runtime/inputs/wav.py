"""Decode WAV files to samples between -1 and 1.

Python's own `wave` module reads neither floats nor, before 3.12, WAVE_FORMAT_EXTENSIBLE.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .files import AT_MOST, MAX_PIXELS, file_bytes
from .formats import refuse_other_kinds

LOWEST_RATE, HIGHEST_RATE = 1_000, 384_000
"""The sample rates that are accepted, in samples a second."""

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_GUID = bytes.fromhex("000000001000800000aa00389b71")  # what follows the format in an extension
_NAMES = {2: "ADPCM", 6: "A-law", 7: "mu-law", 17: "ADPCM", 80: "MPEG", 85: "MP3"}
_MOST_CHUNKS = 1000
_UNTIL_THE_END = 0x7FFFF000  # what programs that write to a pipe give as a size, or more
_LOUDEST = 1e9  # of floats; their squares can still be added up
# A file may have so many bytes for each sample that is allowed, and so many for its header.
_BYTES_A_SAMPLE, _HEADER_BYTES = 4, 1 << 20


class Sound(NamedTuple):
    """One channel of sound."""

    samples: NDArray[np.float32]
    """(T,); full scale is -1 to 1. Not empty."""
    rate: int
    """Samples a second."""


def decode(source: str | os.PathLike[str] | bytes, max_samples: int = MAX_PIXELS) -> Sound:
    """Decode a WAV file, given by path or as its bytes; several channels become their mean.

    max_samples: samples times channels above which it is refused as `too_large`.

    Raises InputError with its status.
    """
    if not isinstance(source, bytes):
        source = file_bytes(source, max_samples * _BYTES_A_SAMPLE + _HEADER_BYTES)
    if not source:
        raise InputError("empty", "the file has no bytes")
    return read_wav(source, max_samples)


def read_wav(data: bytes, most_values: int) -> Sound:
    """The sound in the bytes of a WAV file: PCM of 8, 16, 24 or 32 bits, or floats of 32 or 64;
    several channels become their mean.

    Raises InputError: `not_a_sound`, `wrong_kind`, `corrupt`, `empty`, or `too_large` for more
    than `most_values` samples times channels.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        refuse_other_kinds(data[:12], "sound")
        raise InputError("not_a_sound", "not a WAV file")
    form = None
    for kind, start, size in _chunks(data):
        if kind == b"fmt ":
            form = _form(data[start : start + size])
        elif kind == b"data" and form is not None:
            return _sound(memoryview(data)[start:], size, *form, most_values)
    raise InputError("corrupt", "has no format and samples")


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start, size) of each chunk; the size is what the file says."""
    place = 12
    for _ in range(_MOST_CHUNKS):
        if place + 8 > len(data):
            return
        kind, size = struct.unpack_from("<4sI", data, place)
        yield kind, place + 8, size
        place += 8 + size + size % 2
    raise InputError("corrupt", f"more than {_MOST_CHUNKS} chunks in front of its samples")


def _form(chunk: bytes) -> tuple[str, int, int]:
    """(type of a sample as numpy names it, channels, samples a second)."""
    if len(chunk) < 16:
        raise InputError("corrupt", f"describes its format in {len(chunk)} bytes, expected 16")
    code, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", chunk)
    if code == _EXTENSIBLE and chunk[26:40] == _GUID:
        (code,) = struct.unpack_from("<H", chunk, 24)
    types = {_PCM: {8: "u1", 16: "<i2", 24: "3u1", 32: "<i4"}, _FLOAT: {32: "<f4", 64: "<f8"}}
    if code not in types:
        name = _NAMES.get(code, "unknown")
        raise InputError(
            "not_a_sound",
            f"its samples are coded as {name} (format {code}): convert it to PCM or float",
        )
    if bits not in types[code] or not channels or block != channels * bits // 8:
        raise InputError(
            "corrupt", f"{channels} channels of {bits} bits in {block} bytes, format {code}"
        )
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise InputError(
            "corrupt", f"{rate} samples a second, expected {LOWEST_RATE} to {HIGHEST_RATE}"
        )
    return types[code][bits], channels, rate


def _sound(
    rest: memoryview, size: int, dtype: str, channels: int, rate: int, most_values: int
) -> Sound:
    if size >= _UNTIL_THE_END:
        size = len(rest)
    if size > len(rest):
        raise InputError("corrupt", f"cut short: {len(rest)} of {size} bytes of samples are there")
    block = np.dtype(dtype).itemsize * channels
    frames = size // block
    if not frames:
        raise InputError("empty", "has no samples")
    if frames * channels > most_values:
        raise InputError(
            "too_large", f"{frames * channels} samples are more than {most_values}{AT_MOST}"
        )
    values = _values(rest[: frames * block], dtype)
    if channels > 1:
        values = values.reshape(frames, channels).mean(axis=1, dtype=np.float32)
    return Sound(values, rate)


def _values(raw: memoryview, dtype: str) -> NDArray[np.float32]:
    """All channels' samples, one after the other."""
    if dtype == "3u1":  # of 24 bits, the upper three bytes of 32
        wide = np.zeros((len(raw) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        dtype, raw = "<i4", wide.data.cast("B")
    return unit_scaled(np.frombuffer(raw, dtype))


def unit_scaled(values: NDArray[np.generic]) -> NDArray[np.float32]:
    """Samples of any type as floats: integers from their own range to -1..1, floats as they are.

    Raises InputError with `corrupt` for floats that are not finite or beyond all measure.
    """
    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):
            samples = values.astype(np.float32)
        loudest = max(abs(float(samples.min())), abs(float(samples.max())))
        if not loudest <= _LOUDEST:  # so not for NaN either
            raise InputError("corrupt", f"a sample is {loudest:g}, expected -1 to 1")
        return samples
    half = 2.0 ** (8 * values.dtype.itemsize - 1)
    samples = values.astype(np.float32)
    if values.dtype.kind == "u":
        samples -= np.float32(half)
    samples /= np.float32(half)
    return samples
