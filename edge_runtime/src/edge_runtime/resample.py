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
    half = _half(up, down) if rate != target else 0
    first = start - max(half - 1, 0)
    last = start + (count - 1) * down // up + half
    there = np.zeros(last + 1 - first)
    inside = samples[max(first, 0) : max(last + 1, 0)]
    skipped = max(-first, 0)
    there[skipped : skipped + len(inside)] = inside
    if rate == target:
        return there
    windows = np.lib.stride_tricks.sliding_window_view(there, 2 * half)
    resampled = np.empty(count)
    # Output n lies n * down / up samples behind the start: `phase` up-ths behind a whole one.
    for n, weights in enumerate(_weights(up, down, min(up, count))):
        resampled[n::up] = windows[n * down // up :: down][: len(range(n, count, up))] @ weights
    return resampled


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
