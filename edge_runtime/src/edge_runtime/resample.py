"""Samples at another rate: a windowed sinc for each of the places between two samples."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

_CROSSINGS = 16  # of zero, on each side of the sinc
_CUTOFF = 0.95  # of the lower of the two rates' halves
_AT_ONCE = 1 << 20  # samples that go in
_MOST_PHASES = 1000  # kept; more than that are made as they are needed, by the
_BLOCK = 256


def resample(
    samples: NDArray[np.float32], rate: int, target: int, start: int, count: int
) -> NDArray[np.float64]:
    """`count` samples at the rate `target`, the first of them at the place of `samples[start]`.

    samples: (T,) at `rate`; silence is assumed before and after them, so `start` may be negative.
    """
    divisor = math.gcd(rate, target)
    up, down = target // divisor, rate // divisor
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
    weights = chain.from_iterable(_weights(up, down, min(up, count)) for _ in range(apart))
    for n, these in zip(range(min(up * apart, count)), weights, strict=False):
        many = len(range(n, count, up * apart))
        resampled[n :: up * apart] = windows[n * down // up :: down * apart][:many] @ these
    return resampled


def _span(samples: NDArray[np.float32], first: int, end: int) -> NDArray[np.float64]:
    """The samples from one place to another, zeros where there are none."""
    span = np.zeros(end - first)
    inside = samples[max(first, 0) : max(end, 0)]
    before = max(-first, 0)
    span[before : before + len(inside)] = inside
    return span


def _half(up: int, down: int) -> int:
    """How many samples on each side make one."""
    return math.ceil(_CROSSINGS * max(1.0, down / up) / _CUTOFF)


def _weights(up: int, down: int, phases: int) -> Iterable[NDArray[np.float64]]:
    if up <= _MOST_PHASES:
        return _table(up, down)[:phases]
    blocks = (range(at, min(at + _BLOCK, phases)) for at in range(0, phases, _BLOCK))
    return chain.from_iterable(_phases(up, down, block) for block in blocks)


@lru_cache(maxsize=8)
def _table(up: int, down: int) -> NDArray[np.float64]:
    return _phases(up, down, range(up))


def _phases(up: int, down: int, outputs: Sequence[int]) -> NDArray[np.float64]:
    """(outputs, 2 * half): the weights of the samples around each of these outputs."""
    half = _half(up, down)
    behind = np.array([n * down % up / up for n in outputs])[:, None]
    away = np.arange(1 - half, half + 1) - behind
    taper = np.cos(np.pi / 2 * np.clip(away / half, -1, 1)) ** 2
    weights = np.sinc(away * _CUTOFF * min(1.0, up / down)) * taper
    whole: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return whole
