"""From samples to a log-mel spectrogram of 8-bit values: the one implementation.

Training and the device call the same two functions: `clip` cuts out the part of a sound that the
model hears and resamples it to the model's rate; `log_mel` makes the input tensor of it.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..bundle.preprocessing import LogMel
from ..bundle.spec import InputSpec
from .resample import resample

_ALIKE = 0.999  # parts with at least this share of the loudest part's energy count as loud as it


def clip_length(spec: InputSpec, how: LogMel) -> int:
    """The number of samples, at the model's rate, that the windows of one tensor cover."""
    return how.window + (spec.width - 1) * how.hop


def clip(
    samples: NDArray[np.float32], rate: int, spec: InputSpec, how: LogMel
) -> NDArray[np.float64]:
    """The (clip_length,) samples that the model hears of a sound of any length and rate.

    A shorter sound stands in the middle of silence. Of a longer one it is the loudest part, to
    the nearest hop; among parts as loud the middle one. The sound's mean is subtracted before.
    """
    length = clip_length(spec, how)
    own = math.ceil(length * rate / how.sample_rate)  # the clip's length at the sound's rate
    centred = samples - samples.mean(dtype=np.float64).astype(np.float32)
    if len(samples) <= own:
        start = -((own - len(samples)) // 2)
    else:
        start = _loudest(centred, own, max(1, round(how.hop * rate / how.sample_rate)))
    return resample(centred, rate, how.sample_rate, start, length)


def _loudest(samples: NDArray[np.float32], length: int, step: int) -> int:
    """The start, a multiple of `step`, of the part of that length with the greatest energy."""
    blocks = samples[: len(samples) // step * step].reshape(-1, step)
    energy = np.einsum("ij,ij->i", blocks, blocks)
    many = min(math.ceil(length / step), len(energy))
    until = np.concatenate([[0.0], np.cumsum(energy, dtype=np.float64)])
    parts = until[many:] - until[:-many]
    loud = np.flatnonzero(parts >= _ALIKE * parts.max())
    return int(loud[len(loud) // 2]) * step


def log_mel(samples: NDArray[np.float64], spec: InputSpec, how: LogMel) -> NDArray[np.uint8] | None:
    """The (mels, windows, 1) uint8 tensor of a clip; None of silence.

    Each window of samples is tapered (Hann) and padded with zeros to a power of two; the power
    of its Fourier transform is added up in bands, triangles whose edges are evenly spaced in mel
    (HTK's: 2595 log10(1 + f / 700)), each 1 at its centre. The loudest place becomes 255, and
    what is `range_db` decibels below it, or more, becomes 0.
    """
    taper = _taper(how.window)
    windows = np.lib.stride_tricks.sliding_window_view(samples, how.window)[:: how.hop]
    tapered = np.zeros((spec.width, _transformed(how)))
    np.multiply(windows, taper, out=tapered[:, : how.window])
    spectrum = np.fft.rfft(tapered)
    frequencies = spectrum.real**2 + spectrum.imag**2
    power = np.empty((spec.height, spec.width))
    for row, (bins, weights) in zip(power, _bands(spec.height, how), strict=True):
        np.matmul(frequencies[:, bins], weights, out=row)  # all at once starts BLAS's threads
    loudest = float(power.max())
    sine = (taper.sum() / 2) ** 2  # the power of a sine from -1 to 1 at its frequency
    if loudest <= sine * 10 ** (how.silence_db / 10):
        return None
    scale = 2550 / (how.range_db * math.log(10))
    np.maximum(power, loudest * 10 ** (-how.range_db / 10), out=power)
    levels = 255 + scale * np.log(power / loudest)
    return np.rint(levels).astype(np.uint8)[..., None]


@lru_cache(maxsize=8)
def _taper(window: int) -> NDArray[np.float64]:
    """The (window,) periodic Hann window: one sample more would be 0 again."""
    taper: NDArray[np.float64] = np.sin(np.pi * np.arange(window) / window) ** 2
    return taper


def _transformed(how: LogMel) -> int:
    """The length of the Fourier transform: the window's, or the next power of two."""
    return 1 << (how.window - 1).bit_length()


@lru_cache(maxsize=8)
def _bands(mels: int, how: LogMel) -> list[tuple[slice, NDArray[np.float64]]]:
    """For each band the slice of frequencies that count in it, and their weights."""
    bands = []
    for row in filterbank(mels, how):
        taken = np.flatnonzero(row)
        bins = slice(taken[0], taken[-1] + 1) if len(taken) else slice(0)
        bands.append((bins, row[bins].copy()))
    return bands


def filterbank(mels: int, how: LogMel) -> NDArray[np.float64]:
    """The (mels, frequencies) weights, 0 to 1, of each frequency's power in each band.

    The frequencies are those of the Fourier transform, evenly spaced from 0 to half the rate. A
    row of zeros means that the bands are narrower than its spacing: use fewer, or longer windows.
    """
    frequencies = np.linspace(0.0, how.sample_rate / 2, _transformed(how) // 2 + 1)
    low, high = (2595 * math.log10(1 + hz / 700) for hz in (how.low_hz, how.high_hz))
    edges = 700 * (10 ** (np.linspace(low, high, mels + 2) / 2595) - 1)
    rising = (frequencies - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - frequencies) / np.diff(edges)[1:, None]
    return np.clip(np.minimum(rising, falling), 0.0, None)
