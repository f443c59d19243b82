"""Resample sounds: a windowed sinc for each of the places between two samples."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_CROSSINGS = 16  # of zero, on each side of the sinc
_CUTOFF = 0.95  # of the lower of the two rates' halves
_AT_ONCE = 1 << 20  # samples that go in
_MOST_PHASES = 640  # enough for every usual pair of rates; of others the ratio is rounded


def resample(
    samples: NDArray[np.float32], rate: int, target: int, start: int, count: int
) -> NDArray[np.float64]:
    """`count` samples at the rate `target`, the first of them at the place of `samples[start]`.

    samples: (T,) at `rate`; silence is assumed before and after them, so `start` may be negative.
    Between unusual rates, such as 44,101 and 8,000, a second may become up to a thousandth longer
    or shorter.
    """
    down, up = Fraction(rate, target).limit_denominator(_MOST_PHASES).as_integer_ratio()
    if up == down:
        return _span(samples, start, start + count)
    step = up * max(1, _AT_ONCE // max(up, down))
    parts = [
        _resample(samples, up, down, start + n // up * down, min(step, count - n))
        for n in range(0, count, step)
    ]
    return np.concatenate(parts)


def _resample(
    samples: NDArray[np.float32], up: int, down: int, start: int, count: int
) -> NDArray[np.float64]:
    half = _half(up, down)
    last = start + (count - 1) * down // up
    there = _span(samples, start + 1 - half, last + half + 1)
    windows = np.lib.stride_tricks.sliding_window_view(there, 2 * half)
    resampled = np.empty(count)
    # Outputs n, n + up, ... have the same weights. Taken `apart` rounds of them at a time, their
    # windows do not overlap, which is what BLAS can multiply fast.
    apart = math.ceil(2 * half / down)
    weights = _weights(up, down)
    for n in range(min(up * apart, count)):
        many = len(range(n, count, up * apart))
        parts = windows[n * down // up :: down * apart][:many]
        resampled[n :: up * apart] = parts @ weights[n % up]
    return resampled


def _span(samples: NDArray[np.float32], first: int, end: int) -> NDArray[np.float64]:
    """The samples from one place to another, zeros where there are none."""
    span = np.zeros(end - first)
    inside = samples[max(first, 0) : max(end, 0)]
    before = max(-first, 0)
    span[before : before + len(inside)] = inside
    return span


def _half(up: int, down: int) -> int:
    """The number of samples on each side that count in one output."""
    return math.ceil(_CROSSINGS * max(1.0, down / up) / _CUTOFF)


@lru_cache(maxsize=4)
def _weights(up: int, down: int) -> NDArray[np.float64]:
    """(up, 2 * half): the weights of the samples around each of the first outputs."""
    half = _half(up, down)
    behind = (np.arange(up) * down % up / up)[:, None]
    away = np.arange(1 - half, half + 1) - behind
    taper = np.cos(np.pi / 2 * np.clip(away / half, -1, 1)) ** 2
    weights = np.sinc(away * _CUTOFF * min(1.0, up / down)) * taper
    whole: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return whole
